//! Chooses kernel modules: by name or folder, with what they depend on, in an order that loads.
//!
//! Works on the text of `modules.dep`, `modules.builtin` and `modules.softdep` (depmod(8), modules.dep(5)). It
//! loads nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::error::{BuildError, at};
use crate::recipe::ModuleSet;

/// What depmod says about a kernel.
#[derive(Debug, Default)]
pub(crate) struct Index {
    kernel: String,
    /// Path to the paths it needs, in the order of loading.
    needs: BTreeMap<String, Vec<String>>,
    by_name: BTreeMap<String, String>,
    builtin: BTreeSet<String>,
    /// Name to the names that should be there too.
    wishes: BTreeMap<String, Vec<String>>,
}

/// Modules chosen. Paths are as seen from the kernel's module folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    /// All files.
    pub(crate) files: BTreeSet<String>,
    /// Those to load at start, in order, with what they need before them.
    pub(crate) load: Vec<String>,
}

impl Index {
    /// Reads depmod's files of a kernel.
    pub(crate) fn read(kernel: &str, folder: &Path) -> Result<Self, BuildError> {
        let text = |name: &str| {
            let path = folder.join(name);
            fs::read_to_string(&path).map_err(at(&path))
        };
        Ok(Self::parse(kernel, &text("modules.dep")?, &text("modules.builtin")?, &text("modules.softdep")?))
    }

    fn parse(kernel: &str, dep: &str, builtin: &str, soft: &str) -> Self {
        let mut index = Self { kernel: kernel.to_owned(), ..Self::default() };
        for (path, needs) in dep.lines().filter_map(|l| l.split_once(':')) {
            // depmod lists the nearest first; loading starts at the far end.
            let needs = needs.split_whitespace().rev().map(str::to_owned).collect();
            index.by_name.insert(name_of(path), path.to_owned());
            index.needs.insert(path.to_owned(), needs);
        }
        index.builtin = builtin.lines().map(name_of).collect();
        for line in soft.lines() {
            let mut words = line.split_whitespace();
            if words.next() == Some("softdep")
                && let Some(name) = words.next()
            {
                let wished = words.filter(|w| !w.ends_with(':')).map(name_of);
                index.wishes.entry(name_of(name)).or_default().extend(wished);
            }
        }
        index
    }

    /// The modules of a set.
    pub(crate) fn select(&self, set: &ModuleSet) -> Result<Selection, BuildError> {
        let mut selection = Selection::default();
        for name in &set.load {
            let Some(path) = self.find(name)? else { continue };
            for needed in self.needs(path).chain([path]) {
                if !selection.load.iter().any(|there| there == needed) {
                    selection.load.push(needed.to_owned());
                }
            }
        }
        let mut wanted: Vec<&str> = selection.load.iter().map(String::as_str).collect();
        for name in &set.names {
            wanted.extend(self.find(name)?);
        }
        let begins = |path: &str, with: &[String]| with.iter().any(|w| path.starts_with(w.as_str()));
        let in_folders = self.needs.keys().filter(|p| begins(p, &set.dirs) && !begins(p, &set.except));
        wanted.extend(in_folders.map(String::as_str));
        selection.files = self.closure(wanted);
        Ok(selection)
    }

    /// A module's path; `None` when it is part of the kernel itself.
    fn find(&self, name: &str) -> Result<Option<&str>, BuildError> {
        let name = name_of(name);
        match self.by_name.get(&name) {
            Some(path) => Ok(Some(path)),
            None if self.builtin.contains(&name) => Ok(None),
            None => Err(BuildError::NoModule { kernel: self.kernel.clone(), module: name }),
        }
    }

    fn needs(&self, path: &str) -> impl Iterator<Item = &str> {
        self.needs.get(path).into_iter().flatten().map(String::as_str)
    }

    /// Hard dependencies always, soft ones where this kernel has them.
    fn closure<'a>(&'a self, mut wanted: Vec<&'a str>) -> BTreeSet<String> {
        let mut files = BTreeSet::new();
        while let Some(path) = wanted.pop() {
            if files.insert(path.to_owned()) {
                wanted.extend(self.needs(path));
                let wished = self.wishes.get(&name_of(path)).into_iter().flatten();
                wanted.extend(wished.filter_map(|name| self.by_name.get(name)).map(String::as_str));
            }
        }
        files
    }
}

/// A module's name as the kernel says it: no folder, no ending, `_` for `-`.
pub(crate) fn name_of(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.split(".ko").next().unwrap_or(file).replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEP: &str = "\
kernel/a/net.ko: kernel/a/mid.ko kernel/b/low.ko
kernel/a/mid.ko: kernel/b/low.ko
kernel/b/low.ko:
kernel/b/crc-x.ko:
kernel/c/other.ko:
";

    fn select(set: &ModuleSet) -> Result<Selection, BuildError> {
        Index::parse("6.1", DEP, "kernel/d/tpm.ko\n", "softdep low pre: crc_x nothing\n").select(set)
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|n| (*n).to_owned()).collect()
    }

    #[test]
    fn what_a_module_needs_is_loaded_before_it_and_once() {
        let found =
            select(&ModuleSet { load: names(&["mid", "net", "tpm"]), ..ModuleSet::default() }).unwrap();
        assert_eq!(found.load, names(&["kernel/b/low.ko", "kernel/a/mid.ko", "kernel/a/net.ko"]));
        assert!(found.files.contains("kernel/b/crc-x.ko"), "soft dependencies are present");
    }

    #[test]
    fn folders_are_taken_without_exceptions() {
        let set = ModuleSet {
            dirs: names(&["kernel/b", "kernel/c"]),
            except: names(&["kernel/c/oth"]),
            ..ModuleSet::default()
        };
        let found = select(&set).unwrap();
        assert_eq!(
            found.files.into_iter().collect::<Vec<_>>(),
            names(&["kernel/b/crc-x.ko", "kernel/b/low.ko"])
        );
        assert!(found.load.is_empty());
    }

    #[test]
    fn a_module_that_the_kernel_does_not_have_is_an_error() {
        let set = ModuleSet { names: names(&["gone"]), ..ModuleSet::default() };
        assert_eq!(select(&set).unwrap_err().to_string(), "kernel 6.1 has no module gone");
    }
}
