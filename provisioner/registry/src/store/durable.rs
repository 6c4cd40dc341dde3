//! Writing so that SIGKILL and power cuts leave the old or the new, never a part; and the locks.

use std::{
    fs::{self, DirEntry, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
    time::{Duration, SystemTime},
};

use uuid::Uuid;

use super::Layout;
use crate::RepositoryName;

/// No tag, digest or name of a repository begins like this.
const UNFINISHED: &str = ".new-";

/// Gives `path` this content.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = parent(path)?;
    make_folder(folder)?;
    let temporary = folder.join(format!("{UNFINISHED}{}", Uuid::new_v4().simple()));
    let written = write(&temporary, content).and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = written {
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    sync_folder(folder)
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Makes a folder and those above it that are missing, and sees to it that they stay.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = parent(folder)?;
    let mut made = Err(io::ErrorKind::NotFound.into());
    for _ in 0..8 {
        make_folder(above)?;
        made = match fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            Ok(()) | Err(_) => sync_folder(above),
        };
        match &made {
            // A collection has just removed the folder above, because it was empty.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            _ => break,
        }
    }
    made
}

pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

pub(crate) fn parent(path: &Path) -> io::Result<&Path> {
    path.parent().ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

/// Removes a name; whether there was one.
pub(crate) fn unlink(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// A folder's entries; none of a folder that is not there.
pub(crate) fn entries(folder: &Path) -> io::Result<impl Iterator<Item = io::Result<DirEntry>>> {
    match fs::read_dir(folder) {
        Ok(entries) => Ok(Some(entries).into_iter().flatten()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None.into_iter().flatten()),
        Err(error) => Err(error),
    }
}

/// Content, if there is any.
pub(crate) fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// What is known of a file, if it is there.
pub(crate) fn metadata(path: &Path) -> io::Result<Option<fs::Metadata>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether nothing happened to a file for so long: no write, no touch, no name more or less.
pub(crate) fn rests(metadata: &fs::Metadata, now: SystemTime, time: Duration) -> bool {
    let seconds = u64::try_from(metadata.ctime()).unwrap_or(0);
    let changed = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds.saturating_add(1)));
    changed.is_some_and(|at| now.duration_since(at).is_ok_and(|age| age >= time))
}

/// Whether it is what an interrupted [`replace`] left.
pub(crate) fn is_unfinished(file_name: &str) -> bool {
    file_name.starts_with(UNFINISHED)
}

/// Keeps all others who change manifests of the repository waiting, in other processes too, until it is dropped.
pub(crate) struct Locked(#[expect(dead_code, reason = "closing it unlocks")] File);

pub(crate) fn lock(layout: &Layout, name: &RepositoryName) -> io::Result<Locked> {
    let mut open = OpenOptions::new();
    let file = open.write(true).create(true).truncate(false).mode(0o600).open(layout.lock(name))?;
    file.lock()?;
    Ok(Locked(file))
}
