//! Where the partitions lie, and the GPT that says so (UEFI 2.10, 5.3; UAPI Discoverable Partitions Specification).
//!
//! Pure: bytes out, nothing written. Own rather than the `gpt` crate, which writes through a file in its own order;
//! here both tables are made as aligned blocks and go onto the disk last, in two writes. Tests read them with `gpt`.
//!
//! ```text
//! | MBR GPT ..1 MiB | ESP | root A | root B | data ... | GPT |
//! ```
//! Every GUID follows from the installation's id, so that writing one plan twice gives the same disk.

use cairn_contract::{ImageManifest, InstallId, Role};
use uuid::{Builder, Uuid, uuid};

/// Partitions begin at multiples of it.
pub const ALIGN: u64 = 1 << 20;
/// 128 entries of 128 bytes (the minimum that UEFI demands room for).
const ENTRIES: u32 = 128;
const ENTRY: u32 = 128;
const TABLE: usize = 128 * 128;
const HEADER: u32 = 92;

pub(crate) const ESP: Uuid = uuid!("c12a7328-f81f-11d2-ba4b-00a0c93ec93b");
pub(crate) const ROOT_X86_64: Uuid = uuid!("4f68bce3-e8cd-4db1-96e7-fbcaf984b709");
const LINUX_DATA: Uuid = uuid!("0fc63daf-8483-4772-8e79-3d69d8477de4");

/// The image does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the disk has {size} bytes, the image needs {need}")]
pub struct TooSmall {
    /// Bytes of the disk.
    pub size: u64,
    /// Bytes needed.
    pub need: u64,
}

/// A partition's place, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// What it is for.
    pub role: Role,
    /// First byte.
    pub start: u64,
    /// Bytes.
    pub len: u64,
    /// Its GUID.
    pub guid: Uuid,
}

/// The disk's partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// In disk order.
    pub places: Vec<Place>,
    guid: Uuid,
    size: u64,
    block: u64,
}

/// The bytes of both tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tables {
    /// From byte 0: protective MBR, header, entries.
    pub primary: Vec<u8>,
    /// Entries, header: ends at the disk's last byte.
    pub backup: Vec<u8>,
    /// Where `backup` begins.
    pub backup_at: u64,
}

/// GPT type, and name as people and `PARTLABEL=` see it.
fn kind(role: Role) -> (Uuid, &'static str) {
    match role {
        Role::Esp => (ESP, "esp"),
        Role::RootA => (ROOT_X86_64, "root-a"),
        Role::RootB => (ROOT_X86_64, "root-b"),
        Role::Data => (LINUX_DATA, "data"),
    }
}

/// A GUID of our own (RFC 9562, version 8) from the installation and a word.
fn guid(install: InstallId, word: &str) -> Uuid {
    let text = [b"cairn partition v1\0", install.0.as_bytes().as_slice(), word.as_bytes()].concat();
    let digest = ring::digest::digest(&ring::digest::SHA256, &text);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(digest.as_ref().first_chunk::<16>().expect("SHA-256 is 32 bytes"));
    Builder::from_custom_bytes(bytes).into_uuid()
}

impl Layout {
    /// Places the image's partitions on a disk of `size` bytes with logical blocks of `block` bytes (512 or 4096).
    ///
    /// # Errors
    /// [`TooSmall`].
    pub fn new(image: &ImageManifest, install: InstallId, size: u64, block: u32) -> Result<Self, TooSmall> {
        let need = image.disk_size();
        let too_small = TooSmall { size, need };
        // The backup table takes less than 1 MiB, the rest of which stays unused.
        let end = (size / ALIGN).saturating_sub(1) * ALIGN;
        let mut places = Vec::new();
        let mut start = ALIGN;
        for part in &image.partitions {
            let len = match part.role {
                Role::Data => end.checked_sub(start).filter(|rest| *rest >= part.size).ok_or(too_small)?,
                Role::Esp | Role::RootA | Role::RootB => part.size,
            };
            let next = start.checked_add(len).filter(|next| *next <= end).ok_or(too_small)?;
            places.push(Place { role: part.role, start, len, guid: guid(install, kind(part.role).1) });
            start = next;
        }
        Ok(Self { places, guid: guid(install, "disk"), size, block: u64::from(block) })
    }

    /// The place of a role.
    #[must_use]
    pub fn place(&self, role: Role) -> Option<Place> {
        self.places.iter().copied().find(|p| p.role == role)
    }

    /// Both tables.
    #[must_use]
    pub fn tables(&self) -> Tables {
        let entries = self.entries();
        let table_blocks = (entries.len() as u64).div_ceil(self.block);
        let last = self.size / self.block - 1;
        let backup_entries = last - table_blocks;
        let usable = (2 + table_blocks, backup_entries - 1);
        let block = usize::try_from(self.block).unwrap_or(512);

        let mut primary = self.protective_mbr();
        primary.resize(block, 0);
        primary.extend(self.header(&entries, [1, last, 2], usable));
        primary.resize(2 * block, 0);
        primary.extend_from_slice(&entries);

        let mut backup = entries.clone();
        backup.extend(self.header(&entries, [last, 1, backup_entries], usable));
        backup.resize(entries.len() + block, 0);
        Tables { primary, backup, backup_at: backup_entries * self.block }
    }

    fn entries(&self) -> Vec<u8> {
        let mut table = Vec::with_capacity(TABLE);
        for place in &self.places {
            let (kind, name) = kind(place.role);
            table.extend(kind.to_bytes_le());
            table.extend(place.guid.to_bytes_le());
            table.extend((place.start / self.block).to_le_bytes());
            table.extend(((place.start + place.len) / self.block - 1).to_le_bytes());
            table.extend(0_u64.to_le_bytes());
            let mut utf16: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
            utf16.resize(72, 0);
            table.append(&mut utf16);
        }
        table.resize(TABLE, 0);
        table
    }

    /// Own place, the other header's, the entries'; then the usable blocks.
    fn header(&self, entries: &[u8], [own, other, table]: [u64; 3], usable: (u64, u64)) -> Vec<u8> {
        let mut h = b"EFI PART".to_vec();
        h.extend(0x0001_0000_u32.to_le_bytes());
        h.extend(HEADER.to_le_bytes());
        h.extend([0; 8]); // CRC, filled in below; reserved
        h.extend(own.to_le_bytes());
        h.extend(other.to_le_bytes());
        h.extend(usable.0.to_le_bytes());
        h.extend(usable.1.to_le_bytes());
        h.extend(self.guid.to_bytes_le());
        h.extend(table.to_le_bytes());
        h.extend(ENTRIES.to_le_bytes());
        h.extend(ENTRY.to_le_bytes());
        h.extend(crc32(entries).to_le_bytes());
        let crc = crc32(&h).to_le_bytes();
        h[16..20].copy_from_slice(&crc);
        h
    }

    /// One partition of type 0xEE over the whole disk (UEFI 2.10, 5.2.3).
    fn protective_mbr(&self) -> Vec<u8> {
        let blocks = u32::try_from(self.size / self.block - 1).unwrap_or(u32::MAX);
        let mut mbr = vec![0; 446];
        mbr.extend([0, 0, 2, 0, 0xEE, 0xFF, 0xFF, 0xFF, 1, 0, 0, 0]);
        mbr.extend(blocks.to_le_bytes());
        mbr.resize(510, 0);
        mbr.extend([0x55, 0xAA]);
        mbr
    }
}

/// CRC-32 (IEEE 802.3). Bitwise: it runs over 33 KiB once.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |c, _| (c >> 1) ^ (0xEDB8_8320 & (c & 1).wrapping_neg()))
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use cairn_contract::{Digest, PartitionImage, Timestamp};
    use std::io::{Cursor, Seek, SeekFrom, Write};

    const INSTALL: InstallId = InstallId(uuid!("01234567-89ab-4def-8123-456789abcdef"));

    pub(crate) fn image() -> ImageManifest {
        let part = |role, mib: u64| PartitionImage { role, size: mib << 20, frames: vec![] };
        ImageManifest {
            name: "tiny".into(),
            version: 1,
            os_version: "1".into(),
            created: Timestamp(0),
            expires: Timestamp(1),
            blob: Digest::of(b""),
            blob_size: 0,
            partitions: vec![
                part(Role::Esp, 8),
                part(Role::RootA, 10),
                part(Role::RootB, 10),
                part(Role::Data, 2),
            ],
        }
    }

    fn check_with_gpt_crate(block: u32, lb: gpt::disk::LogicalBlockSize) {
        let size = (40 << 20) + 512 * 8;
        let layout = Layout::new(&image(), INSTALL, size, block).unwrap();
        let tables = layout.tables();
        let mut disk = Cursor::new(vec![0; usize::try_from(size).unwrap()]);
        disk.write_all(&tables.primary).unwrap();
        disk.seek(SeekFrom::Start(tables.backup_at)).unwrap();
        disk.write_all(&tables.backup).unwrap();
        assert_eq!(disk.position(), size);

        let read =
            gpt::GptConfig::new().writable(false).logical_block_size(lb).open_from_device(disk).unwrap();
        assert_eq!(read.primary_header().unwrap().disk_guid, read.backup_header().unwrap().disk_guid);
        let names: Vec<_> = read.partitions().values().map(|p| p.name.clone()).collect();
        assert_eq!(names, ["esp", "root-a", "root-b", "data"]);
        for (place, part) in layout.places.iter().zip(read.partitions().values()) {
            assert_eq!(part.bytes_start(lb).unwrap(), place.start);
            assert_eq!(part.bytes_len(lb).unwrap(), place.len);
            assert_eq!(part.part_guid, place.guid);
            assert_eq!(place.start % ALIGN, 0);
        }
        assert_eq!(layout.place(Role::Data).unwrap().len, 10 << 20);
    }

    #[test]
    fn another_reader_finds_both_tables_sound() {
        check_with_gpt_crate(512, gpt::disk::LogicalBlockSize::Lb512);
        check_with_gpt_crate(4096, gpt::disk::LogicalBlockSize::Lb4096);
    }

    #[test]
    fn one_installation_always_gives_the_same_disk() {
        let tables = |install| Layout::new(&image(), install, 64 << 20, 512).unwrap().tables();
        assert_eq!(tables(INSTALL), tables(INSTALL));
        assert_ne!(tables(INSTALL).primary, tables(InstallId(Uuid::nil())).primary);
    }

    #[test]
    fn the_smallest_disk_that_fits_is_the_manifest_s_own_figure() {
        let need = image().disk_size();
        assert_eq!(need, 32 << 20);
        assert!(Layout::new(&image(), INSTALL, need, 512).is_ok());
        let short = Layout::new(&image(), INSTALL, need - 1, 512);
        assert_eq!(short, Err(TooSmall { size: need - 1, need }));
        for size in [0, 1, 512, 1 << 20, 2 << 20] {
            assert!(Layout::new(&image(), INSTALL, size, 512).is_err());
        }
    }
}
