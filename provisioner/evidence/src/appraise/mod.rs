//! What a host booted, judged: a proven quote, the host's event log and our reference values (attestation rules 9, 11, 12).
//!
//! ```text
//! Proven<Quoted> --.
//! log bytes -------+-- replayed: does the log end in the quoted PCRs?  --+-- compare: is it one of our images?
//!                                                                        '-- state: Secure Boot, firmware
//! ```
//! Nothing here can unprove an identity: the caller holds the `Proven<Quoted>` whatever the answer is.

mod compare;
mod replayed;
mod state;

pub use compare::Mismatch;
pub use state::SecureBoot;

use crate::eventlog::LogRefusal;
use crate::pcr::PcrSet;
use crate::quote::Quoted;
use crate::{Digest, Proven};

/// The PCRs without which no boot is believed: the applications, the UKI's sections, and what was passed to the UKI from
/// outside: with Secure Boot off, systemd-stub takes a foreign command line into PCR 12, and always foreign credentials
/// into 12 and system extensions into 13.
const REQUIRED: PcrSet = PcrSet::of(&[4, 11, 12, 13]);

/// What a host that booted one of our images reports: computed from the image, never recorded from a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootReference {
    /// The image, for people.
    pub name: String,
    /// Authenticode SHA-256 of each EFI application in the order of its start: the UKI, and its kernel where the firmware
    /// measures that too (EDK2 does so only without Secure Boot: give one reference for each case).
    pub boot_apps: Vec<[u8; 32]>,
    /// PCR 11 when the kernel takes over.
    pub pcr11: [u8; 32],
    /// The UKI's measured sections in order, each with the SHA-256 of its content: used to name the section that differs.
    pub pcr11_sections: Vec<(String, [u8; 32])>,
    /// PCR 12: all zero where nothing is passed to the UKI beside its own sections, which is the usual case.
    pub pcr12: [u8; 32],
}

/// An EFI application that was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// Its Authenticode SHA-256: proven.
    pub digest: Digest,
    /// Where the firmware says it came from: not proven.
    pub description: String,
}

/// What a host booted. Proven, but for the descriptions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootReport {
    /// The name of the reference that it equals.
    pub reference: String,
    /// In order.
    pub applications: Vec<Application>,
    /// The firmware's Secure Boot.
    pub secure_boot: SecureBoot,
    /// The firmware's version, if PCR 0 was quoted and begins with it.
    pub firmware: Option<String>,
    /// The boot phases that the OS's systemd has measured into PCR 11 since.
    pub phases: &'static [&'static str],
}

/// Why a boot is not measured at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unmeasured {
    /// The host has no event log.
    #[error("the firmware gave no event log")]
    NoLog,
    /// The log is true, but no EFI application is in it: legacy BIOS.
    #[error("the firmware started no efi application")]
    NoApplication,
}

/// Why a boot is not believed. The identity stays proven.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BootRefusal {
    /// The verifier did not demand this PCR: the caller's fault.
    #[error("pcr {0} was not quoted, and no boot is believed without it")]
    NotQuoted(u8),
    /// This machine cannot prove what it booted, as with legacy BIOS.
    #[error("the boot was not measured")]
    BootNotMeasured(#[source] Unmeasured),
    /// The log cannot be read.
    #[error("the event log is unreadable")]
    Log(#[from] LogRefusal),
    /// The log has SHA-1 digests only, which prove nothing any more.
    #[error("the event log has sha-1 digests only")]
    Sha1Only,
    /// The log has no SHA-256 digests.
    #[error("the event log has no sha-256 digests")]
    NoSha256,
    /// The firmware never extended the bank that the TPM has: its zeros would be equal on every machine.
    #[error("the sha-256 bank is listed but was never extended")]
    EmptyBank,
    /// The log does not tell what the TPM was told: altered, or incomplete.
    #[error("the event log replays to {replayed} in pcr {pcr}, quoted is {quoted}")]
    Replay {
        /// Which PCR.
        pcr: u8,
        /// What the log ends in.
        replayed: Digest,
        /// What the TPM signed.
        quoted: Digest,
    },
    /// There is nothing to compare with: no image is approved for this host.
    #[error("no reference is given for this boot")]
    NoReference,
    /// Something else was booted than what we made.
    #[error(transparent)]
    Mismatch(#[from] Box<Mismatch>),
}

/// Judges the boot that a proven quote shows. `log` is what the host sent, if it has one; any one of `references` may
/// match, but only as a whole. A mismatch is told against the reference that fits furthest.
pub fn appraise(
    quoted: &Proven<Quoted>,
    log: Option<&[u8]>,
    references: &[BootReference],
) -> Result<Proven<BootReport>, BootRefusal> {
    if let Some(pcr) = REQUIRED.iter().find(|pcr| quoted.pcrs.get(*pcr).is_none()) {
        return Err(BootRefusal::NotQuoted(pcr));
    }
    let replayed = replayed::replay(&quoted.pcrs, log)?;
    let reference = compare::find(&replayed, references)?;
    Ok(Proven::new(BootReport {
        reference: reference.name.clone(),
        applications: replayed.applications(),
        secure_boot: state::secure_boot(&replayed),
        firmware: state::firmware(&replayed),
        phases: replayed.phases,
    }))
}
