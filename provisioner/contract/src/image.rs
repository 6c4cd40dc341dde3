//! An OS image as it is stored, signed and written: partitions made of independently verified zstd frames.
//!
//! The blob is one content-addressed artifact: compressed frames one after another. A range of a partition that no frame
//! covers is zero and must read as zero after writing.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{Digest, Timestamp},
    signed::Signable,
};

/// What a partition is for; decides its GPT type (UAPI Discoverable Partitions Specification).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// EFI system partition: written after everything else but the GPT.
    Esp,
    /// Root file system, slot A.
    RootA,
    /// Root file system, slot B.
    RootB,
    /// The rest of the disk.
    Data,
}

/// One zstd frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// Byte offset in the partition; a multiple of 4096.
    pub offset: u64,
    /// Bytes after decompression; a multiple of 4096, at most [`ImageManifest::MAX_FRAME`].
    pub raw_len: u32,
    /// Byte offset of the compressed frame in the blob.
    pub at: u64,
    /// Bytes of the compressed frame; at most [`ImageManifest::MAX_FRAME`] and a little.
    pub len: u32,
    /// SHA-256 of the compressed frame: checked before it is decompressed.
    pub sha256: Digest,
    /// SHA-256 of the raw bytes: for reading back.
    pub raw_sha256: Digest,
}

/// One partition of the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionImage {
    /// What it is for.
    pub role: Role,
    /// Bytes; a multiple of 1 MiB. For [`Role::Data`] a minimum: it takes the rest of the disk.
    pub size: u64,
    /// Ascending by `offset`, not overlapping, inside `size`.
    pub frames: Vec<Frame>,
}

/// What the site signs for one image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageManifest {
    /// Name, such as `debian` or `tiny`.
    pub name: String,
    /// Grows with each image of that name; an older one is refused where a newer minimum is known.
    pub version: u64,
    /// For people.
    pub os_version: String,
    /// When the site signed it.
    pub created: Timestamp,
    /// The installer refuses it from then on.
    pub expires: Timestamp,
    /// SHA-256 of the whole blob: its address, `/artifacts/sha256/<blob>`.
    pub blob: Digest,
    /// Bytes of the blob.
    pub blob_size: u64,
    /// In disk order: ESP, root A, root B, data.
    pub partitions: Vec<PartitionImage>,
}

impl Signable for ImageManifest {
    const CONTEXT: &'static str = "image manifest";
}

/// Why a manifest, although signed, makes no sense or may not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Past `expires`.
    #[error("image {name} version {version} has expired")]
    Expired {
        /// Which image.
        name: String,
        /// Which version.
        version: u64,
    },
    /// Below the demanded minimum.
    #[error("image {name} version {version} is older than the minimum {minimum}")]
    Older {
        /// Which image.
        name: String,
        /// Which version.
        version: u64,
        /// What the plan demands.
        minimum: u64,
    },
    /// A number in it contradicts another.
    #[error("image layout is not sound: {0}")]
    Layout(&'static str),
}

impl ImageManifest {
    /// Largest raw frame: 4 MiB.
    pub const MAX_FRAME: u32 = 4 << 20;
    /// Frames and partition sizes are multiples of it.
    pub const BLOCK: u64 = 4096;

    /// All checks beyond the signature: age, rollback, layout. Call before a single byte is fetched.
    pub fn check(&self, now: Timestamp, minimum: u64) -> Result<(), ManifestError> {
        let (name, version) = (self.name.clone(), self.version);
        if now >= self.expires {
            return Err(ManifestError::Expired { name, version });
        }
        if version < minimum {
            return Err(ManifestError::Older { name, version, minimum });
        }
        let roles: Vec<Role> = self.partitions.iter().map(|p| p.role).collect();
        if roles != [Role::Esp, Role::RootA, Role::RootB, Role::Data] {
            return Err(ManifestError::Layout("partitions are not ESP, root A, root B, data"));
        }
        self.partitions.iter().try_for_each(|p| self.check_partition(p))
    }

    /// Bytes that all partitions and the two GPTs need.
    pub fn disk_size(&self) -> u64 {
        self.partitions.iter().fold(2 << 20, |sum, p| sum.saturating_add(p.size))
    }

    fn check_partition(&self, p: &PartitionImage) -> Result<(), ManifestError> {
        let wrong = |text| Err(ManifestError::Layout(text));
        if p.size == 0 || !p.size.is_multiple_of(1 << 20) {
            return wrong("a partition is not a multiple of 1 MiB");
        }
        let mut next = 0_u64;
        for f in &p.frames {
            let raw = u64::from(f.raw_len);
            if raw == 0 || f.raw_len > Self::MAX_FRAME || !raw.is_multiple_of(Self::BLOCK) {
                return wrong("a frame's raw length is not allowed");
            }
            if f.len == 0 || f.len > Self::MAX_FRAME + (64 << 10) {
                return wrong("a frame's length is not allowed");
            }
            if f.offset < next || !f.offset.is_multiple_of(Self::BLOCK) {
                return wrong("frames overlap or are not in order");
            }
            next = f.offset.checked_add(raw).ok_or(ManifestError::Layout("a frame ends past the disk"))?;
            let end = f.at.checked_add(u64::from(f.len));
            if next > p.size || end.is_none_or(|end| end > self.blob_size) {
                return wrong("a frame lies outside its partition or blob");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(offset: u64) -> Frame {
        let digest = Digest::of(b"");
        Frame { offset, raw_len: 4096, at: 0, len: 10, sha256: digest, raw_sha256: digest }
    }

    fn manifest(frames: Vec<Frame>) -> ImageManifest {
        let part = |role, frames| PartitionImage { role, size: 1 << 20, frames };
        ImageManifest {
            name: "tiny".into(),
            version: 3,
            os_version: "1".into(),
            created: Timestamp(0),
            expires: Timestamp(1000),
            blob: Digest::of(b""),
            blob_size: 10,
            partitions: vec![
                part(Role::Esp, vec![]),
                part(Role::RootA, frames),
                part(Role::RootB, vec![]),
                part(Role::Data, vec![]),
            ],
        }
    }

    #[test]
    fn a_sound_manifest_passes() {
        assert_eq!(manifest(vec![frame(0), frame(8192)]).check(Timestamp(999), 3), Ok(()));
    }

    #[test]
    fn an_expired_or_older_manifest_is_refused() {
        let m = manifest(vec![]);
        assert!(matches!(m.check(Timestamp(1000), 0), Err(ManifestError::Expired { .. })));
        assert!(matches!(m.check(Timestamp(0), 4), Err(ManifestError::Older { minimum: 4, .. })));
    }

    #[test]
    fn frames_that_overlap_or_leave_the_partition_are_refused() {
        for frames in
            [vec![frame(0), frame(0)], vec![frame(1)], vec![frame(1 << 20)], vec![frame(u64::MAX - 4095)]]
        {
            assert!(matches!(manifest(frames).check(Timestamp(0), 0), Err(ManifestError::Layout(_))));
        }
        let far = Frame { at: u64::MAX, ..frame(0) };
        assert!(manifest(vec![far]).check(Timestamp(0), 0).is_err());
    }
}
