//! A writer of `newc` cpio archives, the format of the kernel's initramfs (Documentation/driver-api/early-userspace/
//! buffer-format.rst).
//!
//! Not a reader, and not a copy of a directory: the caller names each entry. Entries are sorted by path, so the order
//! of calls does not matter; inodes count from 1 in that order, owner and time are 0. Missing parents are added as
//! 0755, because the kernel does not make them. Callers: the image recipes, and the provisioner for the site's part.

use std::collections::BTreeMap;

const TRAILER: &str = "TRAILER!!!";
/// `PATH_MAX` of the kernel's unpacker, NUL included.
const PATH_MAX: usize = 4096;
const PERMISSIONS: u32 = 0o7777;

/// Character or block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceKind {
    /// `S_IFCHR`
    Character,
    /// `S_IFBLK`
    Block,
}

/// A device node's kind and numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    /// Character or block.
    pub kind: DeviceKind,
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
}

/// Why an archive cannot be written.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ArchiveError {
    /// Paths are relative, without empty, `.` or `..` parts, without NUL, shorter than 4096 bytes.
    #[error("bad path {path:?} in an archive")]
    Path {
        /// As given.
        path: String,
    },
    /// The path, or one of its parents, is there already as something else.
    #[error("{path:?} is in the archive already")]
    Duplicate {
        /// As given.
        path: String,
    },
    /// The format has 32 bits for a length.
    #[error("{path:?} has {length} bytes, a cpio entry holds less than 4 GiB")]
    TooLong {
        /// The entry.
        path: String,
        /// Its length.
        length: usize,
    },
}

#[derive(Debug)]
struct Entry {
    mode: u32,
    data: Vec<u8>,
    device: (u32, u32),
}

/// An archive under construction.
#[derive(Debug, Default)]
pub struct Archive {
    entries: BTreeMap<String, Entry>,
}

impl Archive {
    /// An empty archive.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a directory; one that is there already gets this mode.
    ///
    /// # Errors
    /// A bad path, or something else of that name.
    pub fn dir(&mut self, path: &str, mode: u32) -> Result<(), ArchiveError> {
        self.parents(path)?;
        match self.entries.get_mut(path) {
            Some(there) if there.is_dir() => there.mode = S_IFDIR | (mode & PERMISSIONS),
            Some(_) => return Err(ArchiveError::Duplicate { path: path.into() }),
            None => {
                self.entries.insert(path.into(), Entry::of_mode(S_IFDIR | (mode & PERMISSIONS)));
            }
        }
        Ok(())
    }

    /// Adds a regular file.
    ///
    /// # Errors
    /// A bad or taken path, or 4 GiB and more.
    pub fn file(&mut self, path: &str, mode: u32, data: impl Into<Vec<u8>>) -> Result<(), ArchiveError> {
        let data = data.into();
        length32(path, data.len())?;
        self.insert(path, Entry { data, ..Entry::of_mode(S_IFREG | (mode & PERMISSIONS)) })
    }

    /// Adds a symbolic link to `target`, which is not checked.
    ///
    /// # Errors
    /// A bad or taken path, or a target that no kernel would follow.
    pub fn symlink(&mut self, path: &str, target: &str) -> Result<(), ArchiveError> {
        if target.is_empty() || target.len() >= PATH_MAX || target.contains('\0') {
            return Err(ArchiveError::Path { path: target.into() });
        }
        self.insert(path, Entry { data: target.into(), ..Entry::of_mode(S_IFLNK | 0o777) })
    }

    /// Adds a device node.
    ///
    /// # Errors
    /// A bad or taken path.
    pub fn device(&mut self, path: &str, mode: u32, device: Device) -> Result<(), ArchiveError> {
        let kind = match device.kind {
            DeviceKind::Character => S_IFCHR,
            DeviceKind::Block => S_IFBLK,
        };
        let entry = Entry::of_mode(kind | (mode & PERMISSIONS));
        self.insert(path, Entry { device: (device.major, device.minor), ..entry })
    }

    /// The archive's bytes, with its trailer, padded to 4 bytes: another archive may follow at once.
    ///
    /// # Errors
    /// None that the other calls let through.
    pub fn finish(&self) -> Result<Vec<u8>, ArchiveError> {
        let mut out =
            Vec::with_capacity(self.entries.iter().map(|(p, e)| 124 + p.len() + e.data.len()).sum());
        for (inode, (path, entry)) in (1_u32..).zip(&self.entries) {
            write_entry(&mut out, path, inode, entry)?;
        }
        write_entry(&mut out, TRAILER, 0, &Entry::of_mode(0))?;
        Ok(out)
    }

    fn insert(&mut self, path: &str, entry: Entry) -> Result<(), ArchiveError> {
        self.parents(path)?;
        if self.entries.contains_key(path) {
            return Err(ArchiveError::Duplicate { path: path.into() });
        }
        self.entries.insert(path.into(), entry);
        Ok(())
    }

    /// Checks the path and adds the directories above it.
    fn parents(&mut self, path: &str) -> Result<(), ArchiveError> {
        let bad = |part: &str| part.is_empty() || part == "." || part == ".." || part.contains('\0');
        if path.len() >= PATH_MAX || path == TRAILER || path.split('/').any(bad) {
            return Err(ArchiveError::Path { path: path.into() });
        }
        for (end, _) in path.match_indices('/') {
            let parent = path.get(..end).unwrap_or_default();
            let there = self.entries.entry(parent.into()).or_insert_with(|| Entry::of_mode(S_IFDIR | 0o755));
            if !there.is_dir() {
                return Err(ArchiveError::Duplicate { path: parent.into() });
            }
        }
        Ok(())
    }
}

const S_IFMT: u32 = 0o170_000;
const S_IFLNK: u32 = 0o120_000;
const S_IFREG: u32 = 0o100_000;
const S_IFBLK: u32 = 0o060_000;
const S_IFDIR: u32 = 0o040_000;
const S_IFCHR: u32 = 0o020_000;

impl Entry {
    fn of_mode(mode: u32) -> Self {
        Self { mode, data: Vec::new(), device: (0, 0) }
    }

    fn is_dir(&self) -> bool {
        self.mode & S_IFMT == S_IFDIR
    }
}

fn length32(path: &str, length: usize) -> Result<u32, ArchiveError> {
    u32::try_from(length).map_err(|_| ArchiveError::TooLong { path: path.into(), length })
}

fn write_entry(out: &mut Vec<u8>, path: &str, inode: u32, entry: &Entry) -> Result<(), ArchiveError> {
    let nlink = if entry.is_dir() { 2 } else { 1 };
    let fields = [
        inode,
        entry.mode,
        0, // uid
        0, // gid
        nlink,
        0, // mtime
        length32(path, entry.data.len())?,
        0, // device of the archive's file system
        0,
        entry.device.0,
        entry.device.1,
        length32(path, path.len() + 1)?,
        0, // checksum, unused in newc
    ];
    out.extend_from_slice(b"070701");
    for field in fields {
        out.extend_from_slice(format!("{field:08X}").as_bytes());
    }
    out.extend_from_slice(path.as_bytes());
    out.push(0);
    pad4(out);
    out.extend_from_slice(&entry.data);
    pad4(out);
    Ok(())
}

/// Headers and data start at multiples of 4.
pub(crate) fn pad4(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(4), 0);
}
