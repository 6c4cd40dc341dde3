//! The firmware's own state from a replayed log. Event types are not proven: an attacker could measure a pretty variable
//! later and relabel the true one. The first value that went into a PCR is the firmware's, and cannot be preceded.

use std::fmt;

use super::replayed::Replayed;
use crate::eventlog::{Event, EventKind, Reading};

const DEBUG_MODE: &[u8] = b"UEFI Debug Mode";

/// The firmware's Secure Boot, from the beginning of PCR 7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SecureBoot {
    /// Enforced.
    On,
    /// Off, or in setup mode.
    Off,
    /// PCR 7 was not quoted, or does not begin as the specification says.
    NotProven,
}

impl fmt::Display for SecureBoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::On => "on",
            Self::Off => "off",
            Self::NotProven => "not proven",
        })
    }
}

/// PFP 1.06, 3.3.4.8: PCR 7 begins with the variable SecureBoot, or with the note that a debugger is enabled.
pub(super) fn secure_boot(replayed: &Replayed<'_>) -> SecureBoot {
    let is_debug_note = |event: &Event| event.data == DEBUG_MODE && event.data_is_measured();
    let first = replayed.events(7).map(|(_, event)| event).find(|event| !is_debug_note(event));
    let Some(first) = first.filter(|event| event.data_is_measured()) else { return SecureBoot::NotProven };
    match first.reading().global_variable("SecureBoot") {
        Some([1]) => SecureBoot::On,
        Some([0] | []) => SecureBoot::Off,
        _ => SecureBoot::NotProven,
    }
}

/// PFP 1.06, 3.3.4.1: PCR 0 begins with the version of the firmware.
pub(super) fn firmware(replayed: &Replayed<'_>) -> Option<String> {
    let (_, first) = replayed.events(0).next()?;
    match first.reading() {
        Reading::CrtmVersion(version)
            if first.kind == EventKind::S_CRTM_VERSION && first.data_is_measured() =>
        {
            Some(version).filter(|version| !version.is_empty())
        }
        _ => None,
    }
}
