//! What the TPM says about itself without proof: maker, firmware, handles in use.

use super::command::{Command, Response, Returns};
use super::wire::{Short, Writer};
use super::{Code, Tpm, TpmError, malformed};

/// TPM_CAP (Part 2, 6.12).
#[derive(Debug, Clone, Copy)]
#[repr(u32)]
pub(super) enum Capability {
    Handles = 1,
    Properties = 6,
}

/// More handles than a TPM lists in one answer (254).
pub(super) const MAX_HANDLES: u32 = 256;
/// TPM2_PT_MANUFACTURER to TPM2_PT_FIRMWARE_VERSION_2.
const MANUFACTURER: u32 = 0x105;
const VENDOR_STRINGS: std::ops::RangeInclusive<u32> = 0x106..=0x109;
const FIRMWARE: [u32; 2] = [0x10B, 0x10C];

/// Fixed properties, as claimed. Nothing here is signed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties {
    /// TCG vendor id as text, e.g. `IFX`, `STM`, `IBM`.
    pub manufacturer: String,
    /// The vendor strings joined, e.g. `SW   TPM`.
    pub vendor: String,
    /// TPM2_PT_FIRMWARE_VERSION_1 in the high half, _2 in the low.
    pub firmware: u64,
}

impl Tpm {
    /// Reads the fixed properties.
    ///
    /// # Errors
    /// As any verb.
    pub fn properties(&self) -> Result<Properties, TpmError> {
        let answer = self.capability(Capability::Properties, MANUFACTURER, 8)?;
        let mut properties = Properties::default();
        for (tag, value) in answer.properties()? {
            match tag {
                MANUFACTURER => properties.manufacturer = text(value),
                tag if VENDOR_STRINGS.contains(&tag) => properties.vendor.push_str(&text(value)),
                tag if tag == FIRMWARE[0] => properties.firmware |= u64::from(value) << 32,
                tag if tag == FIRMWARE[1] => properties.firmware |= u64::from(value),
                _ => {}
            }
        }
        Ok(properties)
    }

    pub(super) fn capability(
        &self,
        capability: Capability,
        first: u32,
        count: u32,
    ) -> Result<Answer, TpmError> {
        let params = Writer::new().u32(capability as u32).u32(first).u32(count);
        Ok(Answer(self.run(&Command::new(Code::GetCapability).params(params), Returns::Nothing)?))
    }
}

/// An answer to TPM2_GetCapability.
pub(super) struct Answer(Response);

impl Answer {
    pub(super) fn handles(&self) -> Result<Vec<u32>, TpmError> {
        self.list(|r| r.u32())
    }

    fn properties(&self) -> Result<Vec<(u32, u32)>, TpmError> {
        self.list(|r| Ok((r.u32()?, r.u32()?)))
    }

    /// The list behind moreData and the capability number.
    fn list<T>(
        &self,
        one: impl Fn(&mut super::wire::Reader<'_>) -> Result<T, Short>,
    ) -> Result<Vec<T>, TpmError> {
        let mut r = self.0.reader();
        let mut read = || {
            r.take(1 + 4)?;
            (0..r.u32()?).map(|_| one(&mut r)).collect::<Result<Vec<T>, Short>>()
        };
        read().map_err(malformed(Code::GetCapability))
    }
}

/// Four bytes as text, without NUL and control characters.
fn text(value: u32) -> String {
    value.to_be_bytes().into_iter().map(char::from).filter(|c| c.is_ascii_graphic() || *c == ' ').collect()
}
