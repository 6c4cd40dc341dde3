//! A small image: an ESP with a FAT file system, a root with a gap of zeros.

use std::io::{Cursor, Write};

use cairn_contract::{Digest, Frame, ImageManifest, PartitionImage, Role, Timestamp};

pub(crate) const ESP_MIB: u64 = 4;
pub(crate) const ROOT_MIB: u64 = 12;
const FRAME: usize = 1 << 20;

/// Manifest, blob, and root A's first 10 MiB as they must lie on the disk.
pub(crate) fn make() -> (ImageManifest, Vec<u8>, Vec<u8>) {
    let mut root = vec![0; 10 << 20];
    // Two frames, 4 MiB of zeros that no frame covers, two frames, one MiB of zeros, a frame.
    for (i, block) in root.chunks_mut(FRAME).enumerate().filter(|(i, _)| ![2, 3, 4, 5, 8].contains(i)) {
        for (j, word) in block.chunks_exact_mut(8).enumerate() {
            // Half of it is noise, half compresses.
            let noise = ((i * 131_072 + j) as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            word.copy_from_slice(&(noise ^ noise >> 29).to_le_bytes());
            word[4..].fill(1);
        }
    }
    let mut blob = Vec::new();
    let esp_frames = frames(&esp(), &mut blob);
    let root_frames = frames(&root, &mut blob);
    let part = |role, mib: u64, frames| PartitionImage { role, size: mib << 20, frames };
    let manifest = ImageManifest {
        name: "test".into(),
        version: 1,
        os_version: "1".into(),
        created: Timestamp(0),
        expires: Timestamp(i64::MAX),
        blob: Digest::of(&blob),
        blob_size: blob.len() as u64,
        partitions: vec![
            part(Role::Esp, ESP_MIB, esp_frames),
            part(Role::RootA, ROOT_MIB, root_frames),
            part(Role::RootB, ROOT_MIB, vec![]),
            part(Role::Data, 2, vec![]),
        ],
    };
    manifest.check(Timestamp(1), 1).unwrap();
    (manifest, blob, root)
}

fn esp() -> Vec<u8> {
    let mut disk = Cursor::new(vec![0; usize::try_from(ESP_MIB << 20).unwrap()]);
    fatfs::format_volume(&mut disk, fatfs::FormatVolumeOptions::new()).unwrap();
    let fat = fatfs::FileSystem::new(&mut disk, fatfs::FsOptions::new()).unwrap();
    fat.root_dir().create_file("image.txt").unwrap().write_all(b"of the image").unwrap();
    fat.unmount().unwrap();
    disk.into_inner()
}

fn frames(raw: &[u8], blob: &mut Vec<u8>) -> Vec<Frame> {
    let mut frames = Vec::new();
    for (i, block) in raw.chunks(FRAME).enumerate().filter(|(_, b)| b.iter().any(|x| *x != 0)) {
        let packed = zstd::bulk::compress(block, 1).unwrap();
        frames.push(Frame {
            offset: (i * FRAME) as u64,
            raw_len: u32::try_from(block.len()).unwrap(),
            at: blob.len() as u64,
            len: u32::try_from(packed.len()).unwrap(),
            sha256: Digest::of(&packed),
            raw_sha256: Digest::of(block),
        });
        blob.extend(packed);
    }
    frames
}
