//! What a running host is to run, and what it says of it: containers, virtual machines, its part of a cluster, and what is
//! applied to that cluster.
//!
//! ```text
//! host                                             provisioner          (client certificate of a running host, HTTP/2)
//!  | POST /host/v1/desired    Ask            -->  Desired            waits up to 25 s for another revision; then 204
//!  | POST /host/v1/observed   Observed       -->  204                after each change, and once a minute
//!  | POST /host/v1/secrets    SecretsAsk     -->  Secrets            values of this host's own releases only
//!  | GET  /host/v1/blob/sha256:X             -->  bytes (Range)      only what its own `Desired` names
//!  | GET  /host/v1/tunnel     (upgrade: websocket, HTTP/1.1)         streams inwards: see `tunnel`
//! ```
//!
//! `Desired` is complete: what it does not name is removed. The host keeps the last one on its disk, without secrets, and goes
//! on with it when the provisioner is away.

mod container;
mod distribution;
mod node;
mod observed;
mod release;
mod secret;
pub mod tunnel;
mod vm;

pub use container::{Container, Limits, Mount, Port, Protocol, Pull, Restart, Volume};
pub use distribution::{
    Artifact, Command, Condition, Discovery, Distribution, ManagedFile, Placement, Probe, Steps, Unit,
};
pub use node::{Bootstrap, Join, NodeDesired, NodeRole, Taint, TaintEffect};
pub use observed::{
    ApplicationObserved, KubeNode, NodeObserved, Observed, Phase, ReleaseObserved, WorkloadObserved,
};
pub use release::{Application, Body, Release};
pub use secret::{Secrets, SecretsAsk, placeholder};
pub use vm::{Disk, DiskSource, Nic, Run, Vm};

use serde::{Deserialize, Serialize};

use crate::{Digest, Hex};

/// Largest `Desired` or `Observed`, in bytes of JSON.
pub const MAX_DESIRED: usize = 8 << 20;

/// What the host holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// [`Desired::revision`] that it has; absent: none.
    pub have: Option<Digest>,
}

/// Everything that a host is to run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Desired {
    /// SHA-256 of the rest in JSON: another one is another order.
    pub revision: Digest,
    /// Where images come from.
    pub registry: Option<Registry>,
    /// Its part of a cluster.
    pub node: Option<NodeDesired>,
    /// What it runs itself (`Container`, `Vm`) or applies to its cluster (`Manifests`), each after those that it depends on.
    pub releases: Vec<Release>,
}

/// The appliance's registry, as hosts reach it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registry {
    /// `address:port`, as in image references.
    pub address: String,
    /// CA of its certificate, DER.
    pub ca: Hex,
}

impl Desired {
    /// With its revision.
    pub fn new(registry: Option<Registry>, node: Option<NodeDesired>, releases: Vec<Release>) -> Self {
        let body = serde_json::to_vec(&(&registry, &node, &releases)).unwrap_or_default();
        Self { revision: Digest::of(&body), registry, node, releases }
    }
}
