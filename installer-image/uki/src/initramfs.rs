//! Members of an initramfs: compressing one, and putting several behind each other.
//!
//! The kernel's `unpack_to_rootfs` takes members in a row, each plain cpio or compressed. Three rules of its loop are
//! kept here: a compressed member is exactly one frame (it stops after the first); a plain member must start at a
//! multiple of 4; zero bytes between members are skipped. So every member is padded to 4 bytes with zeros.

use crate::cpio::pad4;

/// Above 19 the window passes what the kernel's decompressor keeps for an initramfs on small machines.
const LEVELS: std::ops::RangeInclusive<i32> = 1..=19;

/// Why a member cannot be compressed.
#[derive(Debug, thiserror::Error)]
pub enum CompressError {
    /// Levels are 1 to 19.
    #[error("zstd level {level} is not in 1..=19")]
    Level {
        /// As given.
        level: i32,
    },
    /// The library failed.
    #[error("zstd cannot compress {length} bytes")]
    Zstd {
        /// Input length.
        length: usize,
        /// Its cause.
        #[source]
        source: std::io::Error,
    },
}

/// One zstd frame of `archive`, padded to 4 bytes. Single-threaded, so the same input gives the same bytes.
///
/// # Errors
/// A level outside 1..=19, or a failure of the library.
pub fn compress(archive: &[u8], level: i32) -> Result<Vec<u8>, CompressError> {
    if !LEVELS.contains(&level) {
        return Err(CompressError::Level { level });
    }
    let mut frame = zstd::bulk::compress(archive, level)
        .map_err(|source| CompressError::Zstd { length: archive.len(), source })?;
    pad4(&mut frame);
    Ok(frame)
}

/// The members in this order, each padded to 4 bytes. A later member's files replace those of an earlier one.
#[must_use]
pub fn join(members: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(members.iter().map(|m| m.len() + 3).sum());
    for member in members {
        out.extend_from_slice(member);
        pad4(&mut out);
    }
    out
}
