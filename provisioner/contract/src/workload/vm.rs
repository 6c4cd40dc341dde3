//! A virtual machine: run by the host itself under QEMU, or as a KubeVirt `VirtualMachine` by its cluster.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One virtual machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Vm {
    /// Processors: 1 to 64.
    pub cpus: u32,
    /// Bytes of memory: 16 MiB at least.
    pub memory_bytes: u64,
    /// The first that is bootable boots it.
    pub disks: Vec<Disk>,
    /// Network interfaces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nics: Vec<Nic>,
    /// cloud-init user data (NoCloud); may hold placeholders of secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_data: Option<String>,
    /// Whether it runs.
    #[serde(default)]
    pub run: Run,
}

/// Whether a virtual machine runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Run {
    /// Started, and started again when it ends.
    #[default]
    Always,
    /// Started; when it powers off, it stays off.
    Once,
    /// Off.
    Halted,
}

/// One disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Disk {
    /// Unique in its machine: an RFC 1123 label.
    pub name: String,
    /// What it holds at first.
    pub source: DiskSource,
    /// Bytes; absent: as large as its source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// Changes are forgotten when the machine ends.
    #[serde(default)]
    pub ephemeral: bool,
}

/// What a disk holds at first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum DiskSource {
    /// An image of the appliance's registry: an artifact with one layer, raw or qcow2 (as KubeVirt's containerDisk: the first
    /// file below `disk/` of an image's layers).
    Image(String),
    /// Nothing.
    Blank,
}

/// One network interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Nic {
    /// Unique in its machine.
    pub name: String,
    /// Absent: made from the deployment's name, always the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// A bridge of the host; absent: behind the host's address (user networking; masquerade in KubeVirt).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bridge: Option<String>,
    /// Ports of the machine that are reached through the host's address; only without a bridge.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<super::Port>,
}
