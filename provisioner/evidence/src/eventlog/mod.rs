//! The TCG event log: what the firmware says it measured, event by event (PC Client PFP 1.06, section 10).
//!
//! ```text
//! bytes --parse--> EventLog --replay--> PCR values      equal to quoted ones? only then `appraise` believes it
//!                     `-- events --reading--> typed texts for people and policy
//! ```
//! A log is a claim by the host. Even a log that replays proves only the digests: an event's type is never proven, and its
//! data only where [`Event::data_is_measured`].

mod kind;
mod parse;
mod reading;

pub use kind::EventKind;
pub use parse::LogRefusal;
pub use reading::{Guid, Reading};

use crate::Digest;
use crate::pcr::COUNT;

/// How the firmware wrote its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// TCG_PCR_EVENT2 records after a Spec ID event: digests of each bank.
    CryptoAgile,
    /// TCG_PCClientPCREvent records with SHA-1 alone: readable, but no evidence.
    Sha1Only,
}

/// A parsed log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventLog {
    /// How it is written.
    pub format: LogFormat,
    /// The banks that its header lists, as TPM_ALG_ID; SHA-1 (4) for the old format.
    pub banks: Vec<u16>,
    /// The events in order. An event's number in messages is its place here.
    pub events: Vec<Event>,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The PCR it was extended into; for EV_NO_ACTION any number.
    pub pcr: u32,
    /// What it claims to be.
    pub kind: EventKind,
    /// Its digest in the SHA-256 bank.
    pub sha256: Option<Digest>,
    /// Its digest in the SHA-1 bank, shown only.
    pub sha1: Option<[u8; 20]>,
    /// What the firmware wrote beside it.
    pub data: Vec<u8>,
}

impl Event {
    /// Was this extended into a PCR? EV_NO_ACTION informs only.
    #[must_use]
    pub fn is_measured(&self) -> bool {
        self.kind != EventKind::NO_ACTION
    }

    /// Is the digest that of the data? Only then does a replayed log prove the data.
    #[must_use]
    pub fn data_is_measured(&self) -> bool {
        self.is_measured() && self.sha256 == Some(Digest::of(&self.data))
    }
}

impl EventLog {
    /// Reads a log of either format. Errors name the event.
    pub fn parse(bytes: &[u8]) -> Result<Self, LogRefusal> {
        parse::parse(bytes)
    }

    /// The values that the SHA-256 PCRs have if the log is true; `None` where nothing was measured or has no SHA-256 digest.
    #[must_use]
    pub fn replay(&self) -> [Option<Digest>; COUNT as usize] {
        let mut pcrs = [None; COUNT as usize];
        for event in self.events.iter().filter(|event| event.is_measured()) {
            let slot = usize::try_from(event.pcr).ok().and_then(|pcr| pcrs.get_mut(pcr));
            if let (Some(slot), Some(digest)) = (slot, event.sha256) {
                let before = slot.unwrap_or_else(|| self.initial(event.pcr));
                *slot = Some(before.extend(digest));
            }
        }
        pcrs
    }

    /// The events of one PCR with their numbers.
    pub fn of_pcr(&self, pcr: u8) -> impl Iterator<Item = (usize, &Event)> {
        self.events
            .iter()
            .enumerate()
            .filter(move |(_, event)| event.is_measured() && event.pcr == u32::from(pcr))
    }

    /// PCR 0 starts at the locality that TPM2_Startup came from (PFP 1.06, 10.4.5.3); the rest at zero.
    fn initial(&self, pcr: u32) -> Digest {
        let notes = self.events.iter().filter(|event| event.kind == EventKind::NO_ACTION);
        let locality = notes.map(Event::reading).find_map(|reading| match reading {
            Reading::StartupLocality(locality) if pcr == 0 => Some(locality),
            _ => None,
        });
        let mut start = Digest::ZERO;
        if let (Some(locality), Some(last)) = (locality, start.0.last_mut()) {
            *last = locality;
        }
        start
    }
}
