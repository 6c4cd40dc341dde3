//! Secrets of releases: released to the proven host that runs them, never a part of `Desired`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Digest;

/// Which values the host needs now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SecretsAsk {
    /// Of one release in its present `Desired`.
    Release {
        /// Uid of the Deployment.
        deployment: Uuid,
        /// The release's revision.
        revision: Digest,
    },
    /// The bootstrap tokens of its cluster that concern this host: its own to join with, or (control plane) those that it is to
    /// make valid. Keys are token ids, values the secret halves.
    Bootstrap {
        /// Uid of the Cluster.
        cluster: Uuid,
    },
}

/// What it gets: placeholder -> value. Kept in memory only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secrets {
    /// By [`placeholder`], or by token id.
    pub values: BTreeMap<String, String>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets({} values)", self.values.len())
    }
}

/// What stands in manifests, environments and user data in the place of a secret parameter: `cairn-secret-<32 hex digits>`.
/// In a Kubernetes Secret's `data` it may also stand base64-encoded.
pub fn placeholder(deployment: Uuid, parameter: &str) -> String {
    let digest = Digest::of(format!("{deployment}/{parameter}").as_bytes());
    let hex: String = digest.0.iter().take(16).map(|b| format!("{b:02x}")).collect();
    format!("cairn-secret-{hex}")
}
