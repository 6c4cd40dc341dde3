//! What the audit log keeps: who did what to which resource, from where, and what came of it.

use cairn_contract::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::{Kind, Namespace, Uid};

/// What kind of thing acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ActorKind {
    /// A person.
    User,
    /// A service.
    Token,
    /// The local operator token of `cairn init`, or the first login.
    Setup,
    /// The provisioner itself, such as a claim rule.
    System,
    /// Nobody that is known: a refused login.
    Unknown,
}

/// Who acts, and from where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Actor {
    /// Which kind.
    pub kind: ActorKind,
    /// Name of the user or token.
    pub name: String,
    /// Address and port of the peer; empty for the provisioner itself.
    pub origin: String,
}

impl Actor {
    /// The provisioner itself: `what` of it, such as `claim rule factory.retail.acme`.
    pub fn system(what: impl Into<String>) -> Self {
        Self { kind: ActorKind::System, name: what.into(), origin: String::new() }
    }
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was not allowed, or made no sense.
    Refused,
}

/// One entry before it has a number and a place in the chain. `before` and `after` hold no secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Deed {
    /// Who.
    pub actor: Actor,
    /// `create`, `update`, `delete`, `accept`, `login`, `logout`, `secret.read`, ...
    pub verb: String,
    /// Of which kind it is about; absent for logins.
    pub kind: Option<Kind>,
    /// The resource, where there is one.
    pub uid: Option<Uid>,
    /// Where that lives.
    pub namespace: Namespace,
    /// Its name.
    pub name: String,
    /// What came of it.
    pub outcome: Outcome,
    /// Why it was refused; empty otherwise.
    pub reason: String,
    /// What was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// Grows by one, without a gap.
    pub seq: i64,
    /// When, in milliseconds since 1970.
    #[schemars(with = "i64")]
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub deed: Deed,
    /// SHA-256 of the entry before, hexadecimal.
    pub prev: String,
    /// SHA-256 over `prev` and this entry in its canonical form, hexadecimal.
    pub hash: String,
}
