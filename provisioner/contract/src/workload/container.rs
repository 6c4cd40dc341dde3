//! A container on the host's own containerd, without Kubernetes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Container {
    /// `registry/name:tag` or `…@sha256:…`. A name without a registry is in the appliance's own.
    pub image: String,
    /// When the image is fetched.
    #[serde(default)]
    pub pull: Pull,
    /// In the place of the image's entrypoint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// In the place of the image's arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// `NAME=value`; values may hold placeholders of secrets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// What follows when it ends.
    #[serde(default)]
    pub restart: Restart,
    /// What it may use.
    #[serde(default)]
    pub limits: Limits,
    /// What it keeps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<Volume>,
    /// What of it is reached through the host's address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<Port>,
    /// Uses the host's network instead of one of its own; `ports` must be empty then.
    #[serde(default)]
    pub host_network: bool,
}

/// When an image is fetched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Pull {
    /// When the host does not have it.
    #[default]
    IfNotPresent,
    /// At each start of another revision.
    Always,
    /// Never: it was imported.
    Never,
}

/// What follows when it ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Restart {
    /// It is started again, ever more slowly (1 s to 60 s).
    #[default]
    Always,
    /// Again unless it ended with 0.
    OnFailure,
    /// Nothing.
    Never,
}

/// What it may use; absent: whatever there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Limits {
    /// Bytes of memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Thousandths of a processor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_millis: Option<u32>,
    /// Processes and threads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids: Option<u32>,
}

/// A place in the container that outlives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Volume {
    /// Absolute path in the container.
    pub path: String,
    /// What lies there, such as `{name: data}`.
    pub mount: Mount,
}

/// What lies at a volume's path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Mount {
    /// A directory of this name that the host keeps for the deployment.
    Name(String),
    /// A directory of the host, for reading. Absolute, without `..`.
    HostPath(String),
    /// Memory, of so many bytes.
    Memory(u64),
}

/// One port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Port {
    /// On the host.
    pub host: u16,
    /// In the container.
    pub container: u16,
    /// Which protocol.
    #[serde(default)]
    pub protocol: Protocol,
}

/// Of a port.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Protocol {
    /// TCP.
    #[default]
    TCP,
    /// UDP.
    UDP,
}
