//! The files of an application: those in place, and those of its archive.

use std::{collections::BTreeMap, fmt, io::Read, path::Path};

use cairn_domain::model::Files;
use cairn_workload::substitute;
use futures_util::future::BoxFuture;

use super::{Fault, archive};

/// Where archives of packages come from: the appliance's registry.
pub trait Packages: fmt::Debug + Send + Sync + 'static {
    /// The one layer of the artifact `repository@sha256:…`, a tar archive in gzip: only when that repository has it.
    fn open<'a>(&'a self, reference: &'a str) -> BoxFuture<'a, Result<Box<dyn Read + Send>, PackageError>>;
}

/// Why there is no archive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackageError {
    /// The repository has no such manifest.
    #[error("the registry has no {0}; push it, or import it from an archive")]
    Absent(String),
    /// It is there, and no archive of a package.
    #[error("{0}")]
    Unfit(String),
    /// The registry failed.
    #[error("the registry cannot be read: {0}")]
    Failed(String),
}

impl From<PackageError> for Fault {
    fn from(error: PackageError) -> Self {
        let reason = match error {
            PackageError::Absent(_) => "ArtifactAbsent",
            PackageError::Unfit(_) => "ArchiveInvalid",
            PackageError::Failed(_) => "RegistryFailed",
        };
        Self::new(reason, error.to_string())
    }
}

/// Files by name, and the folder that is meant (`""`: all).
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) files: archive::Files,
    pub(super) folder: String,
}

/// All files; `texts` are put into those of the archive.
pub(super) async fn gather(
    files: &Files,
    texts: &BTreeMap<String, String>,
    packages: &dyn Packages,
) -> Result<Tree, Fault> {
    let mut tree = unpacked(files, packages).await?;
    for (name, bytes) in &mut tree.files {
        let Ok(text) = std::str::from_utf8(bytes) else { continue };
        let invalid =
            |e: cairn_workload::SubstituteError| Fault::new("ParameterUnknown", format!("{name} {e}"));
        if let std::borrow::Cow::Owned(filled) = substitute(text, texts).map_err(invalid)? {
            *bytes = filled.into_bytes();
        }
    }
    in_place(files, &mut tree)?;
    Ok(tree)
}

/// All files as they are: charts have templates of their own.
pub(super) async fn gather_as_is(files: &Files, packages: &dyn Packages) -> Result<Tree, Fault> {
    let mut tree = unpacked(files, packages).await?;
    in_place(files, &mut tree)?;
    Ok(tree)
}

async fn unpacked(files: &Files, packages: &dyn Packages) -> Result<Tree, Fault> {
    let folder = files.path.as_deref().map(|path| archive::plain_name(Path::new(path))).transpose()?;
    let mut tree = Tree { files: archive::Files::new(), folder: folder.unwrap_or_default() };
    if let Some(reference) = &files.artifact {
        let packed = packages.open(reference).await?;
        let unpacked = tokio::task::spawn_blocking(move || archive::unpack(packed)).await;
        tree.files = unpacked.map_err(|e| Fault::new("ArchiveInvalid", e.to_string()))??;
    }
    Ok(tree)
}

fn in_place(files: &Files, tree: &mut Tree) -> Result<(), Fault> {
    for (name, text) in &files.inline {
        let name = archive::plain_name(Path::new(name))?;
        // What is in place lies beside what the archive has in the folder that is meant.
        let name = if tree.folder.is_empty() { name } else { format!("{}/{name}", tree.folder) };
        tree.files.insert(name, text.clone().into_bytes());
    }
    Ok(())
}

/// Whether a file is in a folder.
pub(super) fn is_in(name: &str, folder: &str) -> bool {
    folder.is_empty() || name.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}
