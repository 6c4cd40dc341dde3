//! Network boot protocols as values: PXE's reading of DHCPv4 ([`dhcp`]), the TFTP transfer machine ([`tftp`]),
//! iPXE scripts ([`script`]) and the names that firmware may ask for ([`bootfile`]).
//!
//! What it is not: there is no socket, file, clock or randomness here, and no decision about who boots what.
//! `cairn-netboot` calls it with bytes from the network; every parser is bounded, returns an error and never panics.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

pub mod bootfile;
pub mod dhcp;
mod identity;
pub mod script;
mod text;
pub mod tftp;

pub use identity::{BadMac, Mac, MachineUuid};
pub use text::printable;
