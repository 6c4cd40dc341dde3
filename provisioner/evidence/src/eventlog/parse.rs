//! Bytes to events. Little-endian, packed, bounded; every length comes from a host.

use super::{Event, EventKind, EventLog, LogFormat};
use crate::Digest;
use crate::pcr::{COUNT, SHA256};
use crate::wire::{Malformed, Reader};

/// Real logs are 3 to 300 KiB.
const LOG_MAX: usize = 4 << 20;
const EVENTS_MAX: usize = 16_384;
/// The largest honest event is dbx, some tens of KiB.
const DATA_MAX: usize = 1 << 20;
const BANKS_MAX: u32 = 16;
const SHA1: u16 = 0x0004;
const SPEC_ID_EVENT03: &[u8; 16] = b"Spec ID Event03\0";

/// Why bytes are no event log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogRefusal {
    /// Nothing is in it.
    #[error("the event log is empty")]
    Empty,
    /// More bytes or events than any firmware writes.
    #[error("the event log is larger than allowed")]
    TooLarge,
    /// The Spec ID event at its head cannot be read.
    #[error("the event log's header is malformed")]
    Header(#[source] Malformed),
    /// The header gives a bank a digest size that its algorithm does not have.
    #[error("the event log's header gives bank {bank:#06x} digests of {size} bytes")]
    BankSize {
        /// TPM_ALG_ID.
        bank: u16,
        /// As listed.
        size: u16,
    },
    /// An event cannot be read.
    #[error("event {index} of the log is malformed")]
    Event {
        /// Its place in the log.
        index: usize,
        /// What is wrong.
        #[source]
        source: Malformed,
    },
    /// An event was measured into a PCR that does not exist.
    #[error("event {index} of the log names pcr {pcr}")]
    Pcr {
        /// Its place in the log.
        index: usize,
        /// The number.
        pcr: u32,
    },
    /// An event has a digest of a bank that the header does not list, or two of one bank.
    #[error("event {index} of the log has an unexpected digest of bank {bank:#06x}")]
    Bank {
        /// Its place in the log.
        index: usize,
        /// TPM_ALG_ID.
        bank: u16,
    },
}

/// A bank and the size of its digests.
type Banks = Vec<(u16, u16)>;

pub(super) fn parse(bytes: &[u8]) -> Result<EventLog, LogRefusal> {
    if bytes.len() > LOG_MAX {
        return Err(LogRefusal::TooLarge);
    }
    let mut reader = Reader::new(bytes);
    if reader.is_empty() {
        return Err(LogRefusal::Empty);
    }
    let first = read_sha1_event(&mut reader).map_err(LogRefusal::Header)?;
    let banks = match read_spec_id(&first)? {
        Some(banks) => banks,
        None => return parse_sha1(bytes),
    };
    let mut events = vec![Event { sha1: None, ..first }];
    while !reader.is_empty() {
        let index = events.len();
        if index >= EVENTS_MAX {
            return Err(LogRefusal::TooLarge);
        }
        events.push(checked(index, read_event2(&mut reader, &banks, index)?)?);
    }
    Ok(EventLog {
        format: LogFormat::CryptoAgile,
        banks: banks.iter().map(|(bank, _)| *bank).collect(),
        events,
    })
}

fn parse_sha1(bytes: &[u8]) -> Result<EventLog, LogRefusal> {
    let mut reader = Reader::new(bytes);
    let mut events = Vec::new();
    while !reader.is_empty() {
        let index = events.len();
        if index >= EVENTS_MAX {
            return Err(LogRefusal::TooLarge);
        }
        let event = read_sha1_event(&mut reader).map_err(|source| LogRefusal::Event { index, source })?;
        events.push(checked(index, event)?);
    }
    Ok(EventLog { format: LogFormat::Sha1Only, banks: vec![SHA1], events })
}

/// TCG_PCClientPCREvent (PFP 1.06, 10.2.1).
fn read_sha1_event(reader: &mut Reader<'_>) -> Result<Event, Malformed> {
    let pcr = reader.u32_le("event pcr")?;
    let kind = EventKind(reader.u32_le("event type")?);
    let sha1 = reader.array("event digest")?;
    let size = reader.length_le(DATA_MAX, "event data")?;
    let data = reader.take(size, "event data")?.to_vec();
    Ok(Event { pcr, kind, sha256: None, sha1: Some(sha1), data })
}

/// TCG_EfiSpecIDEvent (PFP 1.06, 10.4.5.1); `None` when the first event is another, as in a log of SHA-1 alone.
fn read_spec_id(first: &Event) -> Result<Option<Banks>, LogRefusal> {
    let mut reader = Reader::new(&first.data);
    if first.kind != EventKind::NO_ACTION || reader.array("signature") != Ok(*SPEC_ID_EVENT03) {
        return Ok(None);
    }
    let banks = read_banks(&mut reader).map_err(LogRefusal::Header)?;
    let known = |bank| match bank {
        SHA1 => Some(20),
        SHA256 | 0x0012 | 0x0027 => Some(32),
        0x000c | 0x0028 => Some(48),
        0x000d | 0x0029 => Some(64),
        _ => None,
    };
    match banks.iter().find(|(bank, size)| known(*bank).unwrap_or(*size) != *size || *size > 64) {
        Some(&(bank, size)) => Err(LogRefusal::BankSize { bank, size }),
        None => Ok(Some(banks)),
    }
}

fn read_banks(reader: &mut Reader<'_>) -> Result<Banks, Malformed> {
    reader.take(8, "platform class and version")?;
    let count = reader.u32_le("number of algorithms")?;
    if count > BANKS_MAX {
        return Err(Malformed::TooLarge("number of algorithms"));
    }
    let mut banks = Banks::new();
    for _ in 0..count {
        let bank = reader.u16_le("algorithm")?;
        if banks.iter().any(|(listed, _)| *listed == bank) {
            return Err(Malformed::Unexpected { field: "algorithm", value: bank.into() });
        }
        banks.push((bank, reader.u16_le("digest size")?));
    }
    let vendor = reader.u8("vendor info size")?;
    reader.take(vendor.into(), "vendor info")?;
    Ok(banks)
}

/// TCG_PCR_EVENT2 (PFP 1.06, 10.2.2).
fn read_event2(reader: &mut Reader<'_>, banks: &Banks, index: usize) -> Result<Event, LogRefusal> {
    let malformed = |source| LogRefusal::Event { index, source };
    let pcr = reader.u32_le("event pcr").map_err(malformed)?;
    let kind = EventKind(reader.u32_le("event type").map_err(malformed)?);
    let count = reader.u32_le("digest count").map_err(malformed)?;
    if count > BANKS_MAX {
        return Err(malformed(Malformed::TooLarge("digest count")));
    }
    let mut seen = Vec::new();
    let mut event = Event { pcr, kind, sha256: None, sha1: None, data: Vec::new() };
    for _ in 0..count {
        let bank = reader.u16_le("digest algorithm").map_err(malformed)?;
        let size = banks.iter().find(|(listed, _)| *listed == bank).map(|(_, size)| *size);
        let size = size.filter(|_| !seen.contains(&bank)).ok_or(LogRefusal::Bank { index, bank })?;
        seen.push(bank);
        let digest = reader.take(size.into(), "digest").map_err(malformed)?;
        match bank {
            SHA1 => event.sha1 = digest.try_into().ok(),
            SHA256 => event.sha256 = digest.try_into().ok().map(Digest),
            _ => {}
        }
    }
    let size = reader.length_le(DATA_MAX, "event data").map_err(malformed)?;
    event.data = reader.take(size, "event data").map_err(malformed)?.to_vec();
    Ok(event)
}

fn checked(index: usize, event: Event) -> Result<Event, LogRefusal> {
    if event.is_measured() && event.pcr >= u32::from(COUNT) {
        return Err(LogRefusal::Pcr { index, pcr: event.pcr });
    }
    Ok(event)
}
