//! Firmware files that chosen modules declare (`modinfo -F firmware`), out of unpacked Debian packages.
//!
//! Not for files that a driver asks for without declaring them: those stay out, and the driver says so.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use cairn_apt::Apt;

use crate::cache::{Cache, Key};
use crate::error::{BuildError, at};
use crate::program;

/// An entry below `lib/firmware`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// A file, to be read from here.
    File(PathBuf),
    /// A link to another entry, as the package has it.
    Link(String),
}

/// Paths below `lib/firmware`.
pub(crate) type Files = BTreeMap<String, Entry>;

/// The unpacked packages and their hash.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) key: String,
    folder: PathBuf,
}

impl Source {
    pub(crate) fn fetch(cache: &Cache, apt: &Apt, packages: &[String]) -> Result<Self, BuildError> {
        let names: Vec<&str> = packages.iter().map(String::as_str).collect();
        let key = Key::of("firmware", 1).and(format!("{:?}", apt.candidates(&names)?));
        let dir = cache.entry("firmware packages", &key, |dir| Ok(apt.unpack(&names, dir)?))?;
        Ok(Self { key: key.name(), folder: dir.join("lib/firmware") })
    }

    /// The files that these modules declare and the packages have.
    pub(crate) fn declared_by(&self, modules: &[PathBuf]) -> Result<Files, BuildError> {
        let args = ["-F", "firmware"]
            .map(Into::into)
            .into_iter()
            .chain(modules.iter().map(|m| m.clone().into_os_string()));
        let declared: BTreeSet<String> = program::run("modinfo", args)?.lines().map(str::to_owned).collect();
        let mut files = Files::new();
        for name in declared {
            self.add(&name, &mut files)?;
        }
        Ok(files)
    }

    /// Follows links inside the folder, so that no link dangles; a file that the packages lack is passed over.
    fn add(&self, name: &str, files: &mut Files) -> Result<(), BuildError> {
        let path = self.folder.join(name);
        if files.contains_key(name) || name.contains("..") {
            return Ok(());
        }
        let Ok(about) = fs::symlink_metadata(&path) else { return Ok(()) };
        if about.is_symlink() {
            let target = fs::read_link(&path).map_err(at(&path))?;
            let target = target.to_string_lossy().into_owned();
            if let Some(next) = resolve(name, &target) {
                files.insert(name.to_owned(), Entry::Link(target));
                return self.add(&next, files);
            }
        } else if about.is_file() {
            files.insert(name.to_owned(), Entry::File(path));
        }
        Ok(())
    }
}

/// Where a link at `name` leads inside the folder; `None` when it leads outside.
fn resolve(name: &str, target: &str) -> Option<String> {
    if Path::new(target).is_absolute() {
        return None;
    }
    let mut parts: Vec<&str> = name.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_followed_inside_and_not_outside() {
        assert_eq!(
            resolve("intel/ice/ddp/ice.pkg", "ice-1.3.pkg").as_deref(),
            Some("intel/ice/ddp/ice-1.3.pkg")
        );
        assert_eq!(resolve("a/b", "../c/d").as_deref(), Some("c/d"));
        assert_eq!(resolve("a", "../../etc/shadow"), None);
        assert_eq!(resolve("a", "/etc/shadow"), None);
    }
}
