//! TPMS_ATTEST: a statement that a TPM signed. Opens the envelope that quotes and certifications share; what is inside is
//! judged by `quote` and `certify`. The signature is checked first, so nothing unsigned is ever read.

use crate::ak::{AkPublic, SignatureRefusal};
use crate::wire::{Malformed, Reader};

/// TPM_GENERATED_VALUE: every statement of a TPM begins with it, and a restricted key signs nothing else that does.
const MAGIC: u32 = 0xff54_4347;
/// A nonce shorter than this could be met twice.
const NONCE_MIN: usize = 16;

/// A signed statement as it came from a host.
#[derive(Debug, Clone, Copy)]
pub struct Statement<'a> {
    /// TPMS_ATTEST, without a TPM2B size.
    pub message: &'a [u8],
    /// TPMT_SIGNATURE over it.
    pub signature: &'a [u8],
}

/// The TPM's clock at the time of a statement (TPMS_CLOCK_INFO, Part 2, 10.11.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// Milliseconds that this TPM has been powered, over its life.
    pub milliseconds: u64,
    /// TPM resets: a new value is a new boot.
    pub resets: u32,
    /// Restarts and resumes since the last reset.
    pub restarts: u32,
    /// False when the clock may have been ahead before: power was cut.
    pub safe: bool,
}

/// Why a statement is not believed, whatever it states.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementRefusal {
    /// Not signed by this attestation key.
    #[error("the statement is not signed by the attestation key")]
    Signature(#[from] SignatureRefusal),
    /// Not made inside a TPM.
    #[error("the statement was not made by a tpm: it begins with {0:#010x}")]
    Magic(u32),
    /// Of another kind, for instance a certification in the place of a quote.
    #[error("the statement is of kind {found:#06x}, not {demanded:#06x}")]
    Kind {
        /// TPM_ST_ATTEST value that was asked for.
        demanded: u16,
        /// And the one that came.
        found: u16,
    },
    /// Made for another challenge: replayed, or late.
    #[error("the statement does not carry the nonce of this challenge")]
    Nonce,
    /// The verifier's own nonce is too short to prove freshness.
    #[error("a nonce of {0} bytes proves no freshness")]
    WeakNonce(usize),
    /// Signed, but not readable.
    #[error("the statement is malformed")]
    Malformed(#[from] Malformed),
}

/// An opened statement: `body` stands at TPMU_ATTEST.
pub(crate) struct Attest<'a> {
    pub(crate) clock: Clock,
    pub(crate) firmware_version: u64,
    pub(crate) body: Reader<'a>,
}

/// Checks signature, magic, kind and nonce, in this order, and opens the statement.
pub(crate) fn open<'a>(
    statement: &Statement<'a>,
    ak: &AkPublic,
    kind: u16,
    nonce: &[u8],
) -> Result<Attest<'a>, StatementRefusal> {
    if nonce.len() < NONCE_MIN {
        return Err(StatementRefusal::WeakNonce(nonce.len()));
    }
    ak.verify(statement.message, statement.signature)?;
    let mut reader = Reader::new(statement.message);
    let magic = reader.u32("magic")?;
    if magic != MAGIC {
        return Err(StatementRefusal::Magic(magic));
    }
    let found = reader.u16("statement kind")?;
    if found != kind {
        return Err(StatementRefusal::Kind { demanded: kind, found });
    }
    reader.sized(68, "qualified signer")?;
    if reader.sized(66, "extra data")? != nonce {
        return Err(StatementRefusal::Nonce);
    }
    let clock = read_clock(&mut reader)?;
    let firmware_version = reader.u64("firmware version")?;
    Ok(Attest { clock, firmware_version, body: reader })
}

fn read_clock(reader: &mut Reader<'_>) -> Result<Clock, Malformed> {
    let (milliseconds, resets, restarts) =
        (reader.u64("clock")?, reader.u32("reset count")?, reader.u32("restart count")?);
    let safe = match reader.u8("clock safe")? {
        0 => false,
        1 => true,
        other => return Err(Malformed::Unexpected { field: "clock safe", value: other.into() }),
    };
    Ok(Clock { milliseconds, resets, restarts, safe })
}
