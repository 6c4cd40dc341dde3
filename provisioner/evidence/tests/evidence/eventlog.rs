//! Event logs: the lab's own against its PCRs, real machines' against what tpm2-tools reads from them.

use std::path::Path;

use cairn_evidence::Malformed;
use cairn_evidence::eventlog::{EventKind, EventLog, LogFormat, LogRefusal, Reading};

use crate::samples::{self, digest, vectors};

#[test]
fn the_sample_log_replays_to_the_pcrs_of_its_host() {
    let log = EventLog::parse(samples::LOG).unwrap();
    assert_eq!(
        (log.format, log.banks.as_slice(), log.events.len()),
        (LogFormat::CryptoAgile, [0x0b].as_slice(), 37)
    );
    let replayed = log.replay();
    for pcr in [0, 1, 2, 3, 4, 5, 6, 7, 9, 11] {
        assert_eq!(replayed[pcr], samples::pcrs().get(u8::try_from(pcr).unwrap()), "pcr {pcr}");
    }
    assert_eq!(replayed.iter().flatten().count(), 10);
}

#[test]
fn the_sample_log_reads_as_people_would_say_it() {
    let log = EventLog::parse(samples::LOG).unwrap();
    let said: Vec<String> =
        log.of_pcr(4).map(|(index, event)| format!("{index} {}", event.describe())).collect();
    let expected = [
        "15 EV_EFI_ACTION Calling EFI Application from Boot Option",
        "20 EV_SEPARATOR",
        "23 EV_EFI_BOOT_SERVICES_APPLICATION http://10.77.0.1:8080/tpm.efi",
        "32 EV_EFI_BOOT_SERVICES_APPLICATION",
    ];
    assert_eq!(said, expected);
    let sections: Vec<Reading> = log.of_pcr(11).map(|(_, event)| event.reading()).collect();
    assert_eq!(sections[0], Reading::Loader(".linux".into()));
    assert_eq!(log.events[4].describe(), "EV_EFI_VARIABLE_DRIVER_CONFIG SecureBoot");
    assert!(log.events[4].data_is_measured());
    assert!(!log.events[23].data_is_measured());
    assert_eq!(log.events[33].describe(), "EV_EVENT_TAG LOADED_IMAGE::LoadOptions");
}

/// `tpm2_eventlog` prints the SHA-256 PCRs after a line `  sha256:` of its last section, and one `EventType` an event.
#[track_caller]
fn agrees_with_tpm2_tools(folder: &Path, name: &str) {
    let log = EventLog::parse(&std::fs::read(folder.join(format!("{name}.bin"))).unwrap()).unwrap();
    let yaml = std::fs::read_to_string(folder.join(format!("{name}.yaml"))).unwrap();
    assert_eq!(log.events.len(), yaml.matches(" EventType: ").count(), "{name}: events");
    for (event, kind) in
        log.events.iter().zip(yaml.lines().filter_map(|line| line.strip_prefix("  EventType: ")))
    {
        assert_eq!(event.kind.to_string(), kind, "{name}");
    }
    let (replayed, mut compared) = (log.replay(), 0);
    let pcrs = yaml.split_once("\npcrs:").unwrap().1;
    for line in pcrs.split_once("  sha256:\n").map_or("", |(_, rest)| rest).lines() {
        let (pcr, value) = line.split_once(": 0x").unwrap();
        assert_eq!(replayed[pcr.trim().parse::<usize>().unwrap()], Some(digest(value)), "{name}: pcr {pcr}");
        compared += 1;
    }
    assert_eq!(compared, replayed.iter().flatten().count(), "{name}: pcrs");
    assert_eq!(compared == 0, log.format == LogFormat::Sha1Only, "{name}: format");
}

#[test]
fn logs_of_real_machines_replay_to_what_tpm2_tools_says() {
    let Some(folder) = vectors("eventlog") else { return };
    for name in ["arch-linux", "bootorder", "postcode", "sd-boot-fedora37", "uefi-sha1-log"] {
        agrees_with_tpm2_tools(&folder, name);
    }
}

/// One event of a log in the SHA-256 format.
pub(crate) fn event(pcr: u32, kind: EventKind, sha256: &[u8; 32], data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(pcr.to_le_bytes());
    out.extend(kind.0.to_le_bytes());
    out.extend([1, 0, 0, 0, 0x0b, 0]);
    out.extend(sha256);
    out.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
    out.extend(data);
    out
}

/// The head of the sample log: its Spec ID event, which lists SHA-256.
pub(crate) fn header() -> Vec<u8> {
    samples::LOG[..65].to_vec()
}

#[test]
fn the_startup_locality_is_where_pcr_0_begins() {
    let mut log = header();
    log.extend(event(0, EventKind::NO_ACTION, &[0; 32], b"StartupLocality\0\x03"));
    log.extend(event(0, EventKind::SEPARATOR, &[1; 32], &[0; 4]));
    log.extend(event(1, EventKind::SEPARATOR, &[1; 32], &[0; 4]));
    let replayed = EventLog::parse(&log).unwrap().replay();
    let (mut start, one) = (cairn_evidence::Digest::ZERO, cairn_evidence::Digest([1; 32]));
    assert_eq!(replayed[1], Some(start.extend(one)));
    start.0[31] = 3;
    assert_eq!(replayed[0], Some(start.extend(one)));
}

#[test]
fn a_malformed_log_is_refused_with_the_event_named() {
    assert_eq!(EventLog::parse(&[]), Err(LogRefusal::Empty));
    // The eventlog-rs crate answered Ok with no entries to this.
    assert_eq!(EventLog::parse(&[0; 8]), Err(LogRefusal::Header(Malformed::Truncated("event digest"))));
    let cut = &samples::LOG[..samples::LOG.len() - 1];
    assert_eq!(
        EventLog::parse(cut),
        Err(LogRefusal::Event { index: 36, source: Malformed::Truncated("event data") })
    );

    let beyond = [header(), event(24, EventKind::IPL, &[0; 32], &[])].concat();
    assert_eq!(EventLog::parse(&beyond), Err(LogRefusal::Pcr { index: 1, pcr: 24 }));
    let mut other_bank = [header(), event(4, EventKind::IPL, &[0; 32], &[])].concat();
    other_bank[65 + 12] = 0x0c;
    assert_eq!(EventLog::parse(&other_bank), Err(LogRefusal::Bank { index: 1, bank: 0x0c }));
    let mut short_digests = samples::LOG.to_vec();
    short_digests[62] = 20;
    assert_eq!(EventLog::parse(&short_digests), Err(LogRefusal::BankSize { bank: 0x0b, size: 20 }));
    let mut endless = [header(), event(4, EventKind::IPL, &[0; 32], &[])].concat();
    let size = endless.len() - 4;
    endless[size..].fill(0xff);
    assert_eq!(
        EventLog::parse(&endless),
        Err(LogRefusal::Event { index: 1, source: Malformed::TooLarge("event data") })
    );
}

#[test]
fn control_characters_of_a_host_do_not_reach_a_timeline() {
    let log = [header(), event(4, EventKind::EFI_ACTION, &[0; 32], b"\x1b[2Jgone\n")].concat();
    assert_eq!(EventLog::parse(&log).unwrap().events[1].describe(), "EV_EFI_ACTION ?[2Jgone?");
}

/// A host with Secure Boot enforced, booted from its own keys: db, KEK and PK are in the log.
#[test]
fn the_log_of_a_host_with_secure_boot_replays_to_its_pcrs() {
    let log = EventLog::parse(include_bytes!("../data/secure-boot.eventlog")).unwrap();
    let replayed = log.replay();
    let mut compared = 0;
    for line in include_str!("../data/secure-boot.pcrs").lines() {
        let (pcr, value) = line.split_once(' ').unwrap();
        if let Some(told) = replayed[pcr.parse::<usize>().unwrap()] {
            assert_eq!(told, digest(value), "pcr {pcr}");
            compared += 1;
        }
    }
    assert_eq!(compared, replayed.iter().flatten().count());
    let authority = log.events.iter().find(|event| event.kind == EventKind::EFI_VARIABLE_AUTHORITY).unwrap();
    assert_eq!(authority.describe(), "EV_EFI_VARIABLE_AUTHORITY db");
}
