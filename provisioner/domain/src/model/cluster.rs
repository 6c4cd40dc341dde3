//! Kubernetes clusters: distributions, templates, clusters.

use std::collections::BTreeMap;

use cairn_contract::workload::{Distribution, Taint};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Labels;
use crate::selector::Selector;

/// A Kubernetes distribution at one version: its files by digest, and how hosts run it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DistributionSpec {
    /// `kubeadm`, `k3s`, `rke2`, or your own word.
    pub family: String,
    /// Kubernetes version, such as `1.36.1`.
    pub version: String,
    /// What hosts do.
    pub run: Distribution,
}

/// What clusters are made from. Each change of it must raise `version`; clusters that exist keep what they were made with until
/// they are upgraded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterTemplateSpec {
    /// Three numbers, such as `1.0.0`.
    pub version: String,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Name of a Distribution: of this namespace, or of one above.
    pub distribution: String,
    /// IPv4 network of pods.
    #[serde(default = "pods")]
    pub pod_cidr: String,
    /// IPv4 network of services; apart from that of pods.
    #[serde(default = "services")]
    pub service_cidr: String,
    /// Network plugin: a word that the distribution knows, such as `bridge`, `flannel`, `none`.
    #[serde(default = "cni")]
    pub cni: String,
    /// Labels of all nodes.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub node_labels: Labels,
    /// Taints of all nodes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taints: Vec<Taint>,
    /// Further words for the distribution's files: `{{extra.KEY}}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, String>,
    /// Packages that every cluster gets: names of Packages with their version, as in a Deployment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addons: Vec<Addon>,
    /// Used where a cluster names none. One of a namespace at most.
    #[serde(default)]
    pub default: bool,
}

fn pods() -> String {
    "10.42.0.0/16".to_owned()
}
fn services() -> String {
    "10.43.0.0/16".to_owned()
}
fn cni() -> String {
    "bridge".to_owned()
}

/// A package that comes with a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Addon {
    /// Name of the package.
    pub package: String,
    /// Its version; absent: the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Parameters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, serde_json::Value>,
}

/// A cluster. Its own labels are those by which deployments find it, besides those of its project.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterSpec {
    /// Name of a ClusterTemplate, of this namespace or one above; absent: the default one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// Hosts of this project by name. The first is the control plane, unless `controlPlane` names another.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// Further hosts of this project, by their effective labels; they come and go as these change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<Selector>,
    /// The host with the API server. It cannot change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control_plane: Option<String>,
}
