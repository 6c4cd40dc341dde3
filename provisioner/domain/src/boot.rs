//! What a machine that asks for a boot file gets.

use crate::{
    host::{State, Why},
    model::Network,
};

/// The answer to a network-booting machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The public, signed installer: it lets the machine prove itself, and gives nothing.
    Installer,
    /// Boot from the disk, in the way its firmware understands.
    LocalDisk,
    /// An address and no boot file, for this reason.
    AddressOnly(Why),
}

/// Decides by policy and by the state of the record, `None` for a machine that matches none.
pub fn answer(state: Option<&State>, network: Network) -> Answer {
    match state {
        Some(_) if network == Network::Deny => Answer::AddressOnly(Why::NetworkDenied),
        None
        | Some(
            State::Pending
            | State::Registered
            | State::Booting { .. }
            | State::Attesting { .. }
            | State::Installing { .. }
            | State::Retiring { .. }
            | State::Wiping { .. }
            // The machine is nobody's again.
            | State::Retired { .. },
        ) => Answer::Installer,
        Some(State::FirstBoot { .. } | State::Running { .. } | State::Silent { .. }) => Answer::LocalDisk,
        Some(State::Failed { why: Why::FirstBootSilent }) => Answer::LocalDisk,
        Some(State::Quarantined { why } | State::Failed { why }) => Answer::AddressOnly(why.clone()),
    }
}
