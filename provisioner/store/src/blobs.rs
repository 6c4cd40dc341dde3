//! Artifacts' bytes, named by their SHA-256: `blobs/sha256/<ab>/<hex>`. Blocking; call it off the runtime's threads.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use cairn_contract::Digest;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::{Clock as _, SystemClock};

/// Why a blob could not be written or removed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {verb} {path}")]
pub struct BlobError {
    verb: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// The folder of blobs. Clones share it.
#[derive(Debug, Clone)]
pub struct Blobs {
    root: Arc<PathBuf>,
}

/// A blob that is being written; it is in nobody's way until [`finish`](Self::finish), and gone if that is never called.
#[derive(Debug)]
pub struct BlobWriter {
    root: Arc<PathBuf>,
    temporary: PathBuf,
    file: File,
    hash: Sha256,
    size: u64,
}

/// How old what an interrupted writer left must be where others write too: no import takes as long.
const LEFT_MS: i64 = 86_400_000;

impl Blobs {
    /// Opens `data_dir/blobs` and removes what an interrupted writer left. The caller holds the data directory's lock.
    pub(crate) fn at(data_dir: &Path) -> io::Result<Self> {
        let root = data_dir.join("blobs");
        fs::create_dir_all(root.join("sha256"))?;
        match fs::remove_dir_all(root.join("tmp")) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            Ok(()) | Err(_) => {}
        }
        fs::create_dir(root.join("tmp"))?;
        Ok(Self { root: Arc::new(root) })
    }

    /// Opens a folder that other provisioners write to as well, and removes what an interrupted writer left a day ago.
    pub(crate) fn shared(root: &Path) -> io::Result<Self> {
        // A folder that is not mounted must not be made: what is written into it would be seen by nobody else.
        if !root.is_dir() {
            return Err(io::ErrorKind::NotFound.into());
        }
        fs::create_dir_all(root.join("sha256"))?;
        fs::create_dir_all(root.join("tmp"))?;
        let long_ago = SystemClock.now().0.saturating_sub(LEFT_MS);
        for entry in fs::read_dir(root.join("tmp"))? {
            let entry = entry?;
            let written = entry.metadata()?.modified()?.duration_since(std::time::UNIX_EPOCH);
            if written.is_ok_and(|at| i64::try_from(at.as_millis()).is_ok_and(|at| at < long_ago)) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(Self { root: Arc::new(root.to_owned()) })
    }

    /// Begins a blob.
    pub fn writer(&self) -> Result<BlobWriter, BlobError> {
        let temporary = self.root.join("tmp").join(Uuid::new_v4().to_string());
        let mut open = OpenOptions::new();
        open.write(true).create_new(true).mode(0o600);
        let file = open.open(&temporary).map_err(error("create", &temporary))?;
        Ok(BlobWriter { root: self.root.clone(), temporary, file, hash: Sha256::new(), size: 0 })
    }

    /// Its bytes and their number, if it is here.
    pub fn open(&self, digest: &Digest) -> Result<Option<(File, u64)>, BlobError> {
        let path = self.path(digest);
        match File::open(&path).and_then(|file| Ok((file.metadata()?.len(), file))) {
            Ok((size, file)) => Ok(Some((file, size))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(error("open", &path)(e)),
        }
    }

    /// Where it is, or would be.
    pub fn path(&self, digest: &Digest) -> PathBuf {
        path(&self.root, digest)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Removes it; readers that have it open go on. Safe to repeat.
    pub fn delete(&self, digest: &Digest) -> Result<(), BlobError> {
        let path = self.path(digest);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(error("remove", &path)(e)),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or_default());
        self.size = self.size.saturating_add(u64::try_from(written).unwrap_or(u64::MAX));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl BlobWriter {
    /// What it would be called by what was written so far.
    pub fn digest(&self) -> Digest {
        Digest(self.hash.clone().finalize().into())
    }

    /// Gives the blob its name. When it returns, a power cut cannot take it away.
    pub fn finish(mut self) -> Result<(Digest, u64), BlobError> {
        let digest = Digest(std::mem::take(&mut self.hash).finalize().into());
        let path = path(&self.root, &digest);
        let folder = path.parent().expect("a blob's path has a folder").to_owned();
        self.file.sync_all().map_err(error("write", &self.temporary))?;
        fs::create_dir_all(&folder).map_err(error("create", &folder))?;
        fs::rename(&self.temporary, &path).map_err(error("create", &path))?;
        for folder in [&folder, &self.root.join("sha256")] {
            File::open(folder).and_then(|f| f.sync_all()).map_err(error("write", folder))?;
        }
        Ok((digest, self.size))
    }
}

impl Drop for BlobWriter {
    fn drop(&mut self) {
        // After `finish` there is nothing under this name. What stays is removed at the next start.
        let _ = fs::remove_file(&self.temporary);
    }
}

fn path(root: &Path, digest: &Digest) -> PathBuf {
    let name = digest.to_string();
    root.join("sha256").join(name.get(..2).unwrap_or_default()).join(&name)
}

fn error(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BlobError + use<> {
    let path = path.to_owned();
    move |source| BlobError { verb, path, source }
}
