//! Uploads: files that grow, hashed while they are written. Which bytes there are is the file's length, so an upload goes
//! on after a crash and at another provisioner; only the hash is then made again from the file.

use std::{
    collections::HashMap,
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use cairn_contract::Digest;
use ring::digest::{Context, SHA256};
use uuid::Uuid;

use super::{
    Layout,
    durable::{entries, unlink},
};
use crate::RepositoryName;

/// All uploads of this registry.
#[derive(Clone)]
pub(crate) struct Uploads {
    layout: Layout,
    limit: usize,
    /// Hashes of uploads that wait for more.
    partial: Arc<Mutex<HashMap<PathBuf, Partial>>>,
}

struct Partial {
    size: u64,
    hash: Context,
}

/// What there is under an id.
pub(crate) enum Opened {
    Absent,
    /// Somebody else is writing to it now.
    Busy,
    Open(Box<Appending>),
}

/// An upload that is being written by nobody else.
pub(crate) struct Appending {
    uploads: Uploads,
    file: File,
    path: PathBuf,
    size: u64,
    /// Absent after a failure.
    hash: Option<Context>,
}

impl std::fmt::Debug for Uploads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Uploads").field("limit", &self.limit).finish_non_exhaustive()
    }
}

impl Uploads {
    pub(crate) fn new(layout: Layout, limit: usize) -> Self {
        Self { layout, limit, partial: Arc::default() }
    }

    /// Begins one and gives its id; nothing when there are too many.
    pub(crate) fn begin(&self, name: &RepositoryName) -> io::Result<Option<(String, Appending)>> {
        if entries(&self.layout.uploads())?.take(self.limit).count() >= self.limit {
            return Ok(None);
        }
        let id = Uuid::new_v4().simple().to_string();
        let path = self.layout.upload(name, &id);
        let mut open = OpenOptions::new();
        let file = open.read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        file.lock()?;
        let hash = Some(Context::new(&SHA256));
        Ok(Some((id, Appending { uploads: self.clone(), file, path, size: 0, hash })))
    }

    /// Goes on with one.
    pub(crate) fn resume(&self, name: &RepositoryName, id: &str) -> io::Result<Opened> {
        let Some(path) = self.path(name, id) else { return Ok(Opened::Absent) };
        let mut file = match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Opened::Absent),
            Err(error) => return Err(error),
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(Opened::Busy),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let size = file.metadata()?.len();
        let known = self.waiting().remove(&path).filter(|partial| partial.size == size);
        let hash = known.map_or_else(|| hash_of(&mut file, size), |partial| Ok(partial.hash))?;
        file.seek(SeekFrom::Start(size))?;
        let appending = Appending { uploads: self.clone(), file, path, size, hash: Some(hash) };
        Ok(Opened::Open(Box::new(appending)))
    }

    /// How many bytes there are.
    pub(crate) fn size(&self, name: &RepositoryName, id: &str) -> io::Result<Option<u64>> {
        let Some(path) = self.path(name, id) else { return Ok(None) };
        Ok(super::durable::metadata(&path)?.map(|metadata| metadata.len()))
    }

    /// Gives one up; whether there was one.
    pub(crate) fn cancel(&self, name: &RepositoryName, id: &str) -> io::Result<bool> {
        self.path(name, id).map_or(Ok(false), |path| self.discard(&path))
    }

    /// Removes uploads, and what was unpacked of archives, to which nothing was written for so long; how many uploads.
    pub(crate) fn expire(&self, now: SystemTime, after: Duration) -> io::Result<u64> {
        let mut count: u64 = 0;
        for path in unwritten(&self.layout.uploads(), now, after)? {
            count += u64::from(self.discard(&path)?);
        }
        for path in unwritten(&self.layout.imports(), now, after)? {
            std::fs::remove_dir_all(&path)?;
        }
        Ok(count)
    }

    /// Gives up the one in this file; whether there was one.
    pub(crate) fn discard(&self, path: &Path) -> io::Result<bool> {
        self.waiting().remove(path);
        unlink(path)
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, Partial>> {
        self.partial.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ids are ours: 32 hexadecimal digits.
    fn path(&self, name: &RepositoryName, id: &str) -> Option<PathBuf> {
        let ours = id.len() == 32 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        ours.then(|| self.layout.upload(name, id))
    }
}

/// What lies in a folder and was not written to for so long.
fn unwritten(folder: &Path, now: SystemTime, time: Duration) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in entries(folder)? {
        let path = entry?.path();
        let Some(metadata) = super::durable::metadata(&path)? else { continue };
        if metadata.modified().is_ok_and(|at| now.duration_since(at).is_ok_and(|age| age >= time)) {
            found.push(path);
        }
    }
    Ok(found)
}

fn hash_of(file: &mut File, size: u64) -> io::Result<Context> {
    let mut hash = Context::new(&SHA256);
    let mut buffer = vec![0; 1 << 18];
    file.rewind()?;
    let mut bytes = file.take(size);
    loop {
        let read = bytes.read(&mut buffer)?;
        let Some(part) = buffer.get(..read).filter(|part| !part.is_empty()) else { return Ok(hash) };
        hash.update(part);
    }
}

impl Appending {
    /// Bytes so far.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Its file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes and hashes. After a failure the upload can only be given up.
    pub(crate) fn append(&mut self, parts: &[Bytes]) -> io::Result<()> {
        let mut hash = self.hash.take().ok_or(io::ErrorKind::InvalidData)?;
        for part in parts {
            self.file.write_all(part)?;
            hash.update(part);
            self.size = self.size.saturating_add(u64::try_from(part.len()).unwrap_or(u64::MAX));
        }
        self.hash = Some(hash);
        Ok(())
    }

    /// Forgets what was written beyond `size`.
    pub(crate) fn cut(mut self, size: u64) -> io::Result<()> {
        self.hash = None;
        self.file.set_len(size)
    }

    /// Puts the bytes on the disk and gives them to the repository, if they are what they should be; what they are.
    pub(crate) fn finish(mut self, name: &RepositoryName, expected: &Digest) -> io::Result<Digest> {
        let hash = self.hash.take().ok_or(io::ErrorKind::InvalidData)?;
        let found: [u8; 32] = hash.finish().as_ref().try_into().map_err(io::Error::other)?;
        let found = Digest(found);
        if found == *expected {
            self.file.sync_all()?;
            super::adopt(&self.uploads.layout, name, &found, &self.path)?;
        } else {
            self.uploads.discard(&self.path)?;
        }
        Ok(found)
    }

    /// Gives it up.
    pub(crate) fn discard(mut self) -> io::Result<()> {
        self.hash = None;
        self.uploads.discard(&self.path).map(drop)
    }
}

impl Drop for Appending {
    fn drop(&mut self) {
        let Some(hash) = self.hash.take() else { return };
        let mut waiting = self.uploads.waiting();
        if waiting.len() < self.uploads.limit {
            waiting.insert(std::mem::take(&mut self.path), Partial { size: self.size, hash });
        }
    }
}
