//! An EFI system partition as bytes: one FAT32 file system holding the given files (Microsoft "FAT: General Overview
//! of On-Disk Format" 1.03; UEFI 2.10 section 13.3).
//!
//! Not a disk: no GPT around it; not a driver: it writes once, from nothing. Own code, because fatfs 0.3.6 writes long
//! names for `.` and `..`, which fsck.vfat refuses. Dates are 1980-01-01 and files are contiguous, in the order of
//! their paths, so the same files give the same bytes. Callers: the image recipes and the lab.

mod directory;
mod volume;

use directory::Directory;
use volume::Geometry;

/// FAT32 has at least 65525 clusters; below 34 MiB there are fewer, and firmware reads the volume as FAT16.
pub const MIN_MIB: u32 = 34;
/// The image is made in memory.
pub const MAX_MIB: u32 = 2048;
/// Also bounds the recursion over directories.
const MAX_DEPTH: usize = 16;

/// Why an image cannot be built.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EspError {
    /// Outside `MIN_MIB..=MAX_MIB`.
    #[error("{mib} MiB is not between 34 and 2048")]
    Size {
        /// As given.
        mib: u32,
    },
    /// Empty, `.` or `..` parts, a character that FAT refuses, not ASCII, or too deep.
    #[error("bad path {path:?} on the ESP")]
    Path {
        /// As given.
        path: String,
    },
    /// The same name as a file or as a directory; FAT does not tell upper from lower case.
    #[error("{path:?} is on the ESP already")]
    Duplicate {
        /// As given.
        path: String,
    },
    /// More files in a directory than short names can be made for.
    #[error("too many names like {name:?} in one directory")]
    Crowded {
        /// The last one.
        name: String,
    },
    /// The files do not fit.
    #[error("the files do not fit in an ESP of {mib} MiB")]
    NoSpace {
        /// The image's size.
        mib: u32,
    },
}

/// A FAT32 image of `size_mib` MiB with these files; directories are made as needed. Paths use `/`, with or without
/// one in front. `volume_id` is the serial number that shows as `XXXX-XXXX`.
///
/// # Errors
/// A size or path that FAT32 or the limits here refuse, or no space.
pub fn build(files: &[(&str, &[u8])], size_mib: u32, volume_id: u32) -> Result<Vec<u8>, EspError> {
    if !(MIN_MIB..=MAX_MIB).contains(&size_mib) {
        return Err(EspError::Size { mib: size_mib });
    }
    let mut root = Directory::default();
    for (given, data) in files {
        let path = given.strip_prefix('/').unwrap_or(given);
        let parts: Vec<_> = path.split('/').collect();
        if parts.len() > MAX_DEPTH || !parts.iter().all(|name| good_name(name)) {
            return Err(EspError::Path { path: (*given).into() });
        }
        root.insert(&parts, data)
            .map_err(|directory::Taken| EspError::Duplicate { path: (*given).into() })?;
    }
    volume::write(&root, Geometry::of(size_mib), volume_id)
}

/// What a long name may hold: printable ASCII without FAT's special characters, no dot or space at the end.
fn good_name(name: &str) -> bool {
    let good = |b: u8| (b' '..=b'~').contains(&b) && !b"\"*:<>?\\|/".contains(&b);
    let ends = name.ends_with(['.', ' ']) || name.starts_with(' ');
    (1..=255).contains(&name.len()) && name.bytes().all(good) && !ends
}
