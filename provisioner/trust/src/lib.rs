//! A host proves itself: the site's keys and CA, and the attestation service.
//!
//! ```text
//!  installer / agent --hello--> Attestation::connection().hello()    EK chain -> challenge (MakeCredential)
//!                    --evidence-> .evidence()   activation, AK, quote, log, PCR 4 and 11 -> Verdict
//!  installer --wiped--> Attestation::wiped()      plan, AK, quote, report -> the host is retired
//!                                  |  facts go to the driver; plans and certificates leave only after its answer
//! ```
//! The only crate that releases a secret (invariant 8 of ARCHITECTURE.md). Not here: what state a host is in (domain),
//! how evidence is checked (cairn-evidence).

pub mod attestation;
mod bounded;
pub mod ca;
mod clocks;
pub mod keys;
pub mod plan;
pub mod roots;
mod session;
pub mod wipe;

pub use attestation::Attestation;
pub use clocks::Clocks;
pub use keys::SiteKeys;
