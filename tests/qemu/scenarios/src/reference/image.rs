//! The raw disk image for the reference pipeline: what our installer wrote, up to the last byte that is not zero.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use cairn_lab::Disk;

/// As people do for images that are streamed: good enough, and quick.
const LEVEL: i32 = 3;
/// Zeros at the end are left out in these steps: in favour of the reference, which would have to write them.
const STEP: usize = 1 << 20;
/// The backup GPT lies at the disk's end; tools make it again after writing an image.
const BACKUP_GPT: u64 = 1 << 20;

/// A compressed raw image in a folder of its own.
#[derive(Debug)]
pub(crate) struct Image {
    path: PathBuf,
    size: u64,
    packed: u64,
    digest: String,
}

impl Image {
    /// Reads a written disk and compresses it into `folder`.
    pub(crate) fn of(disk: &Disk, folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let path = folder.join("disk.raw.zst");
        let size = used(disk)?;
        ensure!(size > 0, "the disk is empty");
        let mut packer = zstd::Encoder::new(File::create(&path)?, LEVEL)?;
        std::io::copy(&mut File::open(disk.path())?.take(size), &mut packer)?;
        packer.finish()?.flush()?;
        let packed = std::fs::metadata(&path)?.len();
        Ok(Self { path, size, packed, digest: disk.digest(0..size)? })
    }

    /// Raw bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Compressed bytes.
    pub(crate) fn packed(&self) -> u64 {
        self.packed
    }

    /// SHA-256 of the raw bytes.
    pub(crate) fn digest(&self) -> String {
        self.digest.clone()
    }

    /// Its file's name.
    pub(crate) fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Where its file is.
    pub(crate) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }
}

/// Where the last byte in use is, in whole steps.
fn used(disk: &Disk) -> Result<u64> {
    let mut file =
        File::open(disk.path()).with_context(|| format!("cannot read {}", disk.path().display()))?;
    let (mut piece, mut at, mut last) = (vec![0; STEP], 0_u64, 0_u64);
    while at < disk.size().saturating_sub(BACKUP_GPT) {
        file.read_exact(&mut piece)?;
        at += STEP as u64;
        if piece.iter().any(|byte| *byte != 0) {
            last = at;
        }
    }
    Ok(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_ends_with_the_last_byte_in_use() {
        let folder = std::env::temp_dir().join(format!("cairn-reference-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let disk = Disk::create(&folder.join("disk.raw"), 8 << 20).unwrap();
        disk.write(2 << 20, b"root").unwrap();
        disk.write((8 << 20) - 512, b"EFI PART").unwrap();
        let image = Image::of(&disk, &folder.join("served")).unwrap();
        let raw = zstd::decode_all(File::open(image.folder().join(image.name())).unwrap()).unwrap();
        assert_eq!((image.size(), raw.len()), (3 << 20, 3 << 20));
        assert_eq!(disk.digest(0..3 << 20).unwrap(), image.digest());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
