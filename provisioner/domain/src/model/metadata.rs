//! What every resource has.

use std::{collections::BTreeMap, fmt, str::FromStr};

use cairn_contract::{HostId, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Namespace;

/// Labels or annotations.
pub type Labels = BTreeMap<String, String>;

/// Free values that go down the tree beside labels, for what is installed and deployed later. At most 64, 4 KiB each.
pub type Settings = BTreeMap<String, String>;

/// Names a resource for good. A host's is its [`HostId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(with = "String")]
pub struct Uid(pub Uuid);

impl Uid {
    /// Of nothing.
    pub const fn nil() -> Self {
        Self(Uuid::nil())
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Uid {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        Uuid::try_parse(text).map(Self)
    }
}

impl From<HostId> for Uid {
    fn from(id: HostId) -> Self {
        Self(id.0)
    }
}

impl From<Uid> for HostId {
    fn from(uid: Uid) -> Self {
        Self(uid.0)
    }
}

/// Of one resource, as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// RFC 1123 label; a user's may also be an e-mail address.
    pub name: String,
    /// Where it lives.
    pub namespace: Namespace,
    /// For good.
    pub uid: Uid,
    /// By which selectors find it, and what it gives to those below.
    pub labels: Labels,
    /// For programs; selectors do not see them.
    pub annotations: Labels,
    /// Grows by one with each change of `spec`.
    pub generation: i64,
    /// Grows with each change of anything, over the whole appliance; text in the API.
    pub resource_version: i64,
    /// When it was made.
    pub created: Timestamp,
}
