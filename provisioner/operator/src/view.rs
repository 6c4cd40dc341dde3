//! What the API shows: stable JSON, also read by `cairn-cli`. Made from records of the store, never stored.

use cairn_contract::{Digest, Mac, Timestamp};
pub use cairn_store::InstallerStanding;
use cairn_store::{Image, Installer, UnknownMachine};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Page<T> {
    /// At most `limit` items, in the list's order.
    pub items: Vec<T>,
    /// `after` of the next page; absent on the last.
    pub next: Option<String>,
}

/// A machine that knocked and is no host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Machine {
    /// Its address.
    #[schemars(with = "String")]
    pub mac: Mac,
    /// When it was first heard.
    #[schemars(with = "i64")]
    pub first: Timestamp,
    /// When it was last heard.
    #[schemars(with = "i64")]
    pub at: Timestamp,
    /// Its last step.
    pub text: String,
}

/// An OS image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ImageRow {
    /// Name.
    pub name: String,
    /// Version.
    pub version: u64,
    /// For people.
    pub os_version: String,
    /// Bytes of the blob.
    pub size: u64,
    /// SHA-256 of the blob.
    #[schemars(with = "String")]
    pub sha256: Digest,
    /// When the site signed it.
    #[schemars(with = "i64")]
    pub created: Timestamp,
    /// Installers refuse it from then on.
    #[schemars(with = "i64")]
    pub expires: Timestamp,
}

/// An installer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InstallerRow {
    /// Flavour, such as `metal` or `lab`.
    pub name: String,
    /// Version.
    pub version: String,
    /// What it is used for.
    #[schemars(with = "String")]
    pub standing: InstallerStanding,
    /// SHA-256 of the UKI.
    #[schemars(with = "String")]
    pub sha256: Digest,
    /// When it was composed.
    #[schemars(with = "i64")]
    pub created: Timestamp,
}

/// Something about the site that a person should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Warning {
    /// What.
    pub text: String,
    /// What to try; may be empty.
    pub next: String,
}

/// How many hosts are in one state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Count {
    /// The state's word.
    pub state: String,
    /// Hosts in it.
    pub hosts: u64,
}

/// The site at a glance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// Version of the server.
    pub version: String,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// Time of the server.
    #[schemars(with = "i64")]
    pub now: Timestamp,
    /// Last line of the timeline: where a watch begins.
    pub seq: i64,
    /// Hosts in all.
    pub hosts: u64,
    /// States that have hosts, in the order of the lifecycle.
    pub counts: Vec<Count>,
    /// Machines that knocked and are no host.
    pub machines: u64,
    /// What to look at.
    pub warnings: Vec<Warning>,
}

impl From<UnknownMachine> for Machine {
    fn from(m: UnknownMachine) -> Self {
        Self { mac: m.mac, first: m.first, at: m.last, text: m.note.text }
    }
}

impl From<Image> for ImageRow {
    fn from(i: Image) -> Self {
        let Image { name, version, os_version, created, expires, blob, size, .. } = i;
        Self { name, version, os_version, size, sha256: blob, created, expires }
    }
}

impl From<Installer> for InstallerRow {
    fn from(i: Installer) -> Self {
        let Installer { flavour, version, created, uki, standing, .. } = i;
        Self { name: flavour, version, standing, sha256: uki, created }
    }
}
