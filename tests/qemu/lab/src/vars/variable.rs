//! One authenticated variable: `AUTHENTICATED_VARIABLE_HEADER` (MdeModulePkg, `VariableFormat.h`), name, data.

use uuid::{Uuid, uuid};

/// `EFI_GLOBAL_VARIABLE`: PK, KEK, Boot####, BootOrder.
pub const GLOBAL: Uuid = uuid!("8be4df61-93ca-11d2-aa0d-00e098032b8c");

/// Start of every variable.
const START: u16 = 0x55aa;
/// `VAR_ADDED`: bits are cleared on the way to deletion.
const ADDED: u8 = 0x3f;
/// Bytes before the name: StartId 2, State 1, Reserved 1, Attributes 4, MonotonicCount 8, TimeStamp 16, PubKeyIndex 4,
/// NameSize 4, DataSize 4, VendorGuid 16.
const HEADER: usize = 60;

/// A variable as the firmware sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name, without the closing NUL.
    pub name: String,
    /// Its name space.
    pub vendor: Uuid,
    /// `EFI_VARIABLE_*` bits.
    pub attributes: u32,
    /// `EFI_TIME` of the last signed write: zero for variables that take none.
    pub time: [u8; 16],
    /// The value.
    pub data: Vec<u8>,
}

/// What stands at one place of the store.
pub(super) enum Slot {
    /// A variable in use, and the bytes it takes.
    Live(Variable, usize),
    /// A deleted or half-written one, and the bytes it takes.
    Dead(usize),
}

impl Variable {
    /// The variable at the front of `bytes`; `None` when there is none, or when it runs beyond the end.
    pub(super) fn read(bytes: &[u8]) -> Option<Slot> {
        if u16::from_le_bytes(array(bytes, 0)?) != START {
            return None;
        }
        let [state] = array(bytes, 2)?;
        let name_size = usize::try_from(u32::from_le_bytes(array(bytes, 36)?)).ok()?;
        let data_size = usize::try_from(u32::from_le_bytes(array(bytes, 40)?)).ok()?;
        let name_end = HEADER.checked_add(name_size)?;
        let end = name_end.checked_add(data_size)?;
        let (name, data) = (bytes.get(HEADER..name_end)?, bytes.get(name_end..end)?);
        let taken = end.checked_next_multiple_of(4)?;
        if state != ADDED {
            return Some(Slot::Dead(taken));
        }
        let variable = Variable {
            name: from_ucs2(name),
            vendor: Uuid::from_bytes_le(array(bytes, 44)?),
            attributes: u32::from_le_bytes(array(bytes, 4)?),
            time: array(bytes, 16)?,
            data: data.to_vec(),
        };
        Some(Slot::Live(variable, taken))
    }

    /// Its bytes in the store, padded to four. `None` when it is longer than 4 GiB.
    pub(super) fn write(&self) -> Option<Vec<u8>> {
        let name: Vec<u8> = self.name.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
        let mut bytes = START.to_le_bytes().to_vec();
        bytes.extend([ADDED, 0]);
        bytes.extend(self.attributes.to_le_bytes());
        bytes.extend(0u64.to_le_bytes());
        bytes.extend(self.time);
        bytes.extend(0u32.to_le_bytes());
        bytes.extend(u32::try_from(name.len()).ok()?.to_le_bytes());
        bytes.extend(u32::try_from(self.data.len()).ok()?.to_le_bytes());
        bytes.extend(self.vendor.to_bytes_le());
        bytes.extend(name);
        bytes.extend(&self.data);
        bytes.resize(bytes.len().next_multiple_of(4), 0xff);
        Some(bytes)
    }
}

fn from_ucs2(bytes: &[u8]) -> String {
    let units = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    let units: Vec<u16> = units.take_while(|&unit| unit != 0).collect();
    String::from_utf16_lossy(&units)
}

/// The `N` bytes at `offset`.
pub(super) fn array<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk().copied()
}
