//! The predictions, held against event logs and PCRs of real boots (data/README.md), and against hand-made images.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod medium;
mod pe_maker;

use std::collections::BTreeMap;
use std::path::Path;

use cairn_uki::predict::{BootPrediction, PredictError, SecureBoot, from_uki};
use cairn_uki::{Sha256Digest, uki};
use pe_maker::{image, kernel, parts, stub};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");

fn recorded() -> BootPrediction {
    serde_json::from_str(include_str!("data/prediction.json")).unwrap()
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(DATA).join(name)).unwrap()
}

struct Event {
    pcr: u32,
    kind: u32,
    digest: Sha256Digest,
}

const EV_NO_ACTION: u32 = 3;
const EV_BOOT_SERVICES_APPLICATION: u32 = 0x8000_0003;

/// A crypto-agile log with one SHA-256 bank, of our own recording: no hostile input here.
fn events(log: &[u8]) -> Vec<Event> {
    let u32_at = |at: usize| u32::from_le_bytes(log[at..at + 4].try_into().unwrap());
    let mut at = 32 + u32_at(28) as usize;
    let mut events = Vec::new();
    while at < log.len() {
        assert_eq!((u32_at(at + 8), log[at + 12]), (1, 0x0b), "one SHA-256 digest");
        let digest: [u8; 32] = log[at + 14..at + 46].try_into().unwrap();
        events.push(Event { pcr: u32_at(at), kind: u32_at(at + 4), digest: digest.into() });
        at += 50 + u32_at(at + 46) as usize;
    }
    events
}

fn replay(events: &[Event], pcr: u32) -> Sha256Digest {
    let extended = events.iter().filter(|e| e.pcr == pcr && e.kind != EV_NO_ACTION);
    extended.fold(Sha256Digest::ZERO, |value, event| value.extend(&event.digest))
}

/// `CAIRN-PCR 4 EE9E...` lines of the serial console.
fn pcrs(boot: &str) -> BTreeMap<u32, Sha256Digest> {
    let text = String::from_utf8(read(&format!("{boot}.pcrs"))).unwrap();
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        (words.next().unwrap().parse().unwrap(), words.next().unwrap().parse().unwrap())
    };
    text.lines().map(line).collect()
}

#[track_caller]
fn check(boot: &str, pcr4: Sha256Digest, secure_boot: SecureBoot) {
    let (log, pcrs, prediction) = (events(&read(&format!("{boot}.eventlog"))), pcrs(boot), recorded());
    assert_eq!((replay(&log, 4), replay(&log, 11)), (pcrs[&4], pcrs[&11]), "log and PCRs");
    assert_eq!((pcrs[&4], pcrs[&11]), (pcr4, prediction.pcr11), "PCRs and prediction");
    assert_eq!(pcrs[&12], Sha256Digest::ZERO, "the stub took no other command line");
    let apps = log.iter().filter(|e| e.pcr == 4 && e.kind == EV_BOOT_SERVICES_APPLICATION);
    assert_eq!(apps.map(|e| e.digest).collect::<Vec<_>>(), prediction.apps(secure_boot));
    let sections = log.iter().filter(|e| e.pcr == 11).map(|e| e.digest).collect::<Vec<_>>();
    let expected = prediction.pcr11_sections.iter().flat_map(|s| [s.name_digest, s.data_digest]);
    assert_eq!(sections, expected.collect::<Vec<_>>());
}

#[test]
fn a_first_boot_option_gives_the_predicted_pcrs() {
    check("first-option", recorded().pcr4, SecureBoot::Off);
}

#[test]
fn an_empty_disk_before_it_adds_a_failed_attempt() {
    check("after-empty-disk", recorded().pcr4_after(1, SecureBoot::Off), SecureBoot::Off);
}

#[test]
fn with_secure_boot_the_kernel_is_not_measured() {
    check("secure-boot", recorded().pcr4_secure_boot, SecureBoot::On);
}

#[test]
fn the_recorded_prediction_is_what_its_inputs_give() {
    let path = std::env::var("CAIRN_UKI_KERNEL").unwrap_or_default();
    let inputs = [medium::STUB, medium::BUSYBOX, &path].map(|path| std::fs::read(path).unwrap_or_default());
    let digests = inputs.each_ref().map(|bytes| Sha256Digest::of(bytes).to_string());
    let note = String::from_utf8(read("README.md")).unwrap();
    if let Some(missing) = digests.iter().position(|digest| !note.contains(digest)) {
        let what = ["systemd-boot-efi's stub", "busybox-static", "the kernel in CAIRN_UKI_KERNEL"][missing];
        eprintln!("SKIPPED: {what} is not the one of data/README.md");
        return;
    }
    let [stub, busybox, kernel] = inputs;
    let uki = medium::uki(&stub, &kernel, &busybox).unwrap();
    assert_eq!(from_uki(&uki).unwrap(), recorded());
    assert_eq!(from_uki(&medium::signed(&uki)).unwrap(), recorded());
}

#[test]
fn the_order_is_the_stubs_not_the_files() {
    let uki = uki::build(&parts(&stub(), &kernel())).unwrap();
    let prediction = from_uki(&uki).unwrap();
    let names: Vec<_> = prediction.pcr11_sections.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, [".linux", ".osrel", ".cmdline", ".initrd"]);
    assert_eq!(prediction.pcr11_sections[0].data_digest, Sha256Digest::of(&kernel()));
    assert_eq!(prediction.pcr11_sections[1].name_digest, Sha256Digest::of(b".osrel\0"));
    let json = serde_json::to_string(&prediction).unwrap();
    assert_eq!(serde_json::from_str::<BootPrediction>(&json).unwrap(), prediction);
}

#[test]
fn a_change_of_any_part_changes_the_prediction() {
    let (stub, kernel) = (stub(), kernel());
    let good = parts(&stub, &kernel);
    let predict = |parts| from_uki(&uki::build(&parts).unwrap()).unwrap();
    let expected = predict(good);
    let other_kernel = image(&[(".setup", b"another")]);
    let changed = [
        uki::UkiParts { osrel: "ID=other\n", ..good },
        uki::UkiParts { cmdline: "quiet", ..good },
        uki::UkiParts { initrd: b"another", ..good },
        uki::UkiParts { linux: &other_kernel, ..good },
    ];
    for parts in changed {
        let found = predict(parts);
        assert_ne!((found.pcr4, found.pcr11), (expected.pcr4, expected.pcr11));
        assert!(found.pcr4 != expected.pcr4 && found.pcr11 != expected.pcr11);
    }
}

#[test]
fn an_unknown_stub_or_kernel_is_not_guessed() {
    let magic = |version: &str| format!("#### LoaderInfo: systemd-stub {version} ####");
    let error = |sections: &[(&str, &[u8])]| from_uki(&image(sections)).unwrap_err();
    let kernel = kernel();
    for version in ["253", "25", "2521.1", "254.5-1", ""] {
        let sections = [(".sdmagic", magic(version).into_bytes()), (".linux", kernel.clone())];
        let sections = sections.each_ref().map(|(name, data)| (*name, data.as_slice()));
        assert_eq!(error(&sections), PredictError::StubVersion { version: version.into() });
    }
    let known = magic("252~rc1");
    assert_eq!(error(&[(".linux", &kernel)]), PredictError::NoStub);
    assert_eq!(error(&[(".sdmagic", known.as_bytes())]), PredictError::NoKernel);
    assert!(matches!(error(&[(".sdmagic", known.as_bytes()), (".linux", b"x")]), PredictError::Kernel(_)));
    let twice: [(&str, &[u8]); 3] =
        [(".sdmagic", known.as_bytes()), (".linux", &kernel), (".linux", &kernel)];
    assert!(matches!(error(&twice), PredictError::Image(_)));
}

#[test]
fn a_boot_over_http_has_the_same_sequence() {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/lab/samples");
    let samples = std::env::var("CAIRN_SAMPLES").unwrap_or_else(|_| default.into());
    let Ok(log) = std::fs::read(Path::new(&samples).join("eventlog.bin")) else {
        eprintln!("SKIPPED: no eventlog.bin in {samples} (CAIRN_SAMPLES)");
        return;
    };
    let log = events(&log);
    let apps = log.iter().filter(|e| e.pcr == 4 && e.kind == EV_BOOT_SERVICES_APPLICATION);
    let [uki, kernel] = apps.map(|e| e.digest).collect::<Vec<_>>().try_into().unwrap();
    assert_eq!(kernel, recorded().boot_apps[1], "the sample's kernel is the boot check's");
    let sample = BootPrediction { boot_apps: [uki, kernel], ..recorded() };
    assert_eq!(replay(&log, 4), sample.pcr4_after(0, SecureBoot::Off));
    let section = |index: usize| log.iter().filter(|e| e.pcr == 11).nth(index).unwrap().digest;
    let linux = &recorded().pcr11_sections[0];
    assert_eq!((section(0), section(1)), (linux.name_digest, linux.data_digest));
}
