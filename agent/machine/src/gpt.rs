//! Reads a GPT: which partition of a disk is which (UEFI 2.10, 5.3). Writing one is [`crate::layout`]'s.

use uuid::Uuid;

use crate::layout::crc32;

/// More entries, or larger ones, than any tool makes are not read.
const MAX_ENTRIES: usize = 256;
const MAX_ENTRY: usize = 512;
/// Enough of the disk's beginning for [`parse`], for blocks of 512 and of 4096 bytes.
pub const READ: usize = 2 * 4096 + MAX_ENTRIES * 128;

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// From 1, as in the device's name.
    pub number: usize,
    /// Its type's GUID.
    pub kind: Uuid,
    /// Its own GUID.
    pub guid: Uuid,
    /// Its name.
    pub name: String,
}

/// Reads the primary table from the first [`READ`] bytes of a disk; `None` unless header and entries are sound.
#[must_use]
pub fn parse(disk: &[u8]) -> Option<Vec<Partition>> {
    [512, 4096].into_iter().find_map(|block| parse_with(disk, block))
}

fn parse_with(disk: &[u8], block: usize) -> Option<Vec<Partition>> {
    let header = disk.get(block..)?;
    let word = |at: usize| Some(u32::from_le_bytes(header.get(at..at.checked_add(4)?)?.try_into().ok()?));
    let size = usize::try_from(word(12)?).ok().filter(|n| (92..=512).contains(n))?;
    let mut summed = header.get(..size)?.to_vec();
    summed.get_mut(16..20)?.fill(0);
    if !header.starts_with(b"EFI PART") || crc32(&summed) != word(16)? {
        return None;
    }
    let first = u64::from_le_bytes(header.get(72..80)?.try_into().ok()?);
    let count = usize::try_from(word(80)?).ok().filter(|n| *n <= MAX_ENTRIES)?;
    let each = usize::try_from(word(84)?).ok().filter(|n| (128..=MAX_ENTRY).contains(n))?;
    let start = usize::try_from(first).ok()?.checked_mul(block)?;
    let table = disk.get(start..start.checked_add(count.checked_mul(each)?)?)?;
    if crc32(table) != word(88)? {
        return None;
    }
    let parts = table.chunks_exact(each).enumerate().filter_map(|(i, entry)| partition(i + 1, entry));
    Some(parts.collect())
}

/// `None` for an empty entry.
fn partition(number: usize, entry: &[u8]) -> Option<Partition> {
    let guid = |at: usize| Some(Uuid::from_bytes_le(entry.get(at..at.checked_add(16)?)?.try_into().ok()?));
    let kind = guid(0)?;
    if kind.is_nil() {
        return None;
    }
    let units = entry.get(56..128)?.chunks_exact(2).filter_map(|c| c.try_into().ok()).map(u16::from_le_bytes);
    let name = char::decode_utf16(units.take_while(|u| *u != 0)).map(|c| c.unwrap_or('?')).collect();
    Some(Partition { number, kind, guid: guid(16)?, name })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{Layout, tests::image};
    use cairn_contract::InstallId;
    use proptest::prelude::*;

    fn disk(block: u32) -> Vec<u8> {
        let layout = Layout::new(&image(), InstallId(Uuid::from_u128(7)), 64 << 20, block).unwrap();
        let mut bytes = layout.tables().primary;
        bytes.resize(READ, 0);
        bytes
    }

    #[test]
    fn what_the_installer_wrote_is_found() {
        for block in [512, 4096] {
            let parts = parse(&disk(block)).unwrap();
            let names: Vec<_> = parts.iter().map(|p| (p.number, p.name.as_str())).collect();
            assert_eq!(names, [(1, "esp"), (2, "root-a"), (3, "root-b"), (4, "data")]);
        }
    }

    #[test]
    fn an_altered_bit_makes_the_table_unsound() {
        for at in [512 + 10, 512 + 40, 1024 + 3, 1024 + 130] {
            let mut bytes = disk(512);
            bytes[at] ^= 1;
            assert_eq!(parse(&bytes), None, "at {at}");
        }
    }

    proptest! {
        #[test]
        fn tables_never_panic(changes in proptest::collection::vec((512usize..700, any::<u8>()), 0..8), cut in 0usize..READ) {
            let mut bytes = disk(512);
            for (at, value) in changes {
                bytes[at] = value;
            }
            bytes.truncate(cut);
            let _ = parse(&bytes);
        }
    }
}
