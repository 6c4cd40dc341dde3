//! A control plane's duties, beside running it: whom it lets in, who leaves, and how others find it.
//!
//! ```text
//! look (API server) --> decide(orders, found, memory, now) --> acts --> API server
//! ```
//! A kubelet's certificate is approved only when the token that asks was made for just that node name, has not run out, and has
//! not been used with another key. The use is written to disk before it is approved. A token goes when its node is there.

pub mod api;
pub mod csr;
pub mod decide;
pub mod drain;
mod duties;
mod objects;

use std::collections::{BTreeMap, BTreeSet};

use cairn_contract::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

pub(crate) use duties::{Duties, Seen, set_unschedulable};

/// What a control plane must not forget.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// By token id: for which key it was used.
    pub uses: BTreeMap<String, Use>,
    /// Tokens that are void: used, or run out.
    pub spent: BTreeSet<String>,
    /// Since when nodes are emptied.
    pub draining: BTreeMap<String, Timestamp>,
}

/// A token's one use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    /// SHA-256 of the public key that it was used for.
    pub key: Digest,
    /// When.
    pub at: Timestamp,
}
