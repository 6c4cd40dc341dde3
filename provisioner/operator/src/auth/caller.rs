//! Who makes a request: put into its extensions by the gate, taken out by handlers. Not what they may do
//! (`cairn_domain::access::decide`).

use axum::extract::FromRequestParts;
use cairn_domain::audit::{Actor, ActorKind};
use http::request::Parts;

use super::principal::Principal;
use crate::problem::{Kind, Problem};

/// The one who asks. An argument of handlers behind [`require`](super::require).
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// For the audit log: who, and from which address.
    pub(crate) actor: Actor,
    /// For `decide`.
    #[allow(dead_code, reason = "read by `decide`, which is being written")]
    pub(crate) principal: Principal,
}

impl Caller {
    /// The local operator token: root on the machine, the lab.
    pub(crate) fn setup(origin: String) -> Self {
        let name = "local-token";
        let actor = Actor { kind: ActorKind::Setup, name: name.into(), origin };
        Self { actor, principal: Principal { name: name.into(), kind: ActorKind::Setup, groups: Vec::new() } }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let next = "Run: cairn login https://ADDRESS";
        let nobody = || Problem::new(Kind::Unauthorized, "Nobody is logged in.", next);
        parts.extensions.get::<Self>().cloned().ok_or_else(nobody)
    }
}
