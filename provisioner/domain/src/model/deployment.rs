//! A package brought to hosts or clusters, and the secrets that it may use.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::selector::Selector;

/// A package brought to targets of its project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeploymentSpec {
    /// Name of the package: of this namespace, or of one above.
    pub package: String,
    /// Its version; absent: the newest, also when a newer one comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// A profile of the package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Parameters; they come before the profile's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, Value>,
    /// Where it goes.
    pub targets: Targets,
    /// Other parameters for some targets; later ones come first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<Override>,
    /// How a change reaches the targets.
    #[serde(default)]
    pub rollout: Rollout,
    /// Nothing changes on any target until it is false again.
    #[serde(default)]
    pub paused: bool,
}

/// Where a deployment goes. Packages of manifests, charts and kustomizations go to clusters, of containers to hosts; of virtual
/// machines to whichever is named here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Targets {
    /// Clusters or hosts.
    pub kind: TargetKind,
    /// By effective labels; new ones and changed ones too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<Selector>,
    /// By name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

/// What a deployment goes to.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum TargetKind {
    /// Kubernetes clusters.
    #[default]
    Cluster,
    /// Hosts themselves.
    Host,
}

/// Other parameters for some targets.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Override {
    /// By effective labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<Selector>,
    /// By name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// What they get.
    pub parameters: BTreeMap<String, Value>,
}

/// How a change reaches the targets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Rollout {
    /// Percent of the targets that have the change, batch after batch, rising to 100; empty: all at once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub batches: Vec<u8>,
    /// Percent of the targets of the batches so far that must be ready before the next begins: 1 to 100.
    pub success_percent: u8,
    /// Targets that failed at which it stops; absent: it stops when the percentage cannot be reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_failed: Option<u32>,
}

impl Default for Rollout {
    fn default() -> Self {
        Self { batches: Vec::new(), success_percent: 100, max_failed: None }
    }
}

/// Values that only proven hosts get. They are set apart from this (`cairn secret set`), and shown to nobody; `status.keys` tells
/// which there are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretSpec {
    /// For people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
}
