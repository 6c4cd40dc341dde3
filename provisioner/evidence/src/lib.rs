//! TPM evidence, parsed and verified: keys, credentials, quotes, certifications, EK chains, event logs.
//!
//! Pure: no I/O, no clock, no randomness; nonces, seeds and times are arguments, so stored evidence can be judged again
//! later from its bytes. Called by the trust service; `domain` receives what it returns.
//!
//! ```text
//! EkPublic --verify_chain--> Proven<EkEndorsement>        which TPM this is
//! AkPublic --credential----> a secret that comes back     this key lives in that TPM
//!          --quote---------> Proven<Quoted>               these PCR values, now: the identity is proven
//!                               `--appraise(event log, references)--> Proven<BootReport>    and so is the boot
//!          --certify-------> Proven<TlsKey>               this TLS key lives there too
//! ```
//! A quote that is refused refuses the identity. A boot that is refused leaves the `Proven<Quoted>` in the caller's hands.

#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

pub mod ak;
pub mod appraise;
mod attest;
pub mod certify;
pub mod credential;
mod digest;
pub mod ek;
pub mod eventlog;
pub mod pcr;
mod proven;
mod public;
pub mod quote;
mod wire;

pub use ak::AkPublic;
pub use appraise::appraise;
pub use attest::{Clock, Statement, StatementRefusal};
pub use digest::Digest;
pub use ek::EkPublic;
pub use proven::Proven;
pub use public::Name;
pub use wire::Malformed;
