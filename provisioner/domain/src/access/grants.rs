//! What a principal has been given: from bindings, or from a token's own spec.

use std::{collections::HashMap, sync::Arc};

use cairn_contract::Timestamp;

use super::{Principal, PrincipalKind, Rights, builtin};
use crate::{
    index::{Event, Index},
    model::{Kind, Namespace, Object, Reference, RoleSpec, Spec, SubjectKind, Uid, UserSpec, full_name},
};

/// One role that somebody has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// Its name.
    pub role: String,
    /// Where it holds: this node and all below. `None`: the whole appliance.
    pub node: Option<Uid>,
    /// What it allows.
    pub rights: Rights,
}

/// All rights of one principal. True for the index that it was made from; see [`changes_grants`].
#[derive(Debug, Clone, Default)]
pub struct Grants {
    granted: Vec<Granted>,
    until: Option<Timestamp>,
    /// At the appliance.
    pub(super) everywhere: Rights,
    /// At a node.
    pub(super) at: HashMap<Uid, Rights>,
    /// At a node or anywhere below it, `everywhere` not counted.
    pub(super) below: HashMap<Uid, Rights>,
    /// Anywhere at all.
    pub(super) anywhere: Rights,
}

/// What `principal` may do now.
pub fn grants(index: &Index, principal: &Principal) -> Grants {
    match principal.kind {
        PrincipalKind::Setup => {
            let role = super::ADMIN.to_owned();
            Grants::of(index, vec![Granted { role, node: None, rights: Rights::all() }], None)
        }
        PrincipalKind::Token => of_token(index, &principal.name),
        PrincipalKind::User => {
            let user = index.named(Kind::User, &Namespace::Appliance, &principal.name);
            match user.map(|u| &u.spec) {
                Some(Spec::User(spec)) if !spec.disabled => of_user(index, &principal.name, spec),
                Some(_) | None => Grants::default(),
            }
        }
    }
}

fn of_token(index: &Index, name: &str) -> Grants {
    let (name, namespace) = name.split_once('.').unwrap_or((name, ""));
    let Ok(namespace) = namespace.parse::<Namespace>() else { return Grants::default() };
    let Some(token) = index.named(Kind::Token, &namespace, name) else { return Grants::default() };
    let Spec::Token(spec) = &token.spec else { return Grants::default() };
    let Ok(expires) = spec.expires.parse::<jiff::Timestamp>() else { return Grants::default() };
    let given = given(index, &namespace, spec.at.as_ref(), &spec.role);
    Grants::of(index, given.into_iter().collect(), Some(Timestamp(expires.as_millisecond())))
}

/// What the user `name` has, were it described by `spec` and not disabled.
pub(super) fn of_user(index: &Index, name: &str, spec: &UserSpec) -> Grants {
    let mut found = Vec::new();
    for binding in index.of_kind(Kind::RoleBinding) {
        let Spec::RoleBinding(bound) = &binding.spec else { continue };
        let is_meant = bound.subjects.iter().any(|s| match s.kind {
            SubjectKind::User => s.name == name,
            SubjectKind::Group => spec.groups.contains(&s.name),
        });
        if is_meant {
            found.extend(given(index, &binding.metadata.namespace, bound.at.as_ref(), &bound.role));
        }
    }
    Grants::of(index, found, None)
}

/// What a role bound in `namespace` gives. `None` when the role or the node is gone: a binding to a site that is no more
/// never becomes one to the project.
pub(super) fn given(
    index: &Index,
    namespace: &Namespace,
    at: Option<&Reference>,
    role_name: &str,
) -> Option<Granted> {
    let node = match (at, namespace) {
        (Some(at), _) => Some(index.named(at.kind, namespace, &at.name).filter(|o| o.kind().is_node())?),
        (None, Namespace::Appliance) => None,
        (None, Namespace::Organisation(_) | Namespace::Project { .. }) => Some(index.node_of(namespace)?),
    };
    let rights = Rights::of(&role(index, namespace, role_name)?);
    Some(Granted { role: role_name.to_owned(), node: node.map(|o| o.metadata.uid), rights })
}

/// The role that `name` means in `namespace`: built-in, or else the custom one.
pub fn role(index: &Index, namespace: &Namespace, name: &str) -> Option<RoleSpec> {
    if let Some(role) = builtin(name) {
        return Some(role);
    }
    match &custom_role(index, namespace, name)?.spec {
        Spec::Role(spec) => Some(spec.clone()),
        _ => None,
    }
}

/// The custom role that `name` means in `namespace`: of the highest namespace on the way up.
pub fn custom_role<'a>(index: &'a Index, namespace: &Namespace, name: &str) -> Option<&'a Arc<Object>> {
    let mut found = None;
    let mut space = Some(namespace.clone());
    while let Some(here) = space {
        found = index.named(Kind::Role, &here, name).or(found);
        space = here.parent();
    }
    found
}

impl Grants {
    fn of(index: &Index, granted: Vec<Granted>, until: Option<Timestamp>) -> Self {
        let mut out = Self { until, ..Self::default() };
        for Granted { node, rights, .. } in granted.iter().filter(|g| !g.rights.is_empty()) {
            out.anywhere |= *rights;
            match node {
                None => out.everywhere |= *rights,
                Some(node) => *out.at.entry(*node).or_default() |= *rights,
            }
            for above in index.upwards(*node) {
                *out.below.entry(above.metadata.uid).or_default() |= *rights;
            }
        }
        Self { granted, ..out }
    }

    /// The roles, for "who am I".
    pub fn granted(&self) -> &[Granted] {
        &self.granted
    }

    /// Whether there is nothing at all that it may do.
    pub fn is_empty(&self) -> bool {
        self.anywhere.is_empty()
    }

    /// When a token's rights end; the caller, who has a clock, refuses it from then on.
    pub fn until(&self) -> Option<Timestamp> {
        self.until
    }
}

/// Whether grants made before this event may be wrong after it: a watcher then asks [`grants`] again. What hosts do never
/// is such an event.
pub fn changes_grants(event: &Event) -> bool {
    if event.is_inherited() {
        return false;
    }
    let kind = event.object().map(|o| o.kind());
    match kind {
        Some(Kind::User | Kind::Role | Kind::RoleBinding | Kind::Token) => true,
        Some(Kind::Organisation | Kind::Project | Kind::Region | Kind::Site) => {
            let above = |seen: &Option<crate::index::Seen>| seen.as_ref().map(|s| s.above.clone());
            above(&event.before) != above(&event.after)
        }
        Some(
            Kind::Host
            | Kind::Policy
            | Kind::OsImage
            | Kind::FirmwareProfile
            | Kind::ClaimRule
            | Kind::Distribution
            | Kind::ClusterTemplate
            | Kind::Cluster
            | Kind::Package
            | Kind::Deployment
            | Kind::Secret,
        )
        | None => false,
    }
}

/// For messages: a node by its full name.
pub(super) fn shown(index: &Index, node: Option<Uid>) -> String {
    let name =
        |o: &Arc<Object>| format!("{} {}", o.kind(), full_name(&o.metadata.name, &o.metadata.namespace));
    node.and_then(|uid| index.get(uid)).map_or_else(|| "the appliance".to_owned(), name)
}
