//! Where the lab keeps things: `.lab/` of the workspace (git-ignored), or `CAIRN_LAB_DIR`; sockets in `/run/cairn-lab`,
//! because a socket's path may have 107 bytes only.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Why a folder of the lab cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use {path}")]
pub struct WorkspaceError {
    path: PathBuf,
    #[source]
    source: std::io::Error,
}

impl WorkspaceError {
    fn at(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { path, source }
    }
}

/// The lab's folder.
#[derive(Debug, Clone)]
pub struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// `CAIRN_LAB_DIR`, or `.lab` of the workspace that this program was built from; made if absent.
    pub fn open() -> Result<Self, WorkspaceError> {
        let built_from = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3);
        let root = std::env::var_os("CAIRN_LAB_DIR")
            .map(PathBuf::from)
            .or_else(|| built_from.map(|path| path.join(".lab")))
            .unwrap_or_else(|| PathBuf::from(".lab"));
        Self::at(&root)
    }

    /// A folder of your choice; made if absent.
    pub fn at(root: &Path) -> Result<Self, WorkspaceError> {
        fs::create_dir_all(root).map_err(WorkspaceError::at(root))?;
        // QEMU runs elsewhere: paths must not depend on the current folder.
        let root = fs::canonicalize(root).map_err(WorkspaceError::at(root))?;
        Ok(Self { root })
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A folder below it, made if absent.
    pub fn folder(&self, name: &str) -> Result<PathBuf, WorkspaceError> {
        let path = self.root.join(name);
        fs::create_dir_all(&path).map_err(WorkspaceError::at(&path))?;
        Ok(path)
    }

    /// A folder below it, emptied if it was there.
    pub fn fresh_folder(&self, name: &str) -> Result<PathBuf, WorkspaceError> {
        let path = self.root.join(name);
        match fs::remove_dir_all(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(WorkspaceError { path, source })
            }
            _ => self.folder(name),
        }
    }
}

/// Holds the file lock `path` until dropped; waits for other processes.
pub(crate) fn locked(path: &Path) -> Result<File, WorkspaceError> {
    let file = File::create(path).map_err(WorkspaceError::at(path))?;
    file.lock().map_err(WorkspaceError::at(path))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_folder_is_empty() {
        let root = std::env::temp_dir().join(format!("cairn-lab-test-{}", std::process::id()));
        let lab = Workspace::at(&root).unwrap();
        fs::write(lab.folder("a/b").unwrap().join("old"), "x").unwrap();
        assert_eq!(fs::read_dir(lab.fresh_folder("a/b").unwrap()).unwrap().count(), 0);
        fs::remove_dir_all(root).unwrap();
    }
}
