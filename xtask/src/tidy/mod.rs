//! `cargo xtask tidy`: the rules of ARCHITECTURE.md and the house style that no compiler checks.
//!
//! `run` reads the tree once; every check is a pure function from that tree to findings.

mod dependencies;
mod layers;
mod links;
mod manifests;
mod purity;
mod scripts;
mod sizes;
mod tree;

use std::fmt;
use std::path::Path;

use anyhow::{Result, bail};

use tree::Tree;

/// A broken rule, at a place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    /// Counted from 1; 0 is the whole file.
    line: usize,
    what: String,
}

impl Finding {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.what),
            line => write!(f, "{}:{line}: {}", self.path, self.what),
        }
    }
}

/// Checks the workspace at `root`; says each broken rule, and fails when there is one.
pub(crate) fn run(root: &Path) -> Result<()> {
    let tree = Tree::load(root)?;
    let findings = check(&tree);
    for finding in &findings {
        eprintln!("{finding}");
    }
    if !findings.is_empty() {
        bail!("{} broken rules", findings.len());
    }
    eprintln!("tidy: {} files, {} crates, nothing to say", tree.files.len(), tree.members.len());
    Ok(())
}

fn check(tree: &Tree) -> Vec<Finding> {
    let checks = [
        layers::check,
        purity::check,
        sizes::check,
        manifests::check,
        dependencies::check,
        links::check,
        scripts::check,
    ];
    let mut findings: Vec<Finding> = checks.iter().flat_map(|check| check(tree)).collect();
    findings.sort();
    findings
}
