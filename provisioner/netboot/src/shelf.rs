//! The files that boot services may give: a fixed table of names, and artifacts named by their digest. Both are looked
//! up, never searched for in a directory, so a path cannot lead anywhere else (netboot.md rule 30).

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use cairn_contract::Digest;
use cairn_netproto::bootfile::Name;

/// Where a blob's bytes are.
#[derive(Clone)]
pub enum Content {
    /// In memory.
    Memory(Bytes),
    /// In a file that does not change while it is on the shelf.
    File(PathBuf),
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Memory(bytes) => write!(f, "{} bytes in memory", bytes.len()),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Bytes with their length and digest.
#[derive(Debug, Clone)]
pub struct Blob {
    /// SHA-256 of the bytes; the ETag.
    pub digest: Digest,
    /// Length in bytes.
    pub len: u64,
    /// The bytes.
    pub content: Content,
}

impl Blob {
    /// A blob in memory.
    pub fn memory(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Self { digest: Digest::of(&bytes), len, content: Content::Memory(bytes) }
    }

    /// A blob in a file whose digest the caller knows.
    ///
    /// # Errors
    /// When the file cannot be looked at, or is not a regular file.
    pub fn file(path: PathBuf, digest: Digest) -> io::Result<Self> {
        let meta = std::fs::metadata(&path)?;
        if !meta.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        Ok(Self { digest, len: meta.len(), content: Content::File(path) })
    }
}

/// Finds artifacts by digest; it may look at the file system but must be quick.
pub trait Artifacts: Send + Sync {
    /// The artifact, if it is here.
    fn find(&self, digest: &Digest) -> Option<Blob>;
}

/// A folder of files that are named by their SHA-256 in lower-case hexadecimal.
#[derive(Debug, Clone)]
pub struct Folder(pub PathBuf);

impl Artifacts for Folder {
    fn find(&self, digest: &Digest) -> Option<Blob> {
        Blob::file(self.0.join(digest.to_string()), *digest).ok()
    }
}

/// The table of names and the artifacts. Names are replaced as a whole, so that no reader sees half of a change.
pub struct Shelf {
    names: RwLock<Arc<BTreeMap<Name, Blob>>>,
    artifacts: Option<Box<dyn Artifacts>>,
}

impl std::fmt::Debug for Shelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shelf").field("names", &self.table()).finish_non_exhaustive()
    }
}

impl Shelf {
    /// A shelf with these names.
    pub fn new(names: BTreeMap<Name, Blob>) -> Self {
        Self { names: RwLock::new(Arc::new(names)), artifacts: None }
    }

    /// The same, with artifacts.
    #[must_use]
    pub fn with_artifacts(mut self, artifacts: impl Artifacts + 'static) -> Self {
        self.artifacts = Some(Box::new(artifacts));
        self
    }

    /// Puts other files in place of all names.
    pub fn replace(&self, names: BTreeMap<Name, Blob>) {
        *self.names.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(names);
    }

    /// The blob of a name.
    pub fn get(&self, name: &str) -> Option<Blob> {
        self.table().get(&Name::new(name)?).cloned()
    }

    /// The artifact with this digest; named blobs are found by theirs too.
    pub fn artifact(&self, digest: &Digest) -> Option<Blob> {
        let named = self.table().values().find(|blob| blob.digest == *digest).cloned();
        named.or_else(|| self.artifacts.as_ref().and_then(|artifacts| artifacts.find(digest)))
    }

    fn table(&self) -> Arc<BTreeMap<Name, Blob>> {
        Arc::clone(&self.names.read().unwrap_or_else(PoisonError::into_inner))
    }
}
