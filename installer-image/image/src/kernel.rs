//! A Debian kernel package, unpacked and indexed. Never installed on the build machine.

use std::fs;
use std::path::{Path, PathBuf};

use cairn_apt::Apt;

use crate::cache::{Cache, Key};
use crate::error::{BuildError, at};
use crate::program;

/// An unpacked kernel.
#[derive(Debug)]
pub(crate) struct Kernel {
    /// As `uname -r` says it.
    pub(crate) version: String,
    /// The hash of its package.
    pub(crate) key: String,
    dir: PathBuf,
}

impl Kernel {
    /// The kernel that the package `meta` depends on.
    pub(crate) fn fetch(cache: &Cache, apt: &Apt, meta: &str) -> Result<Self, BuildError> {
        let package = apt.dependency(meta, "linux-image-")?;
        let version = package.trim_start_matches("linux-image-").to_owned();
        let chosen = apt.candidates(&[&package])?;
        let key = Key::of("kernel", 1).and(format!("{chosen:?}"));
        let dir = cache.entry(meta, &key, |dir| {
            apt.unpack(&[&package], dir)?;
            // The package makes its module index when it is installed.
            index(dir, &version)
        })?;
        Ok(Self { version, key: key.name(), dir })
    }

    /// The kernel image.
    pub(crate) fn image(&self) -> PathBuf {
        self.dir.join(format!("boot/vmlinuz-{}", self.version))
    }

    /// The folder that `modules.dep` and its like speak of.
    pub(crate) fn modules(&self) -> PathBuf {
        module_folder(&self.dir, &self.version)
    }

    /// Puts some of the modules, indexed anew, below `root`.
    pub(crate) fn copy_modules<'a>(
        &self,
        paths: impl IntoIterator<Item = &'a String>,
        root: &Path,
    ) -> Result<PathBuf, BuildError> {
        let to = module_folder(root, &self.version);
        for path in paths {
            copy(&self.modules().join(path), &to.join(path))?;
        }
        for name in ["modules.order", "modules.builtin", "modules.builtin.modinfo"] {
            copy(&self.modules().join(name), &to.join(name))?;
        }
        index(root, &self.version)?;
        Ok(to)
    }
}

fn module_folder(root: &Path, version: &str) -> PathBuf {
    root.join("lib/modules").join(version)
}

fn index(root: &Path, version: &str) -> Result<(), BuildError> {
    let root = root.as_os_str();
    program::run("depmod", [std::ffi::OsStr::new("-b"), root, version.as_ref()]).map(drop)
}

fn copy(from: &Path, to: &Path) -> Result<(), BuildError> {
    let parent = to.parent().expect("a file in a module folder has a parent");
    fs::create_dir_all(parent).map_err(at(parent))?;
    fs::copy(from, to).map(drop).map_err(at(from))
}
