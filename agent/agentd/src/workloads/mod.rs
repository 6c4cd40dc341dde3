//! What the host is to run: fetched from the provisioner, kept on disk, carried out, reported; and the tunnel inwards.
//!
//! On a thread of its own, apart from attestation and heartbeats ([`crate::service`]): whatever stands still here, the host stays
//! known as alive.

pub mod access;
pub mod tunnel;
