//! The volume: boot sector, FSInfo, two FATs, and the clusters, filled from the front without holes.

use super::EspError;
use super::directory::{Directory, ENTRY, Kind, LABEL, Node, dot_entries, label_entry};

const SECTOR: u32 = 512;
const RESERVED_SECTORS: u32 = 32;
const FATS: u32 = 2;
const FSINFO_SECTOR: u32 = 1;
const BACKUP_SECTOR: u32 = 6;
const FIRST_CLUSTER: u32 = 2;
const END_OF_CHAIN: u32 = 0x0fff_ffff;
const MEDIA: u8 = 0xf8;
/// From here on mkfs.vfat takes clusters of 4 KiB, below of one sector.
const LARGE_MIB: u32 = 260;

/// The sizes that follow from the volume's size. All are in sectors.
#[derive(Debug, Clone, Copy)]
pub(super) struct Geometry {
    mib: u32,
    total: u32,
    per_cluster: u32,
    per_fat: u32,
}

impl Geometry {
    /// `mib` is between `MIN_MIB` and `MAX_MIB`.
    pub(super) fn of(mib: u32) -> Self {
        let total = mib * (1024 * 1024 / SECTOR);
        let per_cluster = if mib < LARGE_MIB { 1 } else { 8 };
        // Section 3.5 of the specification, "FAT size computation": at most a few sectors more than needed.
        let entries_and_data = SECTOR / 4 * per_cluster + FATS / 2;
        let per_fat = (total - RESERVED_SECTORS).div_ceil(entries_and_data);
        Self { mib, total, per_cluster, per_fat }
    }

    fn data_start(self) -> u32 {
        RESERVED_SECTORS + FATS * self.per_fat
    }

    fn clusters(self) -> u32 {
        (self.total - self.data_start()) / self.per_cluster
    }

    fn cluster_bytes(self) -> usize {
        (self.per_cluster * SECTOR) as usize
    }
}

/// The whole image.
pub(super) fn write(root: &Directory<'_>, geometry: Geometry, volume_id: u32) -> Result<Vec<u8>, EspError> {
    let mut volume = Volume {
        image: vec![0; geometry.total as usize * SECTOR as usize],
        next: FIRST_CLUSTER,
        fat: vec![0x0fff_ff00 | u32::from(MEDIA), END_OF_CHAIN],
        geometry,
    };
    volume.directory(root, None)?;
    volume.tables(volume_id);
    Ok(volume.image)
}

struct Volume {
    image: Vec<u8>,
    /// The first free cluster.
    next: u32,
    fat: Vec<u32>,
    geometry: Geometry,
}

impl Volume {
    /// Reserves a chain for `length` bytes and gives its first cluster; 0 for no bytes.
    fn reserve(&mut self, length: usize) -> Result<u32, EspError> {
        let no_space = EspError::NoSpace { mib: self.geometry.mib };
        let Ok(count) = u32::try_from(length.div_ceil(self.geometry.cluster_bytes())) else {
            return Err(no_space);
        };
        if count > FIRST_CLUSTER + self.geometry.clusters() - self.next {
            return Err(no_space);
        }
        if count == 0 {
            return Ok(0);
        }
        let first = self.next;
        self.next += count;
        self.fat.extend(first + 1..self.next);
        self.fat.push(END_OF_CHAIN);
        Ok(first)
    }

    fn fill(&mut self, cluster: u32, data: &[u8]) {
        let clusters_before = (cluster.saturating_sub(FIRST_CLUSTER)) as usize;
        let data_start = (self.geometry.data_start() * SECTOR) as usize;
        self.put(data_start + clusters_before * self.geometry.cluster_bytes(), data);
    }

    /// Offsets come from `reserve` or are in the reserved sectors.
    fn put(&mut self, offset: usize, data: &[u8]) {
        self.image[offset..offset + data.len()].copy_from_slice(data);
    }

    /// Lays down a directory and all below it; `parent` is `None` for the root, else its cluster as `..` has it.
    fn directory(&mut self, directory: &Directory<'_>, parent: Option<u32>) -> Result<u32, EspError> {
        let names = directory.short_names()?;
        let head = if parent.is_some() { 2 } else { 1 };
        let length = (head + names.iter().map(|n| n.entries()).sum::<usize>()) * ENTRY;
        let own = self.reserve(length)?;
        let mut entries = match parent {
            Some(parent) => dot_entries(own, parent).to_vec(),
            None => label_entry().to_vec(),
        };
        let own_as_parent = if parent.is_some() { own } else { 0 };
        for (name, (_, node)) in names.iter().zip(directory.children.values()) {
            let (kind, cluster) = match node {
                Node::Directory(below) => (Kind::Directory, self.directory(below, Some(own_as_parent))?),
                Node::File(data) => {
                    let cluster = self.reserve(data.len())?;
                    self.fill(cluster, data);
                    // At most MAX_MIB, or there was no space.
                    (Kind::File(u32::try_from(data.len()).unwrap_or(u32::MAX)), cluster)
                }
            };
            name.write(&mut entries, kind, cluster);
        }
        self.fill(own, &entries);
        Ok(own)
    }

    /// Boot sector, FSInfo and their copies, and both FATs.
    fn tables(&mut self, volume_id: u32) {
        let boot = boot_sector(self.geometry, volume_id);
        let used = self.next - FIRST_CLUSTER;
        let info = fs_info(self.geometry.clusters() - used, self.next);
        for copy in [0, BACKUP_SECTOR] {
            self.put((copy * SECTOR) as usize, &boot);
            self.put(((copy + FSINFO_SECTOR) * SECTOR) as usize, &info);
        }
        let fat: Vec<u8> = self.fat.iter().flat_map(|entry| entry.to_le_bytes()).collect();
        for copy in 0..FATS {
            self.put(((RESERVED_SECTORS + copy * self.geometry.per_fat) * SECTOR) as usize, &fat);
        }
    }
}

fn boot_sector(geometry: Geometry, volume_id: u32) -> [u8; 512] {
    let mut sector = [0; 512];
    let mut put = |offset: usize, value: &[u8]| sector[offset..offset + value.len()].copy_from_slice(value);
    put(0, &[0xeb, 0x58, 0x90]); // jump over the parameters; nobody runs this
    put(3, b"CAIRN   ");
    put(11, &512_u16.to_le_bytes());
    put(13, &geometry.per_cluster.to_le_bytes()[..1]);
    put(14, &RESERVED_SECTORS.to_le_bytes()[..2]);
    put(16, &FATS.to_le_bytes()[..1]);
    put(21, &[MEDIA]);
    put(24, &63_u16.to_le_bytes()); // sectors a track and heads: unused, but not 0
    put(26, &255_u16.to_le_bytes());
    put(32, &geometry.total.to_le_bytes());
    put(36, &geometry.per_fat.to_le_bytes());
    put(44, &FIRST_CLUSTER.to_le_bytes()); // root directory
    put(48, &FSINFO_SECTOR.to_le_bytes()[..2]);
    put(50, &BACKUP_SECTOR.to_le_bytes()[..2]);
    put(64, &[0x80, 0, 0x29]);
    put(67, &volume_id.to_le_bytes());
    put(71, &LABEL);
    put(82, b"FAT32   ");
    put(510, &[0x55, 0xaa]);
    sector
}

fn fs_info(free: u32, next: u32) -> [u8; 512] {
    let mut sector = [0; 512];
    let mut put =
        |offset: usize, value: u32| sector[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
    put(0, 0x4161_5252);
    put(484, 0x6141_7272);
    put(488, free);
    put(492, next);
    put(508, 0xaa55_0000);
    sector
}
