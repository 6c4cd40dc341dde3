//! Who makes a request: put into its extensions by the gate, taken out by handlers. Not what they may do
//! (`cairn_domain::access::decide`).

use axum::extract::FromRequestParts;
use cairn_contract::{Digest, Timestamp};
use cairn_domain::{
    access::{Principal, PrincipalKind},
    audit::{Actor, ActorKind},
    model::Uid,
};
use http::request::Parts;

use super::{nobody, peer::Peer};
use crate::problem::Problem;

/// The one who asks. An argument of handlers behind [`require`](super::require).
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// For the audit log: who, and from which address.
    pub(crate) actor: Actor,
    /// For `decide`.
    pub(crate) principal: Principal,
    pub(super) credential: Credential,
    pub(super) peer: Peer,
}

/// By what somebody is known, so that it can be seen when it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Credential {
    /// The local operator token.
    Local,
    /// A login; `user` is [`NOBODY`] where the local token was exchanged for a session.
    Session { sha256: Digest, user: Uid, until: Timestamp },
    /// A service token.
    Service { sha256: Digest, uid: Uid, until: Timestamp },
    /// A kubeconfig's token, which opens one cluster only.
    Cluster { sha256: Digest, holder: Uid, until: Timestamp },
}

/// No user has it.
pub(super) const NOBODY: Uid = Uid(uuid::Uuid::nil());

impl Caller {
    pub(super) fn new(principal: Principal, credential: Credential, peer: Peer) -> Self {
        Self { actor: actor(&principal, peer), principal, credential, peer }
    }

    /// From where.
    pub(crate) fn peer(&self) -> Peer {
        self.peer
    }

    /// The caller's session, where it is by one that it is known.
    pub(crate) fn session(&self) -> Option<Digest> {
        match &self.credential {
            Credential::Session { sha256, .. } => Some(*sha256),
            Credential::Local | Credential::Service { .. } | Credential::Cluster { .. } => None,
        }
    }
}

/// The principal as the audit log writes it.
pub(super) fn actor(principal: &Principal, peer: Peer) -> Actor {
    let kind = match principal.kind {
        PrincipalKind::User => ActorKind::User,
        PrincipalKind::Token => ActorKind::Token,
        PrincipalKind::Setup => ActorKind::Setup,
    };
    Actor { kind, name: principal.name.clone(), origin: peer.origin() }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| nobody("Nobody is logged in."))
    }
}
