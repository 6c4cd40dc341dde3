//! What the operator side is told of identity: by `cairn.toml` and by what lies in the data folder.

use std::{path::PathBuf, sync::Arc};

use cairn_identity::oidc::Provider;
use cairn_store::Clock;
use serde::Deserialize;

/// How people and services come in.
#[derive(Debug)]
pub struct AuthSettings {
    /// SHA-256 of the text of the local operator token; `None` when `cairn init` made none.
    pub local_token: Option<[u8; 32]>,
    /// The data folder: a [`CodeFile`](super::CodeFile) may come to lie there at any time.
    pub data: PathBuf,
    /// How long somebody stays logged in.
    pub sessions: SessionLimits,
    /// Where people of an organisation log in; `None`: local users only.
    pub oidc: Option<Provider>,
    /// Tells when sessions and tokens end.
    pub clock: Arc<dyn Clock>,
}

/// `[sessions]` of `cairn.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionLimits {
    /// Seconds from a login until another one is needed.
    pub life_s: u32,
    /// Seconds without a request until another one is needed.
    pub idle_s: u32,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self { life_s: 12 * 3600, idle_s: 3600 }
    }
}
