//! The tree that the checks read: the files that git knows or would add, and cargo's members.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::command::Program;
use crate::workspace::{Metadata, Package};

/// Everything the checks look at. Paths are relative to the root, with `/`.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// Text files with their contents.
    pub(super) files: Vec<File>,
    /// Every file, text or not.
    pub(super) paths: Vec<String>,
    pub(super) members: Vec<Member>,
}

#[derive(Debug)]
pub(super) struct File {
    pub(super) path: String,
    pub(super) text: String,
}

/// A crate of the workspace.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) name: String,
    /// Its folder, for example `provisioner/domain`.
    pub(super) folder: String,
    pub(super) layer: Option<String>,
    /// Dependencies of normal and build kind, as the source code names them: `(package, name in code)`.
    pub(super) uses: Vec<(String, String)>,
    /// Dependencies of tests, examples and benchmarks.
    pub(super) uses_in_tests: Vec<(String, String)>,
}

impl Tree {
    pub(super) fn load(root: &Path) -> Result<Self> {
        let args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        let listed = Program::new("git").args(args).within(root).output()?;
        let mut tree = Self::default();
        for path in listed.split('\0').filter(|p| !p.is_empty()) {
            let Ok(bytes) = fs::read(root.join(path)) else { continue };
            tree.paths.push(path.to_owned());
            if let Ok(text) = String::from_utf8(bytes) {
                tree.files.push(File { path: path.to_owned(), text });
            }
        }
        let metadata = Metadata::load(root)?;
        for package in &metadata.packages {
            tree.members.push(Member::new(package, &metadata.workspace_root)?);
        }
        Ok(tree)
    }

    /// The member that a file belongs to: the one with the longest matching folder.
    pub(super) fn member_of(&self, path: &str) -> Option<&Member> {
        let inside = |m: &&Member| path.strip_prefix(&m.folder).is_some_and(|rest| rest.starts_with('/'));
        self.members.iter().filter(inside).max_by_key(|m| m.folder.len())
    }

    pub(super) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|f| f.path == path)
    }

    /// Rust files, without generated or foreign ones.
    pub(super) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|f| f.path.ends_with(".rs"))
    }

    /// A file or a folder of the tree.
    pub(super) fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        path.is_empty()
            || self
                .paths
                .iter()
                .any(|p| p.strip_prefix(path).is_some_and(|r| r.is_empty() || r.starts_with('/')))
    }
}

impl Member {
    fn new(package: &Package, root: &Path) -> Result<Self> {
        let folder = package.manifest_path.parent().context("a manifest lies in a folder")?;
        let folder = folder.strip_prefix(root).context("a member lies in the workspace")?;
        let of_kind = |dev: bool| {
            let kind = package.dependencies.iter().filter(move |d| (d.kind.as_deref() == Some("dev")) == dev);
            kind.map(|d| (d.name.clone(), d.rename.as_ref().unwrap_or(&d.name).replace('-', "_"))).collect()
        };
        Ok(Self {
            name: package.name.clone(),
            folder: folder.to_string_lossy().into_owned(),
            layer: package.layer().map(str::to_owned),
            uses: of_kind(false),
            uses_in_tests: of_kind(true),
        })
    }
}

impl File {
    /// Lines with their number from 1, up to the file's own test module.
    pub(super) fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(i, l)| (i + 1, l));
        lines.take_while(|(_, l)| !l.starts_with("#[cfg(test)]"))
    }

    /// A file of integration tests, examples or benchmarks.
    pub(super) fn is_test(&self) -> bool {
        ["/tests/", "/benches/", "/examples/", "/fuzz/"].iter().any(|part| self.path.contains(part))
            && self.path.contains(".rs")
            || self.path.ends_with("/tests.rs")
    }
}

#[cfg(test)]
pub(super) mod fixture {
    //! Small trees for the checks' tests.

    use super::{File, Member, Tree};

    pub(crate) fn tree(files: &[(&str, &str)]) -> Tree {
        let files: Vec<File> =
            files.iter().map(|(p, t)| File { path: (*p).into(), text: (*t).into() }).collect();
        Tree { paths: files.iter().map(|f| f.path.clone()).collect(), files, members: Vec::new() }
    }

    pub(crate) fn member(folder: &str, layer: &str, uses: &[&str]) -> Member {
        let tail = folder.rsplit('/').next().expect("split gives one");
        Member {
            name: format!("cairn-{tail}"),
            folder: folder.into(),
            layer: Some(layer.into()),
            uses: uses.iter().map(|u| ((*u).to_owned(), u.replace('-', "_"))).collect(),
            uses_in_tests: Vec::new(),
        }
    }
}
