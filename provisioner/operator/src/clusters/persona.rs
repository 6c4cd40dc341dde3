//! Who somebody is inside of a cluster: `cairn:<user>`, in a group `cairn:<role>` for each role that reaches the cluster, and
//! Kubernetes' own administrator only where the role here may do everything, too.
//!
//! The agent binds the groups of the built-in roles to `view` and `edit` of Kubernetes; groups of other roles mean what bindings in
//! the cluster say.

use cairn_domain::{
    access::{ADMIN, PrincipalKind},
    model::{Object, Uid},
};

use crate::{app::View, auth::Caller};

/// Roles that may do everything at a cluster in their reach. Custom roles cannot have these names.
const FULL: [&str; 3] = [ADMIN, "org-admin", "project-admin"];
/// May do everything (Kubernetes: it is bound to no role, it is asked for nothing).
const MASTERS: &str = "system:masters";

/// `Impersonate-User` and `-Group`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Persona {
    pub(super) user: String,
    pub(super) groups: Vec<String>,
}

/// Of the caller, at a cluster that it may enter.
pub(super) fn persona(view: &View<'_>, caller: &Caller, cluster: &Object) -> Persona {
    let line: Vec<Uid> = view.index.lineage(cluster.metadata.uid).iter().map(|o| o.metadata.uid).collect();
    let reaches = |node: Option<Uid>| node.is_none_or(|node| line.contains(&node));
    let roles = view.grants.granted().iter().filter(|granted| reaches(granted.node)).map(|g| g.role.as_str());
    let mut roles: Vec<&str> = roles.collect();
    roles.sort_unstable();
    roles.dedup();
    let mut groups: Vec<String> = roles.iter().take(60).map(|role| format!("cairn:{role}")).collect();
    if roles.iter().any(|role| FULL.contains(role)) {
        groups.push(MASTERS.to_owned());
    }
    let name = &caller.principal.name;
    let user = match caller.principal.kind {
        PrincipalKind::User => format!("cairn:{name}"),
        // No user's name has a colon.
        PrincipalKind::Token => format!("cairn:token:{name}"),
        PrincipalKind::Setup => "cairn:local:operator".to_owned(),
    };
    Persona { user, groups }
}
