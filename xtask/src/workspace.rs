//! What `cargo metadata` says about the workspace: members, layers, edges. Read only.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::command::Program;

/// The parts of `cargo metadata --no-deps` that xtask reads.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) workspace_root: PathBuf,
    pub(crate) target_directory: PathBuf,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) manifest_path: PathBuf,
    pub(crate) dependencies: Vec<Dependency>,
    #[serde(default)]
    metadata: Option<Own>,
}

#[derive(Debug, Default, Deserialize)]
struct Own {
    layer: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) rename: Option<String>,
    /// `None` for a normal dependency, else `dev` or `build`.
    pub(crate) kind: Option<String>,
}

impl Metadata {
    /// Asks cargo about the workspace that holds `dir`.
    pub(crate) fn load(dir: &Path) -> Result<Self> {
        let args = ["metadata", "--no-deps", "--locked", "--format-version", "1"];
        let text = Program::cargo().args(args).within(dir).output()?;
        serde_json::from_str(&text).context("cargo metadata is not what was expected")
    }
}

impl Package {
    pub(crate) fn layer(&self) -> Option<&str> {
        self.metadata.as_ref()?.layer.as_deref()
    }
}
