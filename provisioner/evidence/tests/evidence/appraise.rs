//! Rules 9, 11 and 12 of attestation.md: what was booted, from the sample log, and from logs with one thing changed.

use cairn_evidence::appraise::{BootReference, BootRefusal, BootReport, SecureBoot, Unmeasured, appraise};
use cairn_evidence::eventlog::{EventKind, EventLog};
use cairn_evidence::pcr::{BOOT_PCRS, PcrSet, PcrValues};
use cairn_evidence::quote::{self, Demand, Quoted};
use cairn_evidence::{Digest, Proven};

use crate::builders::{Ak, Attest, NONCE};
use crate::eventlog::{event, header};
use crate::samples::{self, digest};

const UKI: &str = "104d8e23ef2b6da85fda3ab2c46f367600cd533bf9882c3eb39cd326bb0c8925";
const KERNEL: &str = "5f21ff2c0d5d899842b28a8b19901ba72cf7a7ab93c02a77fadc6ff72be85b31";

/// What would have been computed from the sample host's UKI.
pub(crate) fn reference() -> BootReference {
    let sections = [
        (".linux", "51349501a3d1ff83836437d2b365fd2d57f2feb8642d315e5181dec23d4c3275"),
        (".osrel", "380e90cbbcc4fc98502533264888709413657320c33a0d9a31b6816276060366"),
        (".cmdline", "d7ea046d5ac5f98b756eead057fac7ca951ad921d8f17c84cdddb9b069ea9365"),
        (".initrd", "115fe917beee7162a5e447f581cea2218ee9b1709dc4d6ccf94ec009b5450d50"),
    ];
    BootReference {
        name: "tpm.efi".into(),
        boot_apps: vec![digest(UKI).0, digest(KERNEL).0],
        pcr11: digest("e45b2ae1d5e797fe1efaaf0deb3e0df52071f9c6069eb4e08cf941422d666c08").0,
        pcr11_sections: sections.map(|(name, value)| (name.into(), digest(value).0)).to_vec(),
        pcr12: [0; 32],
    }
}

/// A log written from events, and what a TPM would quote after them.
#[derive(Clone)]
struct Boot {
    /// PCR, type, SHA-256, data.
    events: Vec<(u32, EventKind, [u8; 32], Vec<u8>)>,
    /// Extended without the log's knowledge.
    unlogged: Vec<(u8, Digest)>,
}

impl Boot {
    fn sample() -> Self {
        let events = EventLog::parse(samples::LOG).unwrap().events.into_iter().skip(1);
        let events =
            events.map(|event| (event.pcr, event.kind, event.sha256.unwrap().0, event.data)).collect();
        Self { events, unlogged: Vec::new() }
    }

    fn log(&self) -> Vec<u8> {
        let records =
            self.events.iter().flat_map(|(pcr, kind, sha256, data)| event(*pcr, *kind, sha256, data));
        header().into_iter().chain(records).collect()
    }

    fn values(&self) -> PcrValues {
        let mut values = PcrValues::default();
        let replayed = EventLog::parse(&self.log()).unwrap().replay();
        for pcr in BOOT_PCRS.iter() {
            let told = replayed[usize::from(pcr)].unwrap_or_default();
            let more = self.unlogged.iter().filter(|(to, _)| *to == pcr);
            values.set(pcr, more.fold(told, |value, (_, digest)| value.extend(*digest))).unwrap();
        }
        values
    }

    fn appraised(&self, references: &[BootReference]) -> Result<BootReport, BootRefusal> {
        appraise(&quoted(&self.values(), BOOT_PCRS), Some(&self.log()), references).map(Proven::into_inner)
    }

    /// The refusal against the sample's reference, as a timeline shows it.
    fn refusal(&self) -> String {
        self.appraised(&[reference()]).unwrap_err().to_string()
    }
}

/// A proven quote of these values.
fn quoted(values: &PcrValues, pcrs: PcrSet) -> Proven<Quoted> {
    let ak = Ak::new(1);
    let signed = Attest::quote(&[(0x0b, &pcrs.bitmap())], &values.digest(pcrs).unwrap().0).signed(&ak);
    quote::verify(&signed.statement(), &ak.public(), &Demand { nonce: &NONCE, pcrs }, values).unwrap()
}

pub(crate) fn sample_quote() -> Proven<Quoted> {
    let demand = Demand { nonce: samples::NONCE, pcrs: samples::QUOTED };
    quote::verify(&samples::QUOTE, &samples::ak(), &demand, &samples::pcrs()).unwrap()
}

#[test]
fn the_sample_host_booted_the_sample_uki() {
    let report = appraise(&sample_quote(), Some(samples::LOG), &[reference()]).unwrap();
    assert_eq!((report.reference.as_str(), report.secure_boot), ("tpm.efi", SecureBoot::Off));
    assert_eq!(report.applications.len(), 2);
    assert_eq!(report.applications[0].digest, digest(UKI));
    assert_eq!(report.applications[0].description, "http://10.77.0.1:8080/tpm.efi");
    assert_eq!(
        Boot::sample().appraised(&[reference()]).as_ref(),
        Ok(&*report),
        "the sample rewritten here is the same"
    );
}

/// The same kind of host with Secure Boot enforced, where the firmware does not measure the kernel inside the UKI.
#[test]
fn a_host_with_secure_boot_booted_its_uki() {
    let mut values = PcrValues::default();
    for line in include_str!("../data/secure-boot.pcrs").lines() {
        let (pcr, value) = line.split_once(' ').unwrap();
        values.set(pcr.parse().unwrap(), digest(value)).unwrap();
    }
    // The capture ends at 12; nothing was passed to this UKI.
    values.set(13, Digest::ZERO).unwrap();
    // As cairn-uki predicted from the bytes of that UKI.
    let uki = BootReference {
        name: "installer".into(),
        boot_apps: vec![digest("ace158cd58fbe524368228795a6c237347db10f8c56ba846c1d7bee9b0e6ab42").0],
        pcr11: digest("69a1540d76492a026ab3696ff55ddcf8fcea7f9017956022c15171b1013a1558").0,
        pcr11_sections: Vec::new(),
        pcr12: [0; 32],
    };
    let log = include_bytes!("../data/secure-boot.eventlog");
    let report = appraise(&quoted(&values, BOOT_PCRS), Some(log), &[reference(), uki]).unwrap();
    assert_eq!((report.reference.as_str(), report.secure_boot), ("installer", SecureBoot::On));
}

#[test]
fn any_reference_may_match_but_only_as_a_whole() {
    let mut other = reference();
    other.name = "other.efi".into();
    other.boot_apps[0] = [1; 32];
    let found = appraise(&sample_quote(), Some(samples::LOG), &[other.clone(), reference()]).unwrap();
    assert_eq!(found.reference, "tpm.efi");
    // The applications of one image and the sections of another are no image.
    let mut mixed = reference();
    mixed.pcr11 = [2; 32];
    appraise(&sample_quote(), Some(samples::LOG), &[other, mixed]).unwrap_err();
    let none = appraise(&sample_quote(), Some(samples::LOG), &[]);
    assert_eq!(none.unwrap_err(), BootRefusal::NoReference);
}

#[test]
fn an_altered_uki_is_refused_naming_pcr_event_expected_and_found() {
    let mut boot = Boot::sample();
    boot.events[22].2 = [0xaa; 32];
    let expected = format!(
        "pcr 4 event 23 (EV_EFI_BOOT_SERVICES_APPLICATION http://10.77.0.1:8080/tpm.efi) is not that of tpm.efi: \
         expected {UKI}, found {}",
        "aa".repeat(32)
    );
    assert_eq!(boot.refusal(), expected);
}

#[test]
fn a_boot_program_before_after_or_instead_of_ours_is_refused() {
    let mut before = Boot::sample();
    before.events.insert(22, (4, EventKind::EFI_BOOT_SERVICES_APPLICATION, [0xaa; 32], Vec::new()));
    assert!(before.refusal().starts_with(
        "pcr 4 event 23 (EV_EFI_BOOT_SERVICES_APPLICATION) is not that of tpm.efi: expected 104d8e"
    ));
    let mut after = Boot::sample();
    after.events.push((4, EventKind::EFI_BOOT_SERVICES_APPLICATION, [0xaa; 32], Vec::new()));
    assert!(after.refusal().ends_with(
        "expected nothing, found aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    ));
    let mut missing = Boot::sample();
    missing.events.remove(31);
    let expected = format!(
        "pcr 4 (an application that was not started) is not that of tpm.efi: expected {KERNEL}, found nothing"
    );
    assert_eq!(missing.refusal(), expected);
}

#[test]
fn a_tried_boot_option_is_routine_but_a_relabelled_event_is_not() {
    let mut tried = Boot::sample();
    for text in
        ["Returning from EFI Application from Boot Option", "Calling EFI Application from Boot Option"]
    {
        tried.events.insert(22, (4, EventKind::EFI_ACTION, Digest::of(text.as_bytes()).0, text.into()));
    }
    tried.appraised(&[reference()]).unwrap();
    let mut omitted = Boot::sample();
    let text = b"BOOT ATTEMPTS OMITTED";
    omitted.events.insert(22, (4, EventKind::OMIT_BOOT_DEVICE_EVENTS, Digest::of(text).0, text.to_vec()));
    omitted.appraised(&[reference()]).unwrap();
    // A rogue loader's digest, labelled as a harmless event: types are not proven.
    for kind in
        [EventKind::EFI_ACTION, EventKind::SEPARATOR, EventKind::IPL, EventKind(0x8000_0004), EventKind(0x12)]
    {
        let mut rogue = Boot::sample();
        rogue.events.insert(22, (4, kind, [0xaa; 32], b"Calling EFI Application from Boot Option".to_vec()));
        assert!(rogue.refusal().starts_with("pcr 4 event 23"), "{kind}");
    }
    // A separator that reports a firmware error.
    let mut error = Boot::sample();
    error.events[19].2 = Digest::of(&[1, 0, 0, 0]).0;
    assert!(error.refusal().starts_with("pcr 4 event 20 (EV_SEPARATOR)"));
}

#[test]
fn an_altered_section_is_refused_naming_it() {
    let mut boot = Boot::sample();
    boot.events[30].2 = [0xaa; 32];
    let expected = format!(
        "pcr 11 event 31 (section .initrd) is not that of tpm.efi: \
         expected 115fe917beee7162a5e447f581cea2218ee9b1709dc4d6ccf94ec009b5450d50, found {}",
        "aa".repeat(32)
    );
    assert_eq!(boot.refusal(), expected);
    let mut more = Boot::sample();
    more.events.push((11, EventKind::IPL, [0xaa; 32], b".dtb\0".to_vec()));
    assert!(
        more.refusal().starts_with("pcr 11 event 37 (EV_IPL .dtb) is not that of tpm.efi: expected nothing")
    );
}

/// With Secure Boot off, systemd-stub boots our UKI with a foreign command line: PCR 4 and 11 stay the same.
#[test]
fn a_foreign_command_line_or_extension_is_refused() {
    for pcr in [12, 13] {
        let mut boot = Boot::sample();
        boot.events.push((pcr, EventKind::IPL, [0xaa; 32], b"i\0n\0i\0t\0=\0/\0x\0\0\0".to_vec()));
        let expected = format!("pcr {pcr} event 37 (EV_IPL init=/x) is not that of tpm.efi");
        assert!(boot.refusal().starts_with(&expected), "{}", boot.refusal());
        let mut unlogged = Boot::sample();
        unlogged.unlogged.push((u8::try_from(pcr).unwrap(), Digest([0xaa; 32])));
        assert!(unlogged.refusal().starts_with(&format!("pcr {pcr} (passed to the image, not in the log)")));
    }
}

#[test]
fn what_a_reference_expects_in_pcr_12_is_accepted() {
    let mut boot = Boot::sample();
    boot.events.push((12, EventKind::IPL, [0xaa; 32], Vec::new()));
    let expecting = BootReference { pcr12: Digest::ZERO.extend(Digest([0xaa; 32])).0, ..reference() };
    boot.appraised(&[expecting]).unwrap();
}

#[test]
fn an_altered_log_is_refused_because_it_does_not_replay() {
    let mut log = Boot::sample();
    let quote = quoted(&log.values(), BOOT_PCRS);
    log.events[22].2 = [0xaa; 32];
    let refusal = appraise(&quote, Some(&log.log()), &[reference()]).unwrap_err();
    assert!(matches!(refusal, BootRefusal::Replay { pcr: 4, .. }), "{refusal}");
    // And an event that is left out, here the one that says what Secure Boot is.
    let mut log = Boot::sample();
    log.events.remove(3);
    let refusal = appraise(&quote, Some(&log.log()), &[reference()]).unwrap_err();
    assert!(matches!(refusal, BootRefusal::Replay { pcr: 7, .. }), "{refusal}");
    // And all of a firmware PCR.
    let mut log = Boot::sample();
    log.events.retain(|(pcr, ..)| *pcr != 2);
    let refusal = appraise(&quote, Some(&log.log()), &[reference()]).unwrap_err();
    assert!(matches!(refusal, BootRefusal::Replay { pcr: 2, replayed: Digest::ZERO, .. }), "{refusal}");
}

#[test]
fn a_legacy_bios_boot_is_told_apart_from_a_refused_identity() {
    let not_measured = BootRefusal::BootNotMeasured(Unmeasured::NoApplication);
    let mut bios = Boot::sample();
    bios.events.retain(|(pcr, kind, ..)| *kind != EventKind::EFI_BOOT_SERVICES_APPLICATION && *pcr < 8);
    bios.events.push((4, EventKind::IPL, [0xaa; 32], b"MBR".to_vec()));
    assert_eq!(bios.appraised(&[reference()]), Err(not_measured));
    let identity = sample_quote();
    for log in [None, Some([].as_slice())] {
        let refusal = appraise(&identity, log, &[reference()]).unwrap_err();
        assert_eq!(refusal, BootRefusal::BootNotMeasured(Unmeasured::NoLog));
    }
    assert_eq!(identity.ak, samples::ak().name(), "the identity is still in the caller's hands");
}

/// EVE's PR 6162: a bank that is listed, but that the firmware never extends, is the same on every machine.
#[test]
fn a_bank_that_is_listed_but_all_zero_is_refused() {
    let mut zeros = PcrValues::default();
    BOOT_PCRS.iter().for_each(|pcr| zeros.set(pcr, Digest::ZERO).unwrap());
    let refusal = appraise(&quoted(&zeros, BOOT_PCRS), Some(samples::LOG), &[reference()]).unwrap_err();
    assert_eq!(refusal, BootRefusal::EmptyBank);
    let mut boot = Boot::sample();
    boot.events.iter_mut().for_each(|(_, _, digest, _)| *digest = [0; 32]);
    assert_eq!(boot.appraised(&[reference()]), Err(BootRefusal::EmptyBank));
}

#[test]
fn a_log_with_sha1_alone_is_refused() {
    let mut sha1 = Vec::new();
    sha1.extend([4, 0, 0, 0, 4, 0, 0, 0]);
    sha1.extend([0; 20]);
    sha1.extend([4, 0, 0, 0, 0, 0, 0, 0]);
    let refusal = appraise(&sample_quote(), Some(&sha1), &[reference()]).unwrap_err();
    assert_eq!(refusal, BootRefusal::Sha1Only);
    let mut agile_sha1 = header();
    (agile_sha1[60], agile_sha1[62]) = (4, 20);
    let refusal = appraise(&sample_quote(), Some(&agile_sha1), &[reference()]).unwrap_err();
    assert_eq!(refusal, BootRefusal::NoSha256);
}

#[test]
fn no_boot_is_believed_without_the_pcrs_that_show_it() {
    for missing in [4, 11, 12, 13] {
        let pcrs: Vec<u8> = BOOT_PCRS.iter().filter(|pcr| *pcr != missing).collect();
        let quote = quoted(&Boot::sample().values(), PcrSet::of(&pcrs));
        let refusal = appraise(&quote, Some(samples::LOG), &[reference()]).unwrap_err();
        assert_eq!(refusal, BootRefusal::NotQuoted(missing));
    }
}

#[test]
fn the_phases_of_systemd_after_the_boot_are_known_and_nothing_else_is() {
    let phase = |name: &str| (11, Digest::of(name.as_bytes()));
    let mut boot = Boot::sample();
    boot.unlogged = ["enter-initrd", "leave-initrd", "sysinit"].map(phase).to_vec();
    assert_eq!(boot.appraised(&[reference()]).unwrap().phases, ["enter-initrd", "leave-initrd", "sysinit"]);
    boot.unlogged = ["sysinit", "ready"].map(phase).to_vec();
    assert_eq!(boot.appraised(&[reference()]).unwrap().phases, ["sysinit", "ready"]);
    boot.unlogged = ["ready", "sysinit"].map(phase).to_vec();
    assert!(matches!(boot.appraised(&[reference()]), Err(BootRefusal::Replay { pcr: 11, .. })));
}

#[test]
fn secure_boot_is_read_from_where_it_cannot_be_forged() {
    let variable = |value: u8| {
        let mut data = Boot::sample().events[3].3.clone();
        *data.last_mut().unwrap() = value;
        (7, EventKind::EFI_VARIABLE_DRIVER_CONFIG, Digest::of(&data).0, data)
    };
    let mut on = Boot::sample();
    on.events[3] = variable(1);
    assert_eq!(on.appraised(&[reference()]).unwrap().secure_boot, SecureBoot::On);
    // The true variable relabelled, a pretty one measured by the OS.
    let mut forged = Boot::sample();
    forged.events[3].1 = EventKind::IPL;
    forged.events.push(variable(1));
    assert_eq!(forged.appraised(&[reference()]).unwrap().secure_boot, SecureBoot::NotProven);
    // The digest of the true variable beside the text of a pretty one.
    let mut retold = Boot::sample();
    retold.events[3].3 = variable(1).3;
    assert_eq!(retold.appraised(&[reference()]).unwrap().secure_boot, SecureBoot::NotProven);
    let without_7 = PcrSet::of(&[4, 11, 12, 13]);
    let report = appraise(&quoted(&on.values(), without_7), Some(&on.log()), &[reference()]).unwrap();
    assert_eq!(report.secure_boot, SecureBoot::NotProven);
}

#[test]
fn the_firmwares_version_is_told_if_pcr_0_begins_with_it() {
    let mut boot = Boot::sample();
    let data: Vec<u8> = "2022.11".encode_utf16().flat_map(u16::to_le_bytes).chain([0, 0]).collect();
    boot.events[0] = (0, EventKind::S_CRTM_VERSION, Digest::of(&data).0, data);
    assert_eq!(boot.appraised(&[reference()]).unwrap().firmware.as_deref(), Some("2022.11"));
    boot.events[0].3 = b"9999.99".to_vec();
    assert_eq!(boot.appraised(&[reference()]).unwrap().firmware, None);
}
