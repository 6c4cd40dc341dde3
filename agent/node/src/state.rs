//! What this host did so far for its node: `node.json`, written whole and renamed. Holds no secret.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use cairn_contract::workload::NodeDesired;
use cairn_contract::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use crate::control::Memory;

/// An artifact that was put.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// Of what was fetched.
    pub digest: Digest,
    /// Files that came of it; none of an image.
    pub files: Vec<PathBuf>,
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// The last order: leaving needs it when the provisioner says no more.
    pub desired: Option<NodeDesired>,
    /// By the artifact's name.
    pub placed: BTreeMap<String, Placed>,
    /// Files that were written.
    pub files: BTreeSet<String>,
    /// Units that were started, and of what they were made then.
    pub units: BTreeMap<String, Digest>,
    /// Commands that ended well.
    pub done: BTreeSet<Digest>,
    /// CA that was found and checked, with the pin that it was checked by.
    pub discovered: Option<String>,
    /// The node was healthy once: its token is of no more use.
    pub joined: bool,
    /// Being removed.
    pub leaving: bool,
    /// Since when the present attempt to get healthy goes on.
    pub waiting_since: Option<Timestamp>,
    /// Of a control plane.
    pub memory: Memory,
}

impl State {
    /// Reads it; a file that is absent or broken means that nothing was done, and everything is looked at again.
    pub(crate) fn load(folder: &Path) -> Self {
        let Ok(bytes) = fs::read(path(folder)) else { return Self::default() };
        serde_json::from_slice(&bytes).unwrap_or_else(|error| {
            tracing::warn!(%error, "node.json cannot be read and is begun anew");
            Self::default()
        })
    }

    /// Writes it, durably.
    pub(crate) fn save(&self, folder: &Path) -> io::Result<()> {
        let bytes = serde_json::to_vec_pretty(self)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&bytes)?;
        file.as_file().sync_all()?;
        file.persist(path(folder))?;
        fs::File::open(folder)?.sync_all()
    }

    /// Forgets everything.
    pub(crate) fn remove(folder: &Path) -> io::Result<()> {
        match fs::remove_file(path(folder)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join("node.json")
}
