//! What a host says of what it runs.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Digest;

/// The whole picture, each time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Observed {
    /// Revision of the `Desired` that it carries out.
    pub revision: Option<Digest>,
    /// Its part of a cluster; absent when nothing of one is left on it.
    pub node: Option<NodeObserved>,
    /// What it was told to run; also what it was told to remove, until that is gone.
    pub releases: Vec<ReleaseObserved>,
}

/// How far something is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Phase {
    /// Not begun: something comes first.
    #[default]
    Waiting,
    /// Under way.
    Progressing,
    /// As it shall be, and healthy.
    Ready,
    /// It was ready; now a part of it is not.
    Degraded,
    /// It does not get there; it is tried again.
    Failed,
    /// Being removed.
    Removing,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeObserved {
    /// Uid of the Cluster.
    pub cluster: Uuid,
    /// How far.
    pub phase: Phase,
    /// One word in upper camel case, such as `DigestMismatch`.
    pub reason: String,
    /// For people, with what to do.
    pub message: String,
    /// Of a control plane: `ip:port`.
    pub endpoint: Option<String>,
    /// Of a control plane: see [`super::Join::ca_pin`].
    pub ca_pin: Option<String>,
    /// Of a control plane: the nodes that the cluster has.
    pub nodes: Vec<KubeNode>,
    /// Of a control plane: ids of tokens that were used or ran out; they are void there.
    pub spent_tokens: Vec<String>,
}

/// A Node object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KubeNode {
    /// Its name.
    pub name: String,
    /// Its condition Ready is True.
    pub ready: bool,
    /// Its kubelet's version.
    pub version: String,
    /// Message of its condition Ready.
    pub message: String,
}

/// A release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReleaseObserved {
    /// Uid of the Deployment.
    pub deployment: Uuid,
    /// Which order it tells of.
    pub revision: Digest,
    /// The worst of its applications'.
    pub phase: Phase,
    /// One word in upper camel case.
    pub reason: String,
    /// For people.
    pub message: String,
    /// Changes by others that were put right, since the agent started.
    pub corrected: u64,
    /// Its parts.
    pub applications: Vec<ApplicationObserved>,
}

/// A part of a release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApplicationObserved {
    /// Its name.
    pub name: String,
    /// How far.
    pub phase: Phase,
    /// One word in upper camel case.
    pub reason: String,
    /// For people.
    pub message: String,
    /// What it consists of, at most 200.
    pub workloads: Vec<WorkloadObserved>,
}

/// A container, a virtual machine, or an object of Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkloadObserved {
    /// `Container`, `VirtualMachine`, `Deployment`, …
    pub kind: String,
    /// Of Kubernetes; else empty.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// How far.
    pub phase: Phase,
    /// For people: `2 of 3 replicas are ready`.
    pub message: String,
    /// Times that it was started again.
    pub restarts: u32,
}
