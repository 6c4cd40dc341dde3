//! Who may do what: the one place that decides it, for API, console, command line and tunnel. Not here: who somebody is
//! (that is identity's), and whether a write makes sense ([`crate::admit`]).
//!
//! ```text
//! Principal --grants()--> Grants --decide(verb, kind, place)--> Allowed | Hidden (404) | Forbidden (403)
//!                            |-----may_write(before, after)---> the same for a whole write, and no giving of what one has not
//!                            `-----sees(event)                  for watchers, without the index
//! ```
//!
//! Rules:
//! - A role holds at the node where it is bound (appliance, organisation, project, region, site) and for all below it.
//! - Who may not `get` a thing cannot do anything else with it either: it is hidden. `create` needs no `get`.
//! - Whoever has any right at a node may `get` that node and those above it, so that the path can be shown; not their
//!   siblings, nor what else lives there.
//! - Policies, OS images, firmware profiles and roles act downwards: whoever may `get` that kind at some place may also
//!   `get` those of the namespaces above that place, because `explain` names them.
//! - A built-in role comes before all others; of two custom roles of one name the one of the higher namespace is meant,
//!   so that nobody below can put another in its place.
//! - Nobody gives what they have not: a RoleBinding, Role or Token is only written by who has all its rights there, and a
//!   User whose groups, login or state change only by who has all that this user would then have.
//! - A disabled user, an expired binding's node that is gone, a role that is gone: no rights.

mod builtin;
mod decide;
mod give;
mod grants;
mod rights;

pub use builtin::{ADMIN, BUILTIN, builtin};
pub use decide::{Decision, Denied, Place, Sight, place_of_new};
pub use give::{Excess, leaves_no_admin};
pub use grants::{Granted, Grants, changes_grants, custom_role, grants, role};
pub use rights::{Rights, VERBS, word};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    index::Index,
    model::{Kind, Namespace, Spec},
};

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Principal {
    /// A user's name; a token's full name `NAME.NAMESPACE`.
    pub name: String,
    /// What it is.
    pub kind: PrincipalKind,
    /// For people and the audit log, as they were when this was made. Rights follow the User resource's groups of now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
}

/// What somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PrincipalKind {
    /// A person: a User resource.
    User,
    /// A service: a Token resource.
    Token,
    /// Whoever holds the appliance's own credential that `cairn init` makes: may do everything.
    Setup,
}

impl Principal {
    /// The user of this name with the groups of now; no check that it exists.
    pub fn user(index: &Index, name: impl Into<String>) -> Self {
        let name = name.into();
        let groups = match index.named(Kind::User, &Namespace::Appliance, &name).map(|u| &u.spec) {
            Some(Spec::User(spec)) => spec.groups.clone(),
            _ => Vec::new(),
        };
        Self { name, kind: PrincipalKind::User, groups }
    }

    /// The token of this full name.
    pub fn token(full_name: impl Into<String>) -> Self {
        Self { name: full_name.into(), kind: PrincipalKind::Token, groups: Vec::new() }
    }

    /// The appliance's own credential.
    pub fn setup() -> Self {
        Self { name: "setup".to_owned(), kind: PrincipalKind::Setup, groups: Vec::new() }
    }
}
