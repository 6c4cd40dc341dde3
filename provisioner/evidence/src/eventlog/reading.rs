//! What an event says, typed, and in words for people. Words from a host are cut and cleaned: they go to a timeline.

use std::fmt;

use super::{Event, EventKind};
use crate::wire::{Malformed, Reader};

const TEXT_MAX: usize = 160;
/// EFI_GLOBAL_VARIABLE, the vendor of SecureBoot, PK and KEK.
const GLOBAL_VARIABLE: Guid = Guid(*b"\x61\xdf\xe4\x8b\xca\x93\xd2\x11\xaa\x0d\x00\xe0\x98\x03\x2b\x8c");

/// A GUID in its byte order on disk; shown in the usual mixed order.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Guid(pub [u8; 16]);

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g, h, i, rest @ ..] = self.0;
        let (first, second) = (u32::from_le_bytes([a, b, c, d]), u16::from_le_bytes([e, g]));
        write!(f, "{first:08x}-{second:04x}-{:04x}-", u16::from_le_bytes([h, i]))?;
        for (place, byte) in rest.iter().enumerate() {
            write!(f, "{}{byte:02x}", if place == 2 { "-" } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What an event's data says. Not proven unless [`Event::data_is_measured`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// End of the firmware's part of a PCR.
    Separator,
    /// A fixed text of the firmware.
    Action(String),
    /// Version of the firmware.
    CrtmVersion(String),
    /// A part of the firmware in memory.
    FirmwareBlob {
        /// Address.
        base: u64,
        /// Bytes.
        length: u64,
    },
    /// A UEFI variable and its content.
    Variable {
        /// Its namespace.
        vendor: Guid,
        /// Its name.
        name: String,
        /// Its content.
        value: Vec<u8>,
    },
    /// An image that was started, and where it came from: a URI, a file, or empty.
    Application(String),
    /// A text of a boot loader, for systemd-stub the name of a section.
    Loader(String),
    /// A tagged text of the Linux EFI stub.
    Tagged(String),
    /// The locality of TPM2_Startup.
    StartupLocality(u8),
    /// The partition table of this disk.
    PartitionTable(Guid),
    /// Not read.
    Other,
}

impl Event {
    /// Reads the data; what does not have its type's shape is [`Reading::Other`].
    #[must_use]
    pub fn reading(&self) -> Reading {
        read(self).unwrap_or(Reading::Other)
    }

    /// One line for people: the type, and what the data says.
    #[must_use]
    pub fn describe(&self) -> String {
        let kind = self.kind;
        match self.reading() {
            Reading::Action(text)
            | Reading::CrtmVersion(text)
            | Reading::Application(text)
            | Reading::Loader(text)
            | Reading::Tagged(text)
                if !text.is_empty() =>
            {
                format!("{kind} {text}")
            }
            Reading::FirmwareBlob { base, length } => format!("{kind} {base:#x}+{length:#x}"),
            Reading::Variable { name, .. } => format!("{kind} {name}"),
            Reading::StartupLocality(locality) => format!("{kind} startup locality {locality}"),
            Reading::PartitionTable(disk) => format!("{kind} disk {disk}"),
            _ => kind.to_string(),
        }
    }
}

impl Reading {
    /// The content of a variable of the UEFI specification itself.
    pub(crate) fn global_variable(&self, wanted: &str) -> Option<&[u8]> {
        match self {
            Self::Variable { vendor, name, value } if *vendor == GLOBAL_VARIABLE && name == wanted => {
                Some(value)
            }
            _ => None,
        }
    }
}

fn read(event: &Event) -> Result<Reading, Malformed> {
    let mut data = Reader::new(&event.data);
    Ok(match event.kind {
        EventKind::NO_ACTION => {
            if data.array("signature")? != *b"StartupLocality\0" {
                return Ok(Reading::Other);
            }
            let locality = data.u8("locality")?;
            data.finish()?;
            Reading::StartupLocality(locality)
        }
        EventKind::SEPARATOR => Reading::Separator,
        EventKind::EFI_ACTION => Reading::Action(ascii(&event.data)),
        EventKind::S_CRTM_VERSION => Reading::CrtmVersion(version(&event.data)),
        EventKind::EFI_PLATFORM_FIRMWARE_BLOB => {
            Reading::FirmwareBlob { base: data.u64_le("base")?, length: data.u64_le("length")? }
        }
        EventKind::EFI_VARIABLE_DRIVER_CONFIG
        | EventKind::EFI_VARIABLE_BOOT
        | EventKind::EFI_VARIABLE_AUTHORITY => read_variable(data)?,
        EventKind::EFI_BOOT_SERVICES_APPLICATION => read_application(data)?,
        EventKind::IPL => Reading::Loader(loader_text(&event.data)),
        EventKind::EVENT_TAG => {
            data.take(8, "tag and length")?;
            Reading::Tagged(ascii(data.take(event.data.len().saturating_sub(8), "tagged data")?))
        }
        EventKind::EFI_GPT_EVENT => {
            data.take(56, "partition table header")?;
            Reading::PartitionTable(Guid(data.array("disk guid")?))
        }
        _ => Reading::Other,
    })
}

/// UEFI_VARIABLE_DATA (PFP 1.06, 10.4.1).
fn read_variable(mut data: Reader<'_>) -> Result<Reading, Malformed> {
    let vendor = Guid(data.array("variable vendor")?);
    let (units, bytes) = (data.u64_le("variable name length")?, data.u64_le("variable length")?);
    let units = usize::try_from(units)
        .ok()
        .filter(|units| *units <= 512)
        .ok_or(Malformed::TooLarge("variable name"))?;
    let name = utf16(data.take(units.saturating_mul(2), "variable name")?);
    let bytes = usize::try_from(bytes).map_err(|_| Malformed::TooLarge("variable"))?;
    let value = data.take(bytes, "variable")?.to_vec();
    Ok(Reading::Variable { vendor, name, value })
}

/// UEFI_IMAGE_LOAD_EVENT (PFP 1.06, 10.2.3); of the device path only the nodes that name the image.
fn read_application(mut data: Reader<'_>) -> Result<Reading, Malformed> {
    data.take(24, "image location")?;
    let length = data.u64_le("device path length")?;
    let length = usize::try_from(length).map_err(|_| Malformed::TooLarge("device path"))?;
    let mut path = Reader::new(data.take(length, "device path")?);
    let mut origin = String::new();
    while !path.is_empty() {
        let (kind, subtype) = (path.u8("node type")?, path.u8("node subtype")?);
        let length = usize::from(path.u16_le("node length")?);
        let body = path.take(
            length.checked_sub(4).ok_or(Malformed::Truncated("device path node"))?,
            "device path node",
        )?;
        match (kind, subtype) {
            (3, 24) => origin = ascii(body),
            (4, 4) => origin.push_str(&utf16(body)),
            (0x7f, _) => break,
            _ => {}
        }
    }
    Ok(Reading::Application(clean(origin.chars())))
}

/// systemd-stub writes UTF-16, GRUB and shim ASCII.
fn loader_text(data: &[u8]) -> String {
    if is_utf16(data) { utf16(data) } else { ascii(data) }
}

/// UTF-16 in EDK2, a GUID or ASCII elsewhere.
fn version(data: &[u8]) -> String {
    match data.try_into() {
        Ok(guid) if !is_utf16(data) => Guid(guid).to_string(),
        _ => loader_text(data),
    }
}

/// Latin text in UTF-16: every second byte is zero.
fn is_utf16(data: &[u8]) -> bool {
    data.len() >= 2 && data.len().is_multiple_of(2) && data.iter().skip(1).step_by(2).all(|byte| *byte == 0)
}

fn ascii(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    clean(bytes.iter().take(end).map(|byte| if byte.is_ascii() { char::from(*byte) } else { '?' }))
}

fn utf16(bytes: &[u8]) -> String {
    let units = bytes
        .chunks_exact(2)
        .map(|pair| pair.iter().rev().fold(0, |unit, byte| unit << 8 | u16::from(*byte)));
    let text = char::decode_utf16(units.take_while(|unit| *unit != 0));
    clean(text.map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)))
}

fn clean(text: impl Iterator<Item = char>) -> String {
    text.take(TEXT_MAX).map(|character| if character.is_control() { '?' } else { character }).collect()
}
