//! Who may ask: from what a request carries to a [`Caller`]. Secrets are `cairn-identity`'s affair, rights are
//! `cairn_domain::access`'s.
//!
//! ```text
//! program  Authorization: Bearer cairn_se_... | cairn_st_... | local token --+
//! browser  cookie __Host-cairn; unsafe method: Origin must be this site -----+--> require --> Caller --> handler
//!
//! POST /login {user, password} | {code, user, password}          \
//! GET /login/oidc -> issuer -> /login/oidc/callback               +--> session (database, hashed) --> cookie | token
//! POST /login/device -> POST /login/device/{handle} ...          /
//! ```
//! Failed attempts are counted per source and per user name; a source with too many is not heard for a while.
//!
//! For other modules: [`Caller`] (an argument of handlers), [`revoked`] (ends streams), [`mint`] and [`consequences`] (what goes
//! with a write of a Token or User).

mod caller;
pub(crate) mod cluster;
mod code_file;
mod credential;
mod credentials;
mod first;
mod gate;
mod guesses;
mod login;
mod oidc;
mod peer;
mod registry;
mod revocation;
mod routes;
mod session;
mod settings;
mod throttle;

pub(crate) use caller::Caller;
pub use code_file::{CodeFile, CodeFileError};
pub(crate) use credentials::{TokenSecret, consequences, mint};
pub use first::{NoteError, note_code};
pub(crate) use gate::require;
pub(crate) use login::{check_password, hash_failed};
pub(crate) use peer::host as addressed;
pub(crate) use registry::{Presented, of_registry};
pub(crate) use revocation::revoked;
pub(crate) use routes::routes;
pub use settings::{AuthSettings, SessionLimits};

use std::sync::{Mutex, MutexGuard, PoisonError};

use cairn_contract::Timestamp;
use cairn_domain::{
    access::ADMIN,
    admit::{Refusal, RefusalKind},
    index::Index,
    model::{Kind as Resource, Namespace, Spec, SubjectKind},
};
use cairn_identity::{NameThrottle, Passwords, Secret};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;
use tokio::sync::watch;

use crate::problem::{Fault, Kind, Problem};
use guesses::Ration;
use throttle::Throttle;

/// Settings, failures, logins under way.
#[derive(Debug)]
pub(crate) struct Auth {
    settings: AuthSettings,
    pub(crate) passwords: Passwords,
    oidc: oidc::UnderWay,
    peers: Mutex<Throttle>,
    names: Mutex<NameThrottle>,
    ration: Mutex<Ration>,
    /// Wakes [`revoked`]: it looks itself at what ended.
    ended: watch::Sender<u64>,
}

impl Auth {
    pub(crate) fn new(settings: AuthSettings) -> Self {
        Self {
            settings,
            passwords: Passwords::default(),
            oidc: oidc::UnderWay::default(),
            peers: Mutex::default(),
            names: Mutex::default(),
            ration: Mutex::default(),
            ended: watch::Sender::new(0),
        }
    }

    /// The time, by the one clock of the operator side.
    pub(crate) fn now(&self) -> Timestamp {
        self.settings.clock.now()
    }

    /// Some session ended: streams look whether it was theirs.
    pub(crate) fn tell_ended(&self) {
        self.ended.send_modify(|n| *n = n.wrapping_add(1));
    }

    fn is_local_token(&self, presented: &Secret) -> bool {
        let hash: [u8; 32] = Sha256::digest(presented.expose().as_bytes()).into();
        self.settings.local_token.is_some_and(|token| hash.ct_eq(&token).into())
    }

    fn peers(&self) -> MutexGuard<'_, Throttle> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn names(&self) -> MutexGuard<'_, NameThrottle> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ration(&self) -> MutexGuard<'_, Ration> {
        self.ration.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// 401.
fn nobody(detail: impl Into<String>) -> Problem {
    Problem::new(Kind::Unauthorized, detail, "Log in: cairn login https://ADDRESS")
}

/// What admission said, as a problem.
fn not_admitted(refusals: Vec<Refusal>) -> Problem {
    let kind = match refusals.first().map(|r| r.kind) {
        Some(RefusalKind::Conflict) => Kind::Conflict,
        Some(RefusalKind::Forbidden) => Kind::Forbidden,
        Some(RefusalKind::Invalid | RefusalKind::NotFound) | None => Kind::Invalid,
    };
    let fault = |r: Refusal| Fault { field: r.field, message: r.message, next: r.next };
    Problem::of(kind, refusals.into_iter().map(fault).collect())
}

/// Up to three administrators of the appliance, by name: whom to ask.
fn people_in_charge(index: &Index) -> Vec<String> {
    let bindings = index.in_namespace(Resource::RoleBinding, &Namespace::Appliance);
    let subjects = bindings.filter_map(|o| match &o.spec {
        Spec::RoleBinding(spec) if spec.role == ADMIN => Some(&spec.subjects),
        _ => None,
    });
    let mut names: Vec<String> =
        subjects.flatten().filter(|s| s.kind == SubjectKind::User).map(|s| s.name.clone()).collect();
    names.sort();
    names.dedup();
    names.truncate(3);
    names
}
