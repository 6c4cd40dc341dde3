//! Artifacts by digest: fetched beside their place, checked while they are written, made durable, then renamed. A file that is
//! in its place is whole and right.

mod sink;
mod unpack;

use std::fs;
use std::future::Future;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use cairn_contract::Digest;
use cairn_contract::workload::{Artifact, Placement};

pub use sink::{Sink, SinkError};
pub use unpack::{UnpackError, unpack};

use crate::failure::Failure;
use crate::state::Placed;

/// What a [`Blobs`] answers.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Result<(), FetchError>> + Send + 'a>>;

/// Gives bytes by digest.
pub trait Blobs: Send + Sync {
    /// Writes all `size` bytes of the blob into `sink`, which checks them. What went wrong there is not to be hidden.
    fn fetch<'a>(&'a self, digest: &'a Digest, size: u64, sink: &'a mut Sink) -> Answer<'a>;
}

/// A blob could not be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The source did not give it.
    #[error("it cannot be fetched: {0}")]
    Source(String),
    /// It could not be written.
    #[error(transparent)]
    Sink(#[from] SinkError),
}

/// Where artifacts go.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// `{{bin}}`.
    pub(crate) bin: PathBuf,
    /// For what does not stay.
    pub(crate) incoming: PathBuf,
}

impl Places {
    /// Fetches and places one; for an image the archive stays in `files` until it was imported.
    pub(crate) async fn place(&self, artifact: &Artifact, blobs: &dyn Blobs) -> Result<Placed, Failure> {
        let told = |error: &dyn std::error::Error| {
            let Failure { message, .. } = Failure::of("PlaceFailed", error);
            Failure::new("PlaceFailed", format!("{}: {message}", artifact.name))
        };
        let target = self.target(artifact);
        let parent = target.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(parent).map_err(|e| told(&e))?;
        let mut sink = Sink::create(parent, artifact.size).map_err(|e| told(&e))?;
        let fetched = blobs.fetch(&artifact.digest, artifact.size, &mut sink).await;
        fetched.map_err(|error| fetch_failure(artifact, &error))?;
        let temporary = sink.finish(&artifact.digest).map_err(|e| digest_failure(artifact, &e))?;
        let executable = matches!(artifact.place, Placement::Program(_));
        let mode = fs::Permissions::from_mode(if executable { 0o755 } else { 0o644 });
        fs::set_permissions(temporary.path(), mode).map_err(|e| told(&e))?;
        match &artifact.place {
            Placement::Unpack(folder) => {
                let folder = PathBuf::from(folder);
                let unpacked = tokio::task::spawn_blocking(move || unpack(temporary.path(), &folder)).await;
                let files = unpacked.map_err(|e| told(&e))?.map_err(|e| unpack_failure(artifact, &e))?;
                Ok(Placed { digest: artifact.digest, files })
            }
            _ => {
                temporary.persist(&target).map_err(|e| told(&e.error))?;
                sync(parent).map_err(|e| told(&e))?;
                Ok(Placed { digest: artifact.digest, files: vec![target] })
            }
        }
    }

    fn target(&self, artifact: &Artifact) -> PathBuf {
        match &artifact.place {
            Placement::Program(name) => self.bin.join(name),
            Placement::File(path) => PathBuf::from(path),
            Placement::Unpack(_) | Placement::Image => self.incoming.join(artifact.digest.to_string()),
        }
    }
}

pub(crate) fn sync(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

fn fetch_failure(artifact: &Artifact, error: &FetchError) -> Failure {
    match error {
        FetchError::Sink(inner @ SinkError::TooLong { .. }) => digest_failure(artifact, inner),
        other => {
            Failure::new("FetchFailed", format!("{}: {}", artifact.name, Failure::of("", other).message))
        }
    }
}

fn digest_failure(artifact: &Artifact, error: &SinkError) -> Failure {
    let message = Failure::of("", error).message;
    match error {
        SinkError::Io { .. } => Failure::new("PlaceFailed", format!("{}: {message}", artifact.name)),
        SinkError::TooLong { .. } | SinkError::Short { .. } | SinkError::Digest { .. } => Failure::new(
            "DigestMismatch",
            format!("{} is refused: {message}; import the artifact again", artifact.name),
        ),
    }
}

fn unpack_failure(artifact: &Artifact, error: &UnpackError) -> Failure {
    let message = Failure::of("", error).message;
    Failure::new("UnpackRefused", format!("the archive {} is refused: {message}", artifact.name))
}
