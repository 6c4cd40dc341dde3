//! What the leaf crates hand to the driver: something happened, to whom, and what it means in words.

use std::borrow::Cow;

use cairn_contract::{Digest, HostId, Inventory, Mac};
use serde::{Deserialize, Serialize};

use crate::{host::Event, policy::TpmClass};

/// How much a person should care.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// A step of the ordinary course.
    Info,
    /// A goal reached.
    Good,
    /// Something to look at.
    Warn,
    /// Something failed or was refused.
    Bad,
}

/// One line of a timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// How much it matters.
    pub level: Level,
    /// Stable word for programs, such as `dhcp.offer` or `attest.refused`.
    pub code: Cow<'static, str>,
    /// Plain English; what a peer said in it is already escaped and cut.
    pub text: String,
}

impl Note {
    /// A note; text beyond 2000 bytes is cut, control characters become spaces.
    pub fn new(level: Level, code: impl Into<Cow<'static, str>>, text: impl AsRef<str>) -> Self {
        Self { level, code: code.into(), text: plain(text.as_ref(), 2000) }
    }
}

/// `text` without control and unseen characters and at most `max` bytes: safe on a console and in a log line.
pub fn plain(text: &str, max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(max));
    for c in text.chars() {
        if out.len() + c.len_utf8() > max {
            break;
        }
        out.push(if c.is_control() || is_unseen(c) { ' ' } else { c });
    }
    out
}

/// Zero-width and direction-changing characters (Unicode Cf): they make one text look like another.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// What a machine says of itself; its EK is proven when the claim came through attestation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// SHA-256 of the EK's SPKI.
    pub ek: Digest,
    /// The interface that reached us.
    pub boot_mac: Mac,
    /// Parts.
    pub inventory: Inventory,
    /// What the EK's certificate makes the TPM; absent where it was not looked at just now.
    pub class: Option<TpmClass>,
}

/// To whom it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A host record.
    Host(HostId),
    /// A host that shows its certificate, which stands for the EK that proved itself, and tells its parts: they are kept, and
    /// make it nobody else.
    Enrolled(HostId, Box<Inventory>),
    /// A machine seen on the wire: by address, and by SMBIOS UUID (lower case, dashes) where it said one.
    Machine {
        /// Hardware address.
        mac: Mac,
        /// SMBIOS UUID.
        uuid: Option<String>,
    },
    /// A machine whose TPM proved the EK of the claim; an unknown one becomes a pending host.
    Proven(Box<Claim>),
    /// The appliance itself.
    Site,
}

/// Something happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// To whom.
    pub subject: Subject,
    /// What it means for the host's lifecycle, if anything.
    pub event: Option<Event>,
    /// What people read; absent for what repeats all the time, such as a heartbeat.
    pub note: Option<Note>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_cannot_hide_or_turn_around() {
        assert_eq!(plain("a\u{202e}b\u{200b}c\x1b[31md\n", 100), "a b c [31md ");
        assert_eq!(plain("äöü", 3), "ä");
    }
}
