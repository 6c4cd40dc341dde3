//! Edits a root file system's tree before it becomes an image. Modes are set, never left to the umask.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use crate::error::{BuildError, at};

/// A folder that becomes the root of a file system.
#[derive(Debug)]
pub(crate) struct Tree {
    root: PathBuf,
}

impl Tree {
    /// An existing folder.
    pub(crate) fn at(root: PathBuf) -> Self {
        Self { root }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Adds folders, with their parents.
    pub(crate) fn dir(&self, path: &str, mode: u32) -> Result<(), BuildError> {
        let mut below = self.root.clone();
        for part in path.split('/') {
            below.push(part);
            if !below.is_dir() {
                fs::create_dir(&below).map_err(at(&below))?;
                set_mode(&below, 0o755)?;
            }
        }
        set_mode(&below, mode)
    }

    /// Writes a file in place of what was there.
    pub(crate) fn file(&self, path: &str, mode: u32, bytes: impl AsRef<[u8]>) -> Result<(), BuildError> {
        let full = self.prepared(path)?;
        fs::write(&full, bytes).map_err(at(&full))?;
        set_mode(&full, mode)
    }

    /// Makes a symbolic link in place of what was there.
    pub(crate) fn link(&self, path: &str, target: &str) -> Result<(), BuildError> {
        let full = self.prepared(path)?;
        symlink(target, &full).map_err(at(&full))
    }

    /// Removes a file or folder, if it is there.
    pub(crate) fn remove(&self, path: &str) -> Result<(), BuildError> {
        let full = self.root.join(path);
        let done = match fs::symlink_metadata(&full) {
            Ok(about) if about.is_dir() => fs::remove_dir_all(&full),
            Ok(_) => fs::remove_file(&full),
            Err(_) => Ok(()),
        };
        done.map_err(at(&full))
    }

    /// Leaves a folder, and nothing in it.
    pub(crate) fn empty(&self, path: &str, mode: u32) -> Result<(), BuildError> {
        self.remove(path)?;
        self.dir(path, mode)
    }

    /// The path of a file to be, its parents made and itself removed.
    fn prepared(&self, path: &str) -> Result<PathBuf, BuildError> {
        if let Some((parent, _)) = path.rsplit_once('/')
            && !self.root.join(parent).is_dir()
        {
            self.dir(parent, 0o755)?;
        }
        self.remove(path)?;
        Ok(self.root.join(path))
    }
}

fn set_mode(path: &Path, mode: u32) -> Result<(), BuildError> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(at(path))
}
