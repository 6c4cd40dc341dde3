//! A host's part of a Kubernetes cluster.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Distribution;
use crate::Timestamp;

/// What a host is in its cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeDesired {
    /// Uid of the Cluster.
    pub cluster: Uuid,
    /// Its full name.
    pub cluster_name: String,
    /// Name of the node in it: the host's name.
    pub node_name: String,
    /// What it does there.
    pub role: NodeRole,
    /// How.
    pub distribution: Distribution,
    /// Kubernetes version, such as `1.36.1`.
    pub version: String,
    /// Networks of pods.
    pub pod_cidr: String,
    /// Network of services.
    pub service_cidr: String,
    /// Of the template.
    pub extra: BTreeMap<String, String>,
    /// On the Node object.
    pub labels: BTreeMap<String, String>,
    /// On the Node object.
    pub taints: Vec<Taint>,
    /// No new pods come here.
    pub cordoned: bool,
    /// For the control plane: whom it lets in.
    pub bootstrap: Vec<Bootstrap>,
    /// For the control plane: nodes that are drained and then removed from the cluster.
    pub leaving: Vec<String>,
}

/// What a node does in its cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NodeRole {
    /// Has the API server.
    ControlPlane,
    /// Joins one; absent while there is none yet.
    Worker(Option<Join>),
}

/// How a node finds and trusts its control plane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Join {
    /// `ip:port` of the API server.
    pub endpoint: String,
    /// `sha256:<hex>` of the SubjectPublicKeyInfo of the cluster's CA.
    pub ca_pin: String,
    /// Id of the token to join with; its secret half comes by [`super::SecretsAsk::Bootstrap`].
    pub token_id: String,
}

/// One host that may join: once, until the time is over, under its own name only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bootstrap {
    /// Six characters of a-z0-9.
    pub token_id: String,
    /// The only node name whose certificate is signed for it.
    pub node_name: String,
    /// Void from then on.
    pub expires: Timestamp,
}

/// A taint of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Taint {
    /// A label's key.
    pub key: String,
    /// A label's value.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// What it does.
    pub effect: TaintEffect,
}

/// What a taint does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "Kubernetes' own words")]
pub enum TaintEffect {
    NoSchedule,
    PreferNoSchedule,
    NoExecute,
}
