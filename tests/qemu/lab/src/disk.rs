//! A guest's disk: a sparse raw file with a bus, a serial number and a place in the boot order; and what a story may want
//! to know of its content afterwards.

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Why a disk file could not be made or read.
#[derive(Debug, thiserror::Error)]
#[error("disk {path}")]
pub struct DiskError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// How the guest sees the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bus {
    /// `/dev/vda`.
    Virtio,
    /// `/dev/nvme0n1`.
    Nvme,
    /// A removable USB stick, `/dev/sda`.
    UsbStick,
}

/// A disk. The file stays when this is dropped.
#[derive(Debug, Clone)]
pub struct Disk {
    pub(crate) path: PathBuf,
    pub(crate) bus: Bus,
    pub(crate) serial: String,
    pub(crate) boot_index: Option<u8>,
    size: u64,
}

impl Disk {
    /// Makes an empty disk of `size` bytes, on virtio, first in the boot order; replaces a file that is there.
    pub fn create(path: &Path, size: u64) -> Result<Self, DiskError> {
        let made = File::create(path).and_then(|file| file.set_len(size));
        made.map_err(|source| DiskError { path: path.to_owned(), source })?;
        Self::open(path)
    }

    /// Takes a file that is there.
    pub fn open(path: &Path) -> Result<Self, DiskError> {
        let read = std::fs::canonicalize(path).and_then(|path| Ok((std::fs::metadata(&path)?.len(), path)));
        let (size, path) = read.map_err(|source| DiskError { path: path.to_owned(), source })?;
        let serial =
            path.file_stem().map_or_else(|| "disk".into(), |stem| stem.to_string_lossy().into_owned());
        Ok(Self { path, bus: Bus::Virtio, serial, boot_index: Some(1), size })
    }

    /// Puts it on another bus.
    #[must_use]
    pub fn bus(mut self, bus: Bus) -> Self {
        self.bus = bus;
        self
    }

    /// Sets its serial number (20 bytes of it are shown). The default is the file's stem.
    #[must_use]
    pub fn serial(mut self, serial: &str) -> Self {
        self.serial = serial.to_owned();
        self
    }

    /// Takes another place in the boot order: 1 is tried first, the network is 2.
    #[must_use]
    pub fn boot_index(mut self, index: u8) -> Self {
        self.boot_index = Some(index);
        self
    }

    /// Never boots from it.
    #[must_use]
    pub fn data_only(mut self) -> Self {
        self.boot_index = None;
        self
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The bytes of `range`.
    pub fn read(&self, range: Range<u64>) -> Result<Vec<u8>, DiskError> {
        let length = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(0);
        let mut bytes = vec![0; length];
        let read = File::open(&self.path).and_then(|file| file.read_exact_at(&mut bytes, range.start));
        read.map(|()| bytes).map_err(|source| self.failed(source))
    }

    /// Writes `bytes` at `offset`: for a disk with a history, or a damaged one. The guest must be off.
    pub fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        let file = OpenOptions::new().write(true).open(&self.path);
        file.and_then(|file| file.write_all_at(bytes, offset)).map_err(|source| self.failed(source))
    }

    /// SHA-256 of `range`, in hex.
    pub fn digest(&self, range: Range<u64>) -> Result<String, DiskError> {
        const PIECE: u64 = 1 << 20;
        let mut hash = Sha256::new();
        let mut at = range.start;
        while at < range.end {
            let next = range.end.min(at.saturating_add(PIECE));
            hash.update(self.read(at..next)?);
            at = next;
        }
        Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Bytes that the file takes on the host. 0 on a new disk: the test that nobody wrote to this one.
    pub fn allocated(&self) -> Result<u64, DiskError> {
        const BLOCK: u64 = 512;
        let metadata = std::fs::metadata(&self.path).map_err(|source| self.failed(source))?;
        Ok(metadata.blocks().saturating_mul(BLOCK))
    }

    fn failed(&self, source: io::Error) -> DiskError {
        DiskError { path: self.path.clone(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_disk_takes_no_room_and_a_write_shows() {
        let path = std::env::temp_dir().join(format!("cairn-lab-disk-{}.raw", std::process::id()));
        let disk = Disk::create(&path, 4 << 30).unwrap();
        assert_eq!((disk.size(), disk.allocated().unwrap()), (4 << 30, 0));
        let empty = disk.digest(0..3 << 20).unwrap();
        disk.write(1 << 20, b"EFI PART").unwrap();
        assert_eq!(disk.read((1 << 20)..(1 << 20) + 8).unwrap(), b"EFI PART");
        assert_ne!(disk.digest(0..3 << 20).unwrap(), empty);
        assert!(disk.allocated().unwrap() > 0);
        assert!(disk.read((4 << 30) - 1..(4 << 30) + 1).is_err());
        std::fs::remove_file(path).unwrap();
    }
}
