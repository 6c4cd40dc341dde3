//! A Kubernetes distribution as data: what a host places, writes, starts, asks and removes. No shell: programs with arguments.
//!
//! Texts may hold `{{name}}`, filled in by the host: see [`Distribution`].

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Digest;

/// How one distribution is run. Words in `{{ }}` of files, arguments and environments:
/// `node_name`, `node_ip`, `cluster_name`, `endpoint` (`ip:port` of the API server), `pod_cidr`, `service_cidr`, `dns_ip`,
/// `version`, `token` (`id.secret`), `ca_pin` (`sha256:<hex>`), `labels` (`a=b,c=d`), `taints` (`k=v:Effect,…`), `registry`,
/// `bin` (folder of the placed programs), `state` (folder that outlives a reboot), `extra.<key>` (of the template).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
// The kind of resource has the name in documents.
#[schemars(rename = "DistributionRun")]
pub struct Distribution {
    /// Files that must be there, by digest.
    pub artifacts: Vec<Artifact>,
    /// On every node, before the rest.
    pub common: Steps,
    /// On a control plane node.
    pub control_plane: Steps,
    /// On a node that joins.
    pub worker: Steps,
    /// kubeconfig of an administrator, on a control plane node, by which the agent applies and proxies. Absolute.
    pub admin_kubeconfig: String,
    /// CA certificate of the API server, PEM, on a control plane node: its public key is the pin. Absolute.
    pub ca_certificate: String,
    /// How a joining node comes to trust the API server.
    #[serde(skip_serializing_if = "Discovery::is_own")]
    pub discovery: Discovery,
    /// kubeconfig of the kubelet, on every node: by it the agent cordons its own node. Absolute; empty: there is none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub node_kubeconfig: String,
    /// Run in order when the node leaves, before units stop; failures are noted and passed over.
    pub uninstall: Vec<Command>,
    /// Files and folders that are removed then. Absolute, at least two components deep.
    pub remove: Vec<String>,
}

/// How a joining node comes to trust the API server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Discovery {
    /// The distribution's own programs see to it, with `token` and `ca_pin`.
    #[default]
    Own,
    /// The agent reads `kube-public/cluster-info`, checks the token's signature and the pin, and writes the CA to
    /// `caCertificate` before the worker's files.
    ClusterInfo,
}

impl Discovery {
    fn is_own(&self) -> bool {
        *self == Self::Own
    }
}

/// A file by digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Artifact {
    /// What `files` and people call it, such as `kubelet`.
    pub name: String,
    /// Of its bytes.
    #[schemars(with = "String")]
    pub digest: Digest,
    /// Its length.
    pub size: u64,
    /// What becomes of it.
    pub place: Placement,
}

/// What becomes of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Placement {
    /// A program in `{{bin}}` of this name.
    Program(String),
    /// A file at this absolute path.
    File(String),
    /// A tar archive (plain, gzip or zstd) unpacked into this absolute folder; no links out of it, no `..`.
    Unpack(String),
    /// An OCI archive imported into containerd, namespace `k8s.io`.
    Image,
}

/// A part of the way to a node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Steps {
    /// Written first.
    pub files: Vec<ManagedFile>,
    /// Run once, in order, after the files; run again after a failure.
    pub setup: Vec<Command>,
    /// Kept running.
    pub units: Vec<Unit>,
    /// Run once, in order, when the units run and `health` holds.
    pub finish: Vec<Command>,
    /// All must hold for the node to count as healthy.
    pub health: Vec<Probe>,
}

/// A file that the host writes, and writes again when it differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ManagedFile {
    /// Absolute.
    pub path: String,
    /// With `{{ }}`.
    pub text: String,
    /// Only its owner may read it.
    #[serde(default)]
    pub private: bool,
}

/// A program with arguments, run to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Command {
    /// The program (`{{bin}}/…` or absolute) and its arguments.
    pub run: Vec<String>,
    /// Not run when this path exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creates: Option<String>,
    /// Seconds until it is ended and counts as failed.
    #[serde(default = "usual_limit")]
    pub limit_s: u32,
}

fn usual_limit() -> u32 {
    300
}

/// A program that is kept running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Unit {
    /// RFC 1123 label; the systemd unit is `cairn-<name>.service`.
    pub name: String,
    /// The program and its arguments.
    pub run: Vec<String>,
    /// Its environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Started when these hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<Probe>,
    /// Its processes stay when it is restarted (containerd, kubelet: their pods go on).
    #[serde(default)]
    pub leave_children: bool,
}

/// A question to a running part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Probe {
    /// What of the node it tells, for people: `apiserver`.
    pub name: String,
    /// What must hold.
    pub condition: Condition,
    /// Seconds that it may take to hold after the start.
    #[serde(default = "usual_limit")]
    pub patience_s: u32,
}

/// What must hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Condition {
    /// Something listens on this Unix socket.
    Socket(String),
    /// This path exists.
    Exists(String),
    /// An HTTP GET on loopback answers 200. `https` is not verified: it is loopback, and only its status is read.
    Http(String),
}
