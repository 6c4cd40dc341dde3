//! An uploaded bundle: spooled to the data directory, then imported.

use std::{io, path::PathBuf, sync::Arc};

use cairn_fleet::{ImportError, Importer};
use cairn_operator::{Added, BundleKind, Chunks, UploadError, Uploads};
use cairn_store::AddImageError;
use futures_util::{FutureExt, StreamExt, future::BoxFuture};
use tokio::{fs::File, io::AsyncWriteExt};

use crate::boot_files::BootShelf;

/// Adapter.
pub(crate) struct Bundles {
    pub(crate) importer: Importer,
    pub(crate) spool: PathBuf,
    pub(crate) boot: Arc<BootShelf>,
}

impl Uploads for Bundles {
    fn add(&self, chunks: Chunks) -> BoxFuture<'_, Result<Added, UploadError>> {
        async move {
            let file = Spooled(self.spool.join(format!("{}.part", uuid::Uuid::new_v4())));
            spool(&file.0, chunks).await?;
            let imported = self.importer.add(file.0.clone()).await.map_err(refused)?;
            let refreshed = self.boot.refresh().await;
            refreshed.map_err(|error| UploadError::Failed(Box::new(error)))?;
            let kind = if imported.kind == "installer" { BundleKind::Installer } else { BundleKind::Image };
            Ok(Added {
                kind,
                name: imported.name,
                version: imported.version,
                size: imported.size,
                sha256: imported.sha256,
            })
        }
        .boxed()
    }
}

/// Removes its file, whatever became of the upload.
struct Spooled(PathBuf);

impl Drop for Spooled {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, path = %self.0.display(), "cannot remove a spooled upload");
        }
    }
}

async fn spool(path: &PathBuf, mut chunks: Chunks) -> Result<(), UploadError> {
    let mut file = File::create_new(path).await.map_err(stored)?;
    while let Some(chunk) = chunks.next().await {
        file.write_all(&chunk.map_err(UploadError::Broken)?).await.map_err(stored)?;
    }
    file.flush().await.map_err(stored)
}

fn stored(error: io::Error) -> UploadError {
    if error.kind() == io::ErrorKind::StorageFull {
        UploadError::NoSpace
    } else {
        UploadError::Failed(Box::new(error))
    }
}

fn refused(error: ImportError) -> UploadError {
    match error {
        ImportError::Image(error @ (AddImageError::Exists { .. } | AddImageError::Older { .. })) => {
            UploadError::Conflict(error.to_string())
        }
        ImportError::Io(error) => stored(error),
        ImportError::Bundle(_)
        | ImportError::Architecture(_)
        | ImportError::RootTooLarge { .. }
        | ImportError::Esp(_)
        | ImportError::Compose(_) => UploadError::Malformed(crate::in_words(&error)),
        other => UploadError::Failed(Box::new(other)),
    }
}
