//! Unpacks a tar archive (plain, gzip, zstd) into a folder: files, folders, and links that stay inside. Nothing is written
//! through a link, nothing outside, no devices, no owners, no set-uid.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Component, Path, PathBuf};

use tar::{Archive, Entry, EntryType};

/// Most entries of an archive.
const MAX_ENTRIES: usize = 100_000;
/// Most bytes that an archive may unfold to.
const MAX_BYTES: u64 = 8 << 30;

/// An archive is refused.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// It cannot be read, or not be written.
    #[error("it cannot be unpacked")]
    Io(#[from] io::Error),
    /// A name with `..` or from the root.
    #[error("`{0}` leads out of the archive")]
    Outside(String),
    /// A link that leads out.
    #[error("the link `{0}` leads out of the archive")]
    Link(String),
    /// A part of the way to it is a link.
    #[error("`{0}` would be written through a link")]
    ThroughLink(String),
    /// A device, a pipe, a hard link.
    #[error("`{0}` is neither a file nor a folder nor a symbolic link")]
    Kind(String),
    /// Too much.
    #[error("it has too many entries or bytes")]
    TooMuch,
}

/// Unpacks `archive` into `folder`, and gives the files and links that came of it. Files that exist are replaced.
///
/// # Errors
/// When an entry is refused; what came before it stays.
pub fn unpack(archive: &Path, folder: &Path) -> Result<Vec<PathBuf>, UnpackError> {
    fs::create_dir_all(folder)?;
    let mut archive = Archive::new(decoded(archive)?.take(MAX_BYTES));
    let mut files = Vec::new();
    for (number, entry) in archive.entries()?.enumerate() {
        if number >= MAX_ENTRIES {
            return Err(UnpackError::TooMuch);
        }
        files.extend(put(&mut entry?, folder)?);
    }
    crate::place::sync(folder)?;
    Ok(files)
}

fn decoded(path: &Path) -> io::Result<Box<dyn Read>> {
    let mut magic = [0; 4];
    let read = File::open(path)?.read(&mut magic)?;
    let file = BufReader::new(File::open(path)?);
    Ok(match magic.get(..read) {
        Some([0x1f, 0x8b, ..]) => Box::new(flate2::read::GzDecoder::new(file)),
        Some([0x28, 0xb5, 0x2f, 0xfd]) => Box::new(zstd::stream::read::Decoder::with_buffer(file)?),
        _ => Box::new(file),
    })
}

fn put(entry: &mut Entry<'_, impl Read>, folder: &Path) -> Result<Option<PathBuf>, UnpackError> {
    let name = entry.path()?.into_owned();
    let Some(path) = inside(&name)? else { return Ok(None) };
    let target = folder.join(&path);
    free_of_links(folder, &path)?;
    match entry.header().entry_type() {
        EntryType::Directory => {
            fs::create_dir_all(&target)?;
            return Ok(None);
        }
        EntryType::Regular | EntryType::Continuous => write(entry, &target)?,
        EntryType::Symlink => link(entry, &path, &target)?,
        EntryType::XGlobalHeader => return Ok(None),
        _ => return Err(UnpackError::Kind(name.display().to_string())),
    }
    Ok(Some(target))
}

/// The path without `.`; none when nothing of it is left.
fn inside(name: &Path) -> Result<Option<PathBuf>, UnpackError> {
    let mut path = PathBuf::new();
    for component in name.components() {
        match component {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            _ => return Err(UnpackError::Outside(name.display().to_string())),
        }
    }
    Ok((!path.as_os_str().is_empty()).then_some(path))
}

/// No folder on the way to `path` is a link, and `path` itself is none that a file would be written through.
fn free_of_links(folder: &Path, path: &Path) -> Result<(), UnpackError> {
    let mut way = folder.to_owned();
    for component in path.parent().into_iter().flat_map(Path::components) {
        way.push(component);
        if fs::symlink_metadata(&way).is_ok_and(|m| m.is_symlink()) {
            return Err(UnpackError::ThroughLink(path.display().to_string()));
        }
    }
    Ok(())
}

fn write(entry: &mut Entry<'_, impl Read>, target: &Path) -> Result<(), UnpackError> {
    let parent = target.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(parent)?;
    // Beside, then renamed: a program that runs is not written into.
    let mut file = tempfile::NamedTempFile::new_in(parent)?;
    let size = entry.size();
    let copied = io::copy(entry, file.as_file_mut())?;
    if copied != size {
        return Err(UnpackError::TooMuch);
    }
    let mode = entry.header().mode().unwrap_or(0o644) & 0o777;
    file.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
    file.as_file().sync_all()?;
    file.persist(target).map_err(|e| e.error)?;
    Ok(())
}

fn link(entry: &Entry<'_, impl Read>, path: &Path, target: &Path) -> Result<(), UnpackError> {
    let refused = || UnpackError::Link(path.display().to_string());
    let to = entry.link_name()?.ok_or_else(refused)?.into_owned();
    let mut depth = path.components().count().saturating_sub(1);
    for component in to.components() {
        match component {
            Component::Normal(_) => depth = depth.saturating_add(1),
            Component::ParentDir => depth = depth.checked_sub(1).ok_or_else(refused)?,
            Component::CurDir => {}
            _ => return Err(refused()),
        }
    }
    fs::create_dir_all(target.parent().unwrap_or(Path::new("/")))?;
    if fs::symlink_metadata(target).is_ok() {
        fs::remove_file(target)?;
    }
    Ok(symlink(to, target)?)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;

    fn entry(archive: &mut tar::Builder<Vec<u8>>, name: &str, kind: EntryType, data: &str) {
        let mut header = tar::Header::new_gnu();
        // As bytes: the library's own setters refuse hostile names.
        let field = &mut header.as_mut_bytes()[..100];
        field[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(0o4755);
        if kind == EntryType::Regular {
            header.set_size(data.len() as u64);
        } else {
            header.set_size(0);
            header.as_mut_bytes()[157..157 + data.len()].copy_from_slice(data.as_bytes());
        }
        header.set_cksum();
        let body = if kind == EntryType::Regular { data.as_bytes() } else { &[] };
        archive.append(&header, body).unwrap();
    }

    type Entries<'a> = &'a [(&'a str, EntryType, &'a str)];
    type Tried = (tempfile::TempDir, Result<Vec<PathBuf>, UnpackError>);

    fn tried(entries: Entries<'_>) -> Tried {
        let folder = tempfile::tempdir().unwrap();
        let mut archive = tar::Builder::new(Vec::new());
        for (name, kind, data) in entries {
            entry(&mut archive, name, *kind, data);
        }
        let path = folder.path().join("a.tar");
        fs::write(&path, archive.into_inner().unwrap()).unwrap();
        let out = unpack(&path, &folder.path().join("in/to"));
        (folder, out)
    }

    #[test]
    fn files_and_links_inside_come_without_set_uid() {
        use EntryType::{Regular, Symlink};
        let (folder, out) =
            tried(&[("./bin/x", Regular, "hi"), ("bin/y", Symlink, "x"), ("l", Symlink, "bin/../bin/x")]);
        assert_eq!(out.unwrap().len(), 3);
        assert_eq!(fs::read(folder.path().join("in/to/bin/y")).unwrap(), b"hi");
        let mode = fs::metadata(folder.path().join("in/to/bin/x")).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o755);
    }

    #[test]
    fn nothing_leads_out() {
        use EntryType::{Char, Link, Regular, Symlink};
        let cases: [(&str, Entries<'_>); 7] = [
            ("leads out", &[("../x", Regular, "")]),
            ("leads out", &[("/x", Regular, "")]),
            ("leads out", &[("x", Symlink, "/etc/passwd")]),
            ("leads out", &[("a/x", Symlink, "../../y")]),
            ("through a link", &[("a", Symlink, "b"), ("a/x", Regular, "")]),
            ("neither", &[("x", Link, "y")]),
            ("neither", &[("x", Char, "")]),
        ];
        for (why, entries) in cases {
            let (folder, out) = tried(entries);
            assert!(out.unwrap_err().to_string().contains(why), "{entries:?}");
            assert!(!folder.path().join("in/x").exists());
        }
    }

    #[test]
    fn gzip_and_zstd_are_seen_by_their_first_bytes() {
        let mut plain = tar::Builder::new(Vec::new());
        entry(&mut plain, "x", EntryType::Regular, "hi");
        let plain = plain.into_inner().unwrap();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&plain).unwrap();
        for bytes in [gzip.finish().unwrap(), zstd::encode_all(plain.as_slice(), 1).unwrap(), plain] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a");
            fs::write(&path, bytes).unwrap();
            assert_eq!(unpack(&path, &folder.path().join("to")).unwrap().len(), 1);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_unpacked_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a");
            fs::write(&path, bytes).unwrap();
            let _ = unpack(&path, &folder.path().join("to"));
        }
    }
}
