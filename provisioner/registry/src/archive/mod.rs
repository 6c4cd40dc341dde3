//! Images as files, for sites without internet: what `skopeo copy ... oci-archive:` and `ctr images export` write
//! (image-spec, image-layout.md), and what `docker save` writes. Not compressed archives: unpack those first.
//!
//! ```text
//! reader -> unpack (bounded, hashed, into a folder of its own) -> oci or docker: which manifests -> repository
//! ```
//! Nothing of an archive is believed: paths name nothing outside the folder, links are never followed, content is what
//! its digest says, and a manifest is put only when all that it needs is there.

mod docker;
mod export;
mod oci;
mod unpack;

use std::{
    io::{self, Read, Write},
    path::PathBuf,
};

use cairn_contract::Digest;

use crate::{
    DigestError, ManifestError, Reference, Registry, RepositoryName, Tag,
    digest::written,
    registry::blocking,
    store::{self, PutError},
};
use unpack::Unpacked;

/// Bounds of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Entries, of whatever kind.
    pub entries: u64,
    /// Bytes of all files together.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 65_536, bytes: 1 << 40 }
    }
}

/// Why an archive was not taken, or not written.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The stream is no tar archive, or ends too early.
    #[error("the archive cannot be read")]
    Read(#[source] io::Error),
    /// Files of the registry.
    #[error("the registry's files cannot be used")]
    Files(#[from] io::Error),
    /// An absolute path, or one with `..`.
    #[error("the archive holds the path `{0}`, which leads out of it")]
    Path(String),
    /// A link or a device where content should be.
    #[error("`{0}` in the archive is not a regular file")]
    Kind(String),
    /// More than [`Limits`] allow.
    #[error("the archive is larger than allowed: {0}")]
    Large(&'static str),
    /// Content under the name of other content.
    #[error("`{path}` in the archive is {}: the archive is damaged", written(.found))]
    Content {
        /// Where.
        path: String,
        /// What it is.
        found: Digest,
    },
    /// Neither `index.json` nor `manifest.json`.
    #[error("this is neither an OCI archive nor one of `docker save`: it has no index.json")]
    Form,
    /// `index.json` or `manifest.json`.
    #[error("`{path}` in the archive is not of its form")]
    Index {
        /// Which.
        path: &'static str,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// A digest in it.
    #[error("the archive names content by what is no digest")]
    Digest(#[from] DigestError),
    /// A manifest in it.
    #[error("{} in the archive is no manifest", written(.digest))]
    Manifest {
        /// Which.
        digest: Digest,
        /// What is wrong.
        #[source]
        source: ManifestError,
    },
    /// Named, and neither in the archive nor in the repository.
    #[error("the archive lacks `{0}`: export it again with all platforms it names")]
    Lacks(String),
    /// Indexes in indexes without an end.
    #[error("the archive nests indexes too deeply")]
    Deep,
    /// To be exported, and not here.
    #[error("the repository has no manifest {0}")]
    Absent(String),
}

/// What came out of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The manifests that the archive names, with the tags that it gives them.
    pub images: Vec<(Digest, Option<Tag>)>,
    /// Bytes that were read as content.
    pub bytes: u64,
}

impl Registry {
    /// Takes an uncompressed archive into a repository: an OCI image layout, or what `docker save` writes. The reader
    /// blocks on a thread for that.
    ///
    /// # Errors
    /// [`ArchiveError`]. Images that were complete before the error stay; what else was read is removed.
    pub async fn import_archive<R: Read + Send + 'static>(
        &self,
        reader: R,
        name: &RepositoryName,
        limits: Limits,
    ) -> Result<Imported, ArchiveError> {
        let (this, name) = (self.clone(), name.clone());
        blocking(move || {
            let unpacked = Unpacked::read(reader, &this.layout, limits)?;
            if let Some(index) = &unpacked.index {
                oci::import(&this.layout, &name, &unpacked, index)
            } else if let Some(manifest) = &unpacked.manifest {
                docker::import(&this.layout, &name, &unpacked, manifest)
            } else {
                Err(ArchiveError::Form)
            }
        })
        .await
    }

    /// Writes manifests with all that they need as an OCI archive; the writer blocks on a thread for that, and is given
    /// back.
    ///
    /// # Errors
    /// When one is not in the repository, and when the writer fails.
    pub async fn export_archive<W: Write + Send + 'static>(
        &self,
        writer: W,
        name: &RepositoryName,
        references: Vec<Reference>,
    ) -> Result<W, ArchiveError> {
        let (this, name) = (self.clone(), name.clone());
        blocking(move || export::export(&this.layout, &name, &references, writer)).await
    }
}

/// What is missing is missing in the archive.
fn not_put(error: PutError) -> ArchiveError {
    match error {
        PutError::Blob(digest) | PutError::Child(digest) | PutError::Size(digest) => {
            ArchiveError::Lacks(written(&digest))
        }
        PutError::Write(source) => ArchiveError::Files(source),
    }
}

/// Moves content from the folder of an import into the repository, unless it is there.
fn adopt(
    layout: &store::Layout,
    name: &RepositoryName,
    digest: &Digest,
    staged: Option<PathBuf>,
) -> Result<(), ArchiveError> {
    if store::open(layout, name, digest)?.is_some() {
        return Ok(());
    }
    let staged = staged.ok_or_else(|| ArchiveError::Lacks(written(digest)))?;
    std::fs::File::open(&staged)?.sync_all()?;
    Ok(store::adopt(layout, name, digest, &staged)?)
}
