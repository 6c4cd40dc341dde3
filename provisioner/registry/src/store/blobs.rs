//! Blobs of repositories: names of content.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt as _,
    path::Path,
    time::{Duration, SystemTime},
};

use cairn_contract::Digest;
use uuid::Uuid;

use super::{
    Layout,
    durable::{lock, make_folder, metadata, parent, rests, sync_folder, unlink},
};
use crate::RepositoryName;

/// Its bytes and their number, if the repository may see it.
pub(crate) fn open(
    layout: &Layout,
    name: &RepositoryName,
    digest: &Digest,
) -> io::Result<Option<(File, u64)>> {
    match File::open(layout.blob(name, digest)).and_then(|file| Ok((file.metadata()?.len(), file))) {
        Ok((size, file)) => Ok(Some((file, size))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Gives the file at `from`, whose bytes are on the disk and have this digest, to the repository. `from` is gone then.
pub(crate) fn adopt(layout: &Layout, name: &RepositoryName, digest: &Digest, from: &Path) -> io::Result<()> {
    // A collection must not take the folder away meanwhile.
    let _locked = lock(layout, name)?;
    let mut placed = place(layout, name, digest, from);
    for _ in 0..8 {
        match &placed {
            // A collection has taken the shared name back in just this moment.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            _ => break,
        }
        placed = place(layout, name, digest, from);
    }
    placed
}

fn place(layout: &Layout, name: &RepositoryName, digest: &Digest, from: &Path) -> io::Result<()> {
    let size = fs::metadata(from)?.len();
    let (target, shared) = (layout.blob(name, digest), layout.shared(digest));
    make_folder(&layout.blobs(name))?;
    let known = metadata(&shared)?.is_some_and(|known| known.len() == size);
    if known && link(&shared, &target)? {
        unlink(from)?;
    } else {
        fs::rename(from, &target)?;
        // The repository has it already; only those who ask for artifacts would go without.
        if let Err(error) = publish(layout, digest, &target) {
            tracing::warn!(%digest, %error, "a blob of the registry cannot be had as an artifact");
        }
    }
    sync_folder(&layout.blobs(name))
}

/// Makes a blob of one repository one of another as well; whether the first has it.
pub(crate) fn mount(
    layout: &Layout,
    from: &RepositoryName,
    to: &RepositoryName,
    digest: &Digest,
) -> io::Result<bool> {
    let (source, target) = (layout.blob(from, digest), layout.blob(to, digest));
    if metadata(&source)?.is_none() {
        return Ok(false);
    }
    let _locked = lock(layout, to)?;
    make_folder(&layout.blobs(to))?;
    let linked = match link(&source, &target) {
        Ok(true) => Ok(()),
        Ok(false) => copy(&source, &target),
        Err(error) => Err(error),
    };
    match linked {
        Ok(()) => sync_folder(&layout.blobs(to)).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Takes a blob out of the repository; whether it was there.
pub(crate) fn remove(layout: &Layout, name: &RepositoryName, digest: &Digest) -> io::Result<bool> {
    let was = unlink(&layout.blob(name, digest))?;
    if was {
        sync_folder(&layout.blobs(name))?;
    }
    Ok(was)
}

/// Makes it young, unless it is: somebody asked whether it is here in order not to upload it.
pub(crate) fn touch(file: &File, now: SystemTime, young: Duration) -> io::Result<()> {
    if rests(&file.metadata()?, now, young) { file.set_modified(now) } else { Ok(()) }
}

/// A second name; whether there is one now. Not where the file system has none, or no more of this file.
fn link(from: &Path, to: &Path) -> io::Result<bool> {
    match fs::hard_link(from, to) {
        Ok(()) => Ok(true),
        Err(error) => match error.kind() {
            io::ErrorKind::AlreadyExists => Ok(true),
            io::ErrorKind::TooManyLinks | io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied => {
                Ok(false)
            }
            _ => Err(error),
        },
    }
}

/// The way without links.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let temporary = parent(to)?.join(format!(".new-{}", Uuid::new_v4().simple()));
    let copied = fs::copy(from, &temporary)
        .and_then(|_| File::open(&temporary)?.sync_all())
        .and_then(|()| fs::rename(&temporary, to));
    if copied.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    copied
}

/// Shows it to those who ask for artifacts by their digests.
fn publish(layout: &Layout, digest: &Digest, blob: &Path) -> io::Result<()> {
    let (marker, shared) = (layout.published(digest), layout.shared(digest));
    if metadata(&shared)?.is_some() {
        return Ok(());
    }
    make_folder(parent(&marker)?)?;
    make_folder(parent(&shared)?)?;
    // The marker is first: a name that is not marked is never taken away.
    unlink(&marker)?;
    if link(blob, &marker)? {
        link(blob, &shared)?;
    }
    Ok(())
}

/// Whether two names are of the same file.
pub(crate) fn is_same(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}
