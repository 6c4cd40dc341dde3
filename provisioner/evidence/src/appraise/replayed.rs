//! A log that ends in the quoted PCRs: the only thing that the rest of the appraisal reads. Anything less is refused here.

use super::{Application, BootRefusal, Unmeasured};
use crate::Digest;
use crate::eventlog::{Event, EventKind, EventLog, LogFormat, Reading};
use crate::pcr::{PcrValues, SHA256};

/// What `systemd-pcrphase` extends into PCR 11 after the firmware's log has ended, in order; hosts whose initrd has no
/// systemd begin at `sysinit` (systemd-pcrphase.service(8)).
const PHASES: &[&str] = &["enter-initrd", "leave-initrd", "sysinit", "ready"];
const PHASES_WITHOUT_INITRD: &[&str] = &["sysinit", "ready"];

/// Proven to be what the TPM was told, for each PCR of `quoted` that it speaks of.
pub(super) struct Replayed<'a> {
    log: EventLog,
    pub(super) quoted: &'a PcrValues,
    /// PCR 11 as the firmware and the stub left it.
    pub(super) pcr11: Digest,
    pub(super) phases: &'static [&'static str],
}

impl Replayed<'_> {
    /// The events of a PCR, if it was quoted: what was not quoted is not proven.
    pub(super) fn events(&self, pcr: u8) -> impl Iterator<Item = (usize, &Event)> {
        self.log.of_pcr(pcr).filter(move |_| self.quoted.get(pcr).is_some())
    }

    pub(super) fn applications(&self) -> Vec<Application> {
        let started =
            self.events(4).filter(|(_, event)| event.kind == EventKind::EFI_BOOT_SERVICES_APPLICATION);
        started
            .filter_map(|(_, event)| match event.reading() {
                Reading::Application(description) => Some(Application { digest: event.sha256?, description }),
                _ => Some(Application { digest: event.sha256?, description: String::new() }),
            })
            .collect()
    }
}

pub(super) fn replay<'a>(quoted: &'a PcrValues, log: Option<&[u8]>) -> Result<Replayed<'a>, BootRefusal> {
    let bytes =
        log.filter(|bytes| !bytes.is_empty()).ok_or(BootRefusal::BootNotMeasured(Unmeasured::NoLog))?;
    let log = EventLog::parse(bytes)?;
    if log.format == LogFormat::Sha1Only {
        return Err(BootRefusal::Sha1Only);
    }
    if !log.banks.contains(&SHA256) {
        return Err(BootRefusal::NoSha256);
    }
    if is_empty_bank(quoted, &log) {
        return Err(BootRefusal::EmptyBank);
    }
    let replayed = log.replay();
    let mut phases: &[&str] = &[];
    for (pcr, value) in quoted.iter() {
        let told = replayed.get(usize::from(pcr)).copied().flatten();
        match told {
            Some(told) if told == value => {}
            Some(told) if pcr == 11 => {
                phases = phases_between(told, value).ok_or(BootRefusal::Replay {
                    pcr,
                    replayed: told,
                    quoted: value,
                })?;
            }
            Some(told) => return Err(BootRefusal::Replay { pcr, replayed: told, quoted: value }),
            // The firmware's own PCRs cannot have moved without it; the OS's may have, and are then not believed.
            None if pcr < 8 && value != Digest::ZERO => {
                return Err(BootRefusal::Replay { pcr, replayed: Digest::ZERO, quoted: value });
            }
            None => {}
        }
    }
    let replayed =
        Replayed { pcr11: replayed.get(11).copied().flatten().unwrap_or_default(), log, quoted, phases };
    if replayed.applications().is_empty() {
        return Err(BootRefusal::BootNotMeasured(Unmeasured::NoApplication));
    }
    Ok(replayed)
}

/// EVE's PR 6162: firmware lists a bank that it does not extend.
fn is_empty_bank(quoted: &PcrValues, log: &EventLog) -> bool {
    let zero = |digest: Option<Digest>| digest.is_none_or(|digest| digest == Digest::ZERO);
    let never_quoted = (0..8).all(|pcr| zero(quoted.get(pcr)));
    let never_logged = log.events.iter().filter(|event| event.is_measured()).all(|event| zero(event.sha256));
    never_quoted || never_logged
}

/// The phases that lead from one value of PCR 11 to the other, if any do.
fn phases_between(from: Digest, to: Digest) -> Option<&'static [&'static str]> {
    [PHASES, PHASES_WITHOUT_INITRD].into_iter().find_map(|phases| {
        let mut value = from;
        let last = phases.iter().position(|phase| {
            value = value.extend(Digest::of(phase.as_bytes()));
            value == to
        })?;
        phases.get(..=last)
    })
}
