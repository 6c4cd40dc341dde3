//! Removing what nothing uses: first, in each repository, blobs that no manifest of it reaches; then names that the
//! registry gave to content in the shared folder, when no repository has that content any more.
//!
//! Nothing in use is harmed: a blob must have rested for the grace time (an upload, a mount and the question whether it
//! is here make it young), manifests cannot change meanwhile (the repository's lock), and a name in the shared folder
//! goes only when it is the registry's own file: the artifact store's is another file, or was never marked.

use std::{
    collections::HashSet,
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::Path,
    time::{Duration, SystemTime},
};

use cairn_contract::Digest;

use super::{
    Layout,
    blobs::is_same,
    durable::{entries, is_unfinished, lock, metadata, rests, unlink},
    lists::each_repository,
    manifests::{self, is_here, named, names_something},
};
use crate::{Manifest, Reference, RepositoryName};

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Names of blobs in repositories.
    pub(crate) blobs: u64,
    /// Bytes that the disk got back.
    pub(crate) bytes: u64,
    /// Repositories that were left alone because one of their manifests cannot be read.
    pub(crate) unreadable: u64,
}

/// Digests remembered from one step to the next; the rest waits for the next collection.
const REMEMBERED: usize = 1 << 20;

struct Sweep<'a> {
    layout: &'a Layout,
    now: SystemTime,
    grace: Duration,
    outcome: Outcome,
    /// Content that lost a name in this collection after it had rested.
    released: HashSet<Digest>,
    /// Content that some repository has.
    kept: HashSet<Digest>,
}

/// Collects.
pub(crate) fn collect(layout: &Layout, now: SystemTime, grace: Duration) -> io::Result<Outcome> {
    let (released, kept) = (HashSet::new(), HashSet::new());
    let mut sweep = Sweep { layout, now, grace, outcome: Outcome::default(), released, kept };
    settle_withdrawn(layout)?;
    let mut names = Vec::new();
    each_repository(layout, &mut |name| {
        names.push(name);
        Ok(())
    })?;
    for name in &names {
        sweep.repository(name)?;
    }
    sweep.published()?;
    // Inner folders before outer ones; those that are not empty stay.
    for name in names.iter().rev() {
        let _locked = lock(layout, name)?;
        remove_empty(layout, name);
    }
    Ok(sweep.outcome)
}

impl Sweep<'_> {
    fn repository(&mut self, name: &RepositoryName) -> io::Result<()> {
        let _locked = lock(self.layout, name)?;
        let reached = reached(self.layout, name)?;
        if reached.is_none() {
            tracing::warn!(repository = %name, "not collected: a manifest cannot be read");
            self.outcome.unreadable += 1;
        }
        for entry in entries(&self.layout.blobs(name))? {
            let path = entry?.path();
            let digest = named(&path);
            let used = reached.as_ref().is_none_or(|all| digest.is_some_and(|digest| all.contains(&digest)));
            if used || !self.release(&path, digest)? {
                self.kept.extend(digest);
            }
        }
        self.leftovers(name)
    }

    /// Takes a blob out of a repository, if it has rested.
    fn release(&mut self, path: &Path, digest: Option<Digest>) -> io::Result<bool> {
        let Some(metadata) = metadata(path)? else { return Ok(true) };
        if !rests(&metadata, self.now, self.grace) || !unlink(path)? {
            return Ok(false);
        }
        self.outcome.blobs += 1;
        if metadata.nlink() == 1 {
            self.outcome.bytes += metadata.len();
        }
        if self.released.len() < REMEMBERED {
            self.released.extend(digest);
        }
        Ok(true)
    }

    /// What interrupted writers left, and tags and referrers whose manifest is gone.
    fn leftovers(&self, name: &RepositoryName) -> io::Result<()> {
        let layout = self.layout;
        for folder in [layout.manifests(name), layout.tags(name)] {
            self.unfinished(&folder)?;
        }
        for entry in entries(&layout.tags(name))? {
            let path = entry?.path();
            if self.old(&path)? && !names_something(layout, name, &path)? {
                unlink(&path)?;
            }
        }
        for subject in entries(&layout.all_referrers(name))? {
            let folder = subject?.path();
            self.unfinished(&folder)?;
            for entry in entries(&folder)? {
                let path = entry?.path();
                let Some(digest) = named(&path) else { continue };
                if self.old(&path)? && !is_here(layout, name, &digest)? {
                    unlink(&path)?;
                }
            }
            let _ = fs::remove_dir(&folder);
        }
        Ok(())
    }

    fn unfinished(&self, folder: &Path) -> io::Result<()> {
        for entry in entries(folder)? {
            let path = entry?.path();
            let unfinished = path.file_name().and_then(|n| n.to_str()).is_some_and(is_unfinished);
            if unfinished && self.old(&path)? {
                unlink(&path)?;
            }
        }
        Ok(())
    }

    fn old(&self, path: &Path) -> io::Result<bool> {
        Ok(metadata(path)?.is_some_and(|metadata| rests(&metadata, self.now, self.grace)))
    }

    /// Takes back the registry's names in the shared folder.
    fn published(&mut self) -> io::Result<()> {
        for shard in entries(&self.layout.all_published())? {
            for marker in entries(&shard?.path())? {
                let marker = marker?.path();
                let Some(digest) = named(&marker) else { continue };
                self.withdraw(&marker, &digest)?;
            }
        }
        Ok(())
    }

    fn withdraw(&mut self, marker: &Path, digest: &Digest) -> io::Result<()> {
        let shared = self.layout.shared(digest);
        let Some(mine) = metadata(marker)? else { return Ok(()) };
        let Some(there) = metadata(&shared)? else {
            // Removed by the artifact store, or never made: an interrupted upload.
            if self.released.contains(digest) || rests(&mine, self.now, self.grace) {
                self.forget(marker, &mine)?;
            }
            return Ok(());
        };
        if !is_same(&mine, &there) {
            // The artifact store has put its own file there since.
            return self.forget(marker, &mine);
        }
        if !self.kept.contains(digest)
            && (self.released.contains(digest) || rests(&mine, self.now, self.grace))
        {
            let aside = self.layout.withdrawn().join(digest.to_string());
            fs::rename(&shared, &aside)?;
            settle(self.layout, &aside, digest)?;
            // A backup on the same disk may have the bytes as well.
            self.outcome.bytes += if mine.nlink() == 2 { mine.len() } else { 0 };
        }
        Ok(())
    }

    fn forget(&mut self, marker: &Path, mine: &fs::Metadata) -> io::Result<()> {
        if unlink(marker)? && mine.nlink() == 1 {
            self.outcome.bytes += mine.len();
        }
        Ok(())
    }
}

/// The blobs that a repository's manifests need; nothing when one of these cannot be read.
fn reached(layout: &Layout, name: &RepositoryName) -> io::Result<Option<HashSet<Digest>>> {
    let mut reached = HashSet::new();
    for (digest, kind) in manifests::all(layout, name)? {
        let Some(stored) = manifests::find(layout, name, &Reference::Digest(digest))? else { continue };
        let Ok(manifest) = Manifest::parse(&stored.bytes, Some(kind.media_type())) else { return Ok(None) };
        reached.extend(manifest.blobs.iter().map(|content| content.digest));
        reached.extend(manifest.foreign);
    }
    Ok(Some(reached))
}

/// Ends what a collection that was killed had begun.
fn settle_withdrawn(layout: &Layout) -> io::Result<()> {
    for entry in entries(&layout.withdrawn())? {
        let path = entry?.path();
        if let Some(digest) = named(&path) {
            settle(layout, &path, &digest)?;
        }
    }
    Ok(())
}

/// A file that was moved out of the shared folder: gone with its marker when it is the registry's, else put back.
fn settle(layout: &Layout, aside: &Path, digest: &Digest) -> io::Result<()> {
    let marker = layout.published(digest);
    let Some(moved) = metadata(aside)? else { return Ok(()) };
    if metadata(&marker)?.is_some_and(|mine| is_same(&mine, &moved)) {
        unlink(aside)?;
        unlink(&marker)?;
        return Ok(());
    }
    match fs::hard_link(aside, layout.shared(digest)) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Ok(()) | Err(_) => unlink(aside).map(drop),
    }
}

/// Removes a repository's folders as far as nothing is in them.
fn remove_empty(layout: &Layout, name: &RepositoryName) {
    let folders = [layout.blobs(name), layout.tags(name), layout.all_referrers(name), layout.manifests(name)];
    for folder in folders.iter().chain([&layout.repository(name)]) {
        let _ = fs::remove_dir(folder);
    }
}
