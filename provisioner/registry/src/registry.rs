//! The registry itself: its folder, its limits, and what is done from time to time.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::sync::Semaphore;

use crate::{
    clock,
    store::{self, Layout, Uploads},
};

/// Bounds of what clients may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Uploads that are begun and not ended.
    pub uploads: usize,
    /// Uploads that are being received at once; each takes up to about 3 MiB of memory.
    pub transfers: usize,
    /// How long a client may send nothing in the middle of an upload.
    pub patience: Duration,
    /// The largest blob, in bytes.
    pub blob: u64,
    /// After how long an upload to which nothing was written is given up.
    pub upload_expiry: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            uploads: 256,
            transfers: 64,
            patience: Duration::from_secs(60),
            blob: 1 << 40,
            upload_expiry: Duration::from_secs(86_400),
        }
    }
}

/// Why the registry cannot use its folder.
#[derive(Debug, thiserror::Error)]
#[error("cannot use {path} for the registry")]
pub struct OpenError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// Why a collection ended early. What it had removed by then stays removed; the next goes on.
#[derive(Debug, thiserror::Error)]
#[error("cannot collect what the registry does not use")]
pub struct CollectError(#[from] io::Error);

/// What a collection removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Collected {
    /// Blobs of repositories that no manifest there reaches.
    pub blobs: u64,
    /// Bytes that the disk got back.
    pub bytes: u64,
    /// Uploads that were given up.
    pub uploads: u64,
    /// Repositories that were left alone because one of their manifests cannot be read.
    pub unreadable: u64,
}

/// A registry over one folder. Clones share it.
#[derive(Clone)]
pub struct Registry {
    pub(crate) layout: Layout,
    pub(crate) uploads: Uploads,
    pub(crate) limits: Limits,
    pub(crate) transfers: Arc<Semaphore>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("layout", &self.layout)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Registry {
    /// Opens the registry in the folder of the appliance's blobs (the one that holds `sha256`), which must be there, and
    /// gives up stale uploads. Others may have it open as well. Blocks for the time of a few system calls.
    ///
    /// # Errors
    /// When folders cannot be made in it.
    pub fn open(blobs: &Path, limits: Limits) -> Result<Self, OpenError> {
        let layout = Layout::new(blobs);
        let uploads = Uploads::new(layout.clone(), limits.uploads);
        let error = |source| OpenError { path: blobs.to_owned(), source };
        // A folder that is not mounted must not be made: what is written into it would be seen by nobody else.
        if !blobs.is_dir() {
            return Err(error(io::ErrorKind::NotFound.into()));
        }
        for folder in [layout.uploads(), layout.locks(), layout.withdrawn(), layout.all_repositories()] {
            std::fs::create_dir_all(folder).map_err(error)?;
        }
        uploads.expire(clock::now(), limits.upload_expiry).map_err(error)?;
        Ok(Self { layout, uploads, limits, transfers: Arc::new(Semaphore::new(limits.transfers)) })
    }

    /// Removes what nothing uses: blobs that no manifest of their repository reaches, untouched for `grace`; uploads that
    /// were given up. One provisioner at a time need do it; pushes and pulls go on, here and elsewhere. Artifacts that the
    /// registry did not write are left alone.
    ///
    /// # Errors
    /// When files cannot be read or removed.
    pub async fn collect(&self, now: SystemTime, grace: Duration) -> Result<Collected, CollectError> {
        let this = self.clone();
        let work = move || {
            let uploads = this.uploads.expire(now, this.limits.upload_expiry)?;
            let store::Outcome { blobs, bytes, unreadable } = store::collect(&this.layout, now, grace)?;
            Ok(Collected { blobs, bytes, uploads, unreadable })
        };
        blocking(work).await.map_err(CollectError)
    }
}

/// Runs what blocks on a thread for that.
pub(crate) async fn blocking<T: Send + 'static, E: From<io::Error> + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error).into()))
}
