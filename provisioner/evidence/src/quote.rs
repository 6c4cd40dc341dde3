//! TPM2_Quote: what this TPM's PCRs held, and when (attestation rule 8). Says nothing of what the values mean: that is
//! `appraise`, which takes what is proven here.

use crate::ak::AkPublic;
use crate::attest::{self, Clock, Statement, StatementRefusal};
use crate::pcr::{self, NoSuchPcr, PcrSet, PcrValues};
use crate::public::Name;
use crate::wire::Malformed;
use crate::{Digest, Proven};

const ST_ATTEST_QUOTE: u16 = 0x8018;

/// What the verifier asked for.
#[derive(Debug, Clone, Copy)]
pub struct Demand<'a> {
    /// Fresh random bytes of this challenge, at least 16.
    pub nonce: &'a [u8],
    /// The PCRs to be quoted, of the SHA-256 bank.
    pub pcrs: PcrSet,
}

/// What a quote proves: these PCR values, in the TPM of this key, at this time of its clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quoted {
    /// The key that signed.
    pub ak: Name,
    /// Exactly the demanded PCRs.
    pub pcrs: PcrValues,
    /// The TPM's clock.
    pub clock: Clock,
    /// The TPM's firmware, in its vendor's numbering.
    pub firmware_version: u64,
}

/// Why a quote proves nothing: one variant for each check.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuoteRefusal {
    /// Signature, magic, kind or nonce is wrong.
    #[error(transparent)]
    Statement(#[from] StatementRefusal),
    /// Other PCRs or banks than demanded (CVE-2022-0317, CVE-2024-29039).
    #[error("the quote does not select the demanded pcrs")]
    Selection,
    /// The host did not report a value that it quoted.
    #[error("a quoted value was not reported")]
    Unreported(#[source] NoSuchPcr),
    /// The reported values are not those that were quoted.
    #[error("the reported pcr values are not the quoted ones")]
    Values,
}

impl From<Malformed> for QuoteRefusal {
    fn from(cause: Malformed) -> Self {
        Self::Statement(StatementRefusal::Malformed(cause))
    }
}

/// Checks a quote by `ak` against what was demanded and the PCR values that the host reported beside it.
pub fn verify(
    quote: &Statement<'_>,
    ak: &AkPublic,
    demand: &Demand<'_>,
    reported: &PcrValues,
) -> Result<Proven<Quoted>, QuoteRefusal> {
    let mut attest = attest::open(quote, ak, ST_ATTEST_QUOTE, demand.nonce)?;
    let selection = pcr::read_selection(&mut attest.body)?;
    let digest = attest.body.sized(64, "pcr digest")?;
    attest.body.finish()?;
    // An empty demand would be met by a quote over nothing.
    if demand.pcrs.is_empty() || !pcr::selects_exactly(&selection, demand.pcrs) {
        return Err(QuoteRefusal::Selection);
    }
    let Digest(expected) = reported.digest(demand.pcrs).map_err(QuoteRefusal::Unreported)?;
    if digest != expected {
        return Err(QuoteRefusal::Values);
    }
    Ok(Proven::new(Quoted {
        ak: ak.name(),
        pcrs: reported.only(demand.pcrs),
        clock: attest.clock,
        firmware_version: attest.firmware_version,
    }))
}

/// What lies between two statements of one TPM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// The same boot went on.
    SameBoot,
    /// The machine has been reset.
    Rebooted,
}

/// Why two statements cannot be of one TPM in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClockRefusal {
    /// Fewer resets than before.
    #[error("the tpm's reset count went backwards from {before} to {now}")]
    Resets {
        /// At the earlier statement.
        before: u32,
        /// At this one.
        now: u32,
    },
    /// Fewer restarts than before within one boot.
    #[error("the tpm's restart count went backwards from {before} to {now} within a boot")]
    Restarts {
        /// At the earlier statement.
        before: u32,
        /// At this one.
        now: u32,
    },
    /// An earlier time than before within one boot.
    #[error("the tpm's clock went backwards from {before} ms to {now} ms within a boot")]
    Milliseconds {
        /// At the earlier statement.
        before: u64,
        /// At this one.
        now: u64,
    },
}

/// Compares the clock of a statement with an earlier one of the same attestation key.
pub fn since(before: &Clock, now: &Clock) -> Result<Since, ClockRefusal> {
    if backwards(before.resets, now.resets) {
        return Err(ClockRefusal::Resets { before: before.resets, now: now.resets });
    }
    if before.resets != now.resets {
        return Ok(Since::Rebooted);
    }
    if backwards(before.restarts, now.restarts) {
        return Err(ClockRefusal::Restarts { before: before.restarts, now: now.restarts });
    }
    if now.milliseconds < before.milliseconds {
        return Err(ClockRefusal::Milliseconds { before: before.milliseconds, now: now.milliseconds });
    }
    Ok(Since::SameBoot)
}

/// A TPM adds a constant to the counts that a key outside the endorsement hierarchy signs (Part 1, 36.7), so they may wrap:
/// they are compared as distances.
fn backwards(before: u32, now: u32) -> bool {
    now.wrapping_sub(before) > u32::MAX / 2
}
