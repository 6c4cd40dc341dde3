//! The store as a whole: find it, list its variables, change some, write it back.

use uuid::{Uuid, uuid};

use super::variable::{Slot, Variable, array};

/// `EFI_SYSTEM_NV_DATA_FV_GUID`: the volume that holds variables.
const NV_DATA: Uuid = uuid!("fff12b8d-7696-4c8b-a985-2747075b4f50");
/// `EFI_AUTHENTICATED_VARIABLE_GUID`: the store's format.
const AUTHENTICATED: Uuid = uuid!("aaf32c78-947b-439a-a180-2e144ec37792");
/// GUID 16, Size 4, Format 1, State 1, Reserved 6.
const STORE_HEADER: usize = 28;
/// Format and state of a healthy store.
const FORMATTED_HEALTHY: [u8; 2] = [0x5a, 0xfe];

/// Why bytes are not a usable variable store.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum VarsError {
    /// The file is not an OVMF variable volume, or a cut one.
    #[error("not an OVMF variable store: {0}")]
    NotAStore(&'static str),
    /// The variables take more bytes than the store has.
    #[error("{needed} bytes of variables do not fit into {room}")]
    Full {
        /// Bytes to be written.
        needed: usize,
        /// Bytes there are.
        room: usize,
    },
}

/// An editable copy of a variable store.
#[derive(Debug, Clone)]
pub struct VarStore {
    image: Vec<u8>,
    /// Where variables start and end within `image`.
    range: std::ops::Range<usize>,
    variables: Vec<Variable>,
}

impl VarStore {
    /// Reads the bytes of an `OVMF_VARS*.fd`.
    pub fn parse(image: Vec<u8>) -> Result<Self, VarsError> {
        let range = locate(&image)?;
        let mut variables = Vec::new();
        let mut rest = image.get(range.clone()).unwrap_or_default();
        while let Some(slot) = Variable::read(rest) {
            let taken = match slot {
                Slot::Dead(taken) => taken,
                Slot::Live(variable, taken) => {
                    variables.push(variable);
                    taken
                }
            };
            rest = rest.get(taken..).unwrap_or_default();
        }
        Ok(Self { image, range, variables })
    }

    /// All variables in the order of the store.
    #[must_use]
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// One variable.
    #[must_use]
    pub fn get(&self, vendor: Uuid, name: &str) -> Option<&Variable> {
        self.variables.iter().find(|variable| variable.vendor == vendor && variable.name == name)
    }

    /// Adds a variable, or replaces the one of the same name.
    pub fn set(&mut self, variable: Variable) {
        self.variables.retain(|other| (other.vendor, &other.name) != (variable.vendor, &variable.name));
        self.variables.push(variable);
    }

    /// The bytes of the file. Deleted variables do not come back.
    pub fn to_bytes(&self) -> Result<Vec<u8>, VarsError> {
        let room = self.range.len();
        let mut bytes = Vec::new();
        for variable in &self.variables {
            bytes.extend(variable.write().ok_or(VarsError::Full { needed: usize::MAX, room })?);
        }
        if bytes.len() > room {
            return Err(VarsError::Full { needed: bytes.len(), room });
        }
        // Erased flash is ones.
        bytes.resize(room, 0xff);
        let mut image = self.image.clone();
        image.splice(self.range.clone(), bytes);
        Ok(image)
    }
}

fn locate(image: &[u8]) -> Result<std::ops::Range<usize>, VarsError> {
    const CUT: VarsError = VarsError::NotAStore("it is cut");
    let guid = |offset| array(image, offset).map(Uuid::from_bytes_le).ok_or(CUT);
    if guid(16)? != NV_DATA || array(image, 40) != Some(*b"_FVH") {
        return Err(VarsError::NotAStore("no variable volume at its start"));
    }
    let header = usize::from(u16::from_le_bytes(array(image, 48).ok_or(CUT)?));
    if guid(header)? != AUTHENTICATED {
        return Err(VarsError::NotAStore("not the authenticated format"));
    }
    let size = u32::from_le_bytes(array(image, header + 16).ok_or(CUT)?);
    if array(image, header + 20) != Some(FORMATTED_HEALTHY) {
        return Err(VarsError::NotAStore("not formatted, or not healthy"));
    }
    let end = usize::try_from(size).ok().and_then(|size| header.checked_add(size)).ok_or(CUT)?;
    let start = header + STORE_HEADER;
    if start > end || end > image.len() {
        return Err(CUT);
    }
    Ok(start..end)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::vars::GLOBAL;
    use proptest::prelude::*;

    /// A store of 64 KiB with the headers of Debian's OVMF_VARS_4M.fd (bytes 0x10..0x64 of it, the size changed).
    pub(in crate::vars) fn blank() -> Vec<u8> {
        let mut image = vec![0; 16];
        image.extend(NV_DATA.to_bytes_le());
        image.extend(0x84000u64.to_le_bytes());
        image.extend(b"_FVH\xff\xfe\x04\x00\x48\x00\xaf\xb8\x00\x00\x00\x02\x84\x00\x00\x00\x00\x10\x00\x00");
        image.extend([0; 8]);
        assert_eq!(image.len(), 0x48);
        image.extend(AUTHENTICATED.to_bytes_le());
        image.extend(0x10000u32.to_le_bytes());
        image.extend([0x5a, 0xfe, 0, 0, 0, 0, 0, 0]);
        image.resize(0x48 + 0x10000 + 0x1000, 0xff);
        image
    }

    fn order(data: &[u8]) -> Variable {
        Variable { name: "BootOrder".into(), vendor: GLOBAL, attributes: 7, time: [0; 16], data: data.into() }
    }

    #[test]
    fn what_is_set_is_read_back_and_nothing_else_moves() {
        let mut store = VarStore::parse(blank()).unwrap();
        assert!(store.variables().is_empty());
        store.set(order(&[1, 0, 2]));
        store.set(order(&[2, 0, 1, 0, 5]));
        let bytes = store.to_bytes().unwrap();
        let again = VarStore::parse(bytes.clone()).unwrap();
        assert_eq!(again.variables(), [order(&[2, 0, 1, 0, 5])]);
        assert_eq!(again.get(GLOBAL, "BootOrder"), Some(&order(&[2, 0, 1, 0, 5])));
        assert_eq!(bytes.len(), blank().len());
        assert_eq!(bytes.get(..0x64), blank().get(..0x64));
    }

    #[test]
    fn deleted_variables_are_skipped() {
        let mut store = VarStore::parse(blank()).unwrap();
        store.set(order(&[1]));
        store.set(Variable { name: "Kept".into(), ..order(&[2]) });
        let mut bytes = store.to_bytes().unwrap();
        bytes[0x64 + 2] = 0x3c;
        assert_eq!(VarStore::parse(bytes).unwrap().variables().len(), 1);
    }

    #[test]
    fn a_full_store_says_so() {
        let mut store = VarStore::parse(blank()).unwrap();
        store.set(order(&vec![0; 0x10000]));
        assert!(matches!(store.to_bytes(), Err(VarsError::Full { .. })));
    }

    #[test]
    fn the_store_that_debian_ships_is_understood() {
        let Ok(image) = std::fs::read("/usr/share/OVMF/OVMF_VARS_4M.fd") else {
            eprintln!("skipped: ovmf is not installed");
            return;
        };
        let store = VarStore::parse(image.clone()).unwrap();
        assert!(store.variables().is_empty());
        assert_eq!(store.to_bytes().unwrap(), image);
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic(at in 0usize..0x2000, junk in proptest::collection::vec(any::<u8>(), 1..200)) {
            let mut store = VarStore::parse(blank()).unwrap();
            store.set(order(&[1; 64]));
            store.set(Variable { name: "Other".into(), ..order(&[2; 3000]) });
            let mut bytes = store.to_bytes().unwrap();
            let end = at + junk.len();
            bytes.splice(at..end, junk);
            if let Ok(store) = VarStore::parse(bytes) {
                let _ = store.to_bytes();
            }
        }
    }
}
