//! Is this boot one of our images? PCR 4 event by event, since its value also depends on how often the firmware tried;
//! PCR 11 and 12 by value. Event types are not proven, so in PCR 4 every event must be one that is known by its digest.

use std::fmt;

use super::replayed::Replayed;
use super::{BootReference, BootRefusal};
use crate::Digest;
use crate::eventlog::{Event, EventKind};

/// What firmware says in PCR 4 around each try of a boot option (PFP 1.06, 10.4.3), measured without a final zero.
const ACTIONS: [&[u8]; 2] =
    [b"Calling EFI Application from Boot Option", b"Returning from EFI Application from Boot Option"];
/// What firmware says that does not say so.
const OMITTED: &[u8] = b"BOOT ATTEMPTS OMITTED";
/// The separators of a boot without firmware errors (PFP 1.06, 3.3.2.2 and 10.4.1).
const SEPARATORS: [[u8; 4]; 2] = [[0; 4], [0xff; 4]];

/// The first thing in which a boot differs from the reference that fits it furthest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// That reference.
    pub reference: String,
    /// Where.
    pub pcr: u8,
    /// The number of the event in the log; `None` where the log has too few events, or none that tells.
    pub index: Option<usize>,
    /// What the event says it is, or what is missing. Not proven, cleaned for display.
    pub what: String,
    /// What should be there; `None` for nothing.
    pub expected: Option<Digest>,
    /// What is there; `None` for nothing.
    pub found: Option<Digest>,
}

impl std::error::Error for Mismatch {}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pcr {}", self.pcr)?;
        if let Some(index) = self.index {
            write!(f, " event {index}")?;
        }
        write!(f, " ({}) is not that of {}: expected ", self.what, self.reference)?;
        match self.expected {
            Some(digest) => write!(f, "{digest}")?,
            None => f.write_str("nothing")?,
        }
        match self.found {
            Some(digest) => write!(f, ", found {digest}"),
            None => f.write_str(", found nothing"),
        }
    }
}

/// How far a reference fitted, and where it no longer did. Later PCRs count more than any number of events.
struct Miss {
    fit: (u8, usize),
    mismatch: Box<Mismatch>,
}

/// What stands where a boot differs.
struct Found {
    index: Option<usize>,
    digest: Option<Digest>,
    what: String,
}

impl Found {
    fn event(index: usize, event: &Event) -> Self {
        Self { index: Some(index), digest: event.sha256, what: event.describe() }
    }
}

impl Miss {
    fn new(reference: &BootReference, fit: (u8, usize), expected: Option<Digest>, found: Found) -> Self {
        let Found { index, digest, what } = found;
        let reference = reference.name.clone();
        Self {
            fit,
            mismatch: Box::new(Mismatch { reference, pcr: fit.0, index, what, expected, found: digest }),
        }
    }
}

/// The first reference that the boot equals as a whole.
pub(super) fn find<'a>(
    replayed: &Replayed<'_>,
    references: &'a [BootReference],
) -> Result<&'a BootReference, BootRefusal> {
    let mut nearest: Option<Miss> = None;
    for reference in references {
        match compare(replayed, reference) {
            Ok(()) => return Ok(reference),
            Err(miss) if nearest.as_ref().is_none_or(|nearest| miss.fit > nearest.fit) => {
                nearest = Some(miss)
            }
            Err(_) => {}
        }
    }
    Err(nearest.map_or(BootRefusal::NoReference, |miss| BootRefusal::Mismatch(miss.mismatch)))
}

fn compare(replayed: &Replayed<'_>, reference: &BootReference) -> Result<(), Miss> {
    applications(replayed, reference)?;
    sections(replayed, reference)?;
    passed(replayed, reference, 12, Digest(reference.pcr12))?;
    passed(replayed, reference, 13, Digest::ZERO)
}

/// PCR 4: the reference's applications in order, and nothing else that is not known.
fn applications(replayed: &Replayed<'_>, reference: &BootReference) -> Result<(), Miss> {
    let mut expected = reference.boot_apps.iter().copied().map(Digest);
    let mut fitting: usize = 0;
    for (index, event) in replayed.events(4).filter(|(_, event)| !is_routine(event)) {
        let wanted = expected.next();
        let is_application = event.kind == EventKind::EFI_BOOT_SERVICES_APPLICATION;
        if !is_application || wanted.is_none() || event.sha256 != wanted {
            return Err(Miss::new(reference, (4, fitting), wanted, Found::event(index, event)));
        }
        fitting = fitting.saturating_add(1);
    }
    let wanted = expected.next();
    if wanted.is_none() {
        return Ok(());
    }
    let found = Found { index: None, digest: None, what: "an application that was not started".into() };
    Err(Miss::new(reference, (4, fitting), wanted, found))
}

/// The digest must be that of a known text: what the log says beside it, and as what it labels it, is not proven.
fn is_routine(event: &Event) -> bool {
    let is = |text: &[u8]| event.sha256 == Some(Digest::of(text));
    match event.kind {
        EventKind::EFI_ACTION => ACTIONS.iter().any(|text| is(text)),
        EventKind::SEPARATOR => SEPARATORS.iter().any(|text| is(text)),
        EventKind::OMIT_BOOT_DEVICE_EVENTS => is(OMITTED),
        _ => false,
    }
}

/// PCR 11: systemd-stub extends the digest of each section's name, with its zero, and of its content.
fn sections(replayed: &Replayed<'_>, reference: &BootReference) -> Result<(), Miss> {
    let (expected, found) = (Digest(reference.pcr11), replayed.pcr11);
    if expected == found {
        return Ok(());
    }
    let mut events = replayed.events(11);
    let steps = reference.pcr11_sections.iter().flat_map(|(name, content)| {
        let name_digest = Digest::of_parts(&[name.as_bytes(), b"\0"]);
        [(format!("name of section {name}"), name_digest), (format!("section {name}"), Digest(*content))]
    });
    let mut fitting: usize = 0;
    for (what, wanted) in steps {
        let event = events.next();
        let digest = event.and_then(|(_, event)| event.sha256);
        if digest != Some(wanted) {
            let found = Found { index: event.map(|(index, _)| index), digest, what };
            return Err(Miss::new(reference, (11, fitting), Some(wanted), found));
        }
        fitting = fitting.saturating_add(1);
    }
    if let Some((index, event)) = events.next() {
        return Err(Miss::new(reference, (11, fitting), None, Found::event(index, event)));
    }
    let whole = Found { index: None, digest: Some(found), what: "value of the whole".into() };
    Err(Miss::new(reference, (11, fitting), Some(expected), whole))
}

/// PCR 12 and 13: what was given to the UKI beside its sections.
fn passed(replayed: &Replayed<'_>, reference: &BootReference, pcr: u8, expected: Digest) -> Result<(), Miss> {
    let value = replayed.quoted.get(pcr).unwrap_or_default();
    if value == expected {
        return Ok(());
    }
    let logged = replayed.events(pcr).next().map(|(index, event)| Found::event(index, event));
    let found = logged.unwrap_or(Found {
        index: None,
        digest: None,
        what: "passed to the image, not in the log".into(),
    });
    Err(Miss::new(reference, (pcr, 0), Some(expected), Found { digest: Some(value), ..found }))
}
