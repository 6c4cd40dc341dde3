//! Stands in for `cairn_domain::access::Principal` until that is there.

use cairn_domain::audit::ActorKind;

/// Who somebody is, for decisions.
#[derive(Debug, Clone)]
#[allow(dead_code, reason = "read by `decide`, which is being written")]
pub(crate) struct Principal {
    pub(crate) name: String,
    pub(crate) kind: ActorKind,
    pub(crate) groups: Vec<String>,
}
