//! A deployment as one host gets it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Container, Vm};
use crate::Digest;

/// One deployment's order for one host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Release {
    /// Uid of the Deployment.
    pub deployment: Uuid,
    /// Its full name, such as `shop.retail.acme`; for people, and the owner's mark on objects.
    pub name: String,
    /// Of package, parameters and overrides: another one is another order.
    pub revision: Digest,
    /// In order; each begins when those before it are ready.
    pub applications: Vec<Application>,
}

/// One part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Application {
    /// Unique in the release: an RFC 1123 label.
    pub name: String,
    /// Seconds until it counts as failed while it is not ready.
    pub patience_s: u32,
    /// What it is.
    pub body: Body,
}

/// What an application is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Body {
    /// Objects for the host's cluster: a blob of JSON lines, one object each, complete but for placeholders of secrets.
    Manifests {
        /// Of the blob.
        digest: Digest,
        /// Its length in bytes.
        size: u64,
        /// Namespace of namespaced objects that name none; it is made when it does not exist.
        namespace: String,
    },
    /// On the host's own containerd.
    Container(Box<Container>),
    /// Under the host's own QEMU.
    Vm(Box<Vm>),
}
