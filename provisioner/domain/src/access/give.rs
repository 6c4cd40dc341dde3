//! Nobody gives what they have not, and somebody always stays the appliance's administrator.

use super::{
    ADMIN, Granted, Rights, Sight,
    grants::{given, of_user, shown},
    rights::word,
};
use crate::{
    index::Index,
    model::{Kind, Namespace, Object, Spec, SubjectKind, Uid, UserSpec, Verb},
};

/// A write would give somebody a right that the writer has not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it gives `{}` on {kind} at {at}, which you do not have there; ask someone who has", word(*verb))]
pub struct Excess {
    /// Such a right.
    pub verb: Verb,
    /// On what.
    pub kind: Kind,
    /// Where.
    pub at: String,
}

/// Whether all that `after` gives is had by the writer, where it is given.
pub(super) fn may_grant(sight: &Sight<'_>, before: Option<&Object>, after: &Object) -> Result<(), Excess> {
    if before.is_some_and(|b| b.spec == after.spec) {
        return Ok(());
    }
    let namespace = &after.metadata.namespace;
    let gives: Vec<Granted> = match &after.spec {
        Spec::RoleBinding(spec) => {
            given(sight.index, namespace, spec.at.as_ref(), &spec.role).into_iter().collect()
        }
        Spec::Token(spec) => {
            given(sight.index, namespace, spec.at.as_ref(), &spec.role).into_iter().collect()
        }
        Spec::Role(spec) => {
            let node = sight.index.node_of(namespace).map(|o| o.metadata.uid);
            vec![Granted { role: after.metadata.name.clone(), node, rights: Rights::of(spec) }]
        }
        Spec::User(spec) => of_changed_user(sight.index, before, after, spec),
        Spec::Organisation(_)
        | Spec::Project(_)
        | Spec::Region(_)
        | Spec::Site(_)
        | Spec::Host(_)
        | Spec::Policy(_)
        | Spec::OsImage(_)
        | Spec::FirmwareProfile(_)
        | Spec::ClaimRule(_)
        | Spec::Distribution(_)
        | Spec::ClusterTemplate(_)
        | Spec::Cluster(_)
        | Spec::Package(_)
        | Spec::Deployment(_)
        | Spec::Secret(_) => Vec::new(),
    };
    covers(sight, &gives)
}

/// A user gets rights when it is made (bindings may name it already), let in again, put in groups, or becomes another login.
fn of_changed_user(index: &Index, before: Option<&Object>, after: &Object, spec: &UserSpec) -> Vec<Granted> {
    let same = match before.map(|b| &b.spec) {
        Some(Spec::User(old)) => {
            old.disabled == spec.disabled && old.groups == spec.groups && old.oidc == spec.oidc
        }
        Some(_) | None => false,
    };
    if same || spec.disabled {
        return Vec::new();
    }
    of_user(index, &after.metadata.name, spec).granted().to_vec()
}

fn covers(sight: &Sight<'_>, gives: &[Granted]) -> Result<(), Excess> {
    for Granted { node, rights, .. } in gives {
        let needed = *rights & with_effect(sight.index, *node);
        let missing = needed.without(sight.rights(*node)).each().next();
        if let Some((verb, kind)) = missing {
            return Err(Excess { verb, kind, at: shown(sight.index, *node) });
        }
    }
    Ok(())
}

impl Sight<'_> {
    /// Whether the principal has all that the user has, so that they may set its password or act for it.
    ///
    /// # Errors
    /// [`Excess`] with one right that the user has beyond.
    pub fn outranks(&self, user: &Object) -> Result<(), Excess> {
        match &user.spec {
            Spec::User(spec) => covers(self, of_user(self.index, &user.metadata.name, spec).granted()),
            _ => Ok(()),
        }
    }
}

/// Rights that mean anything at a node: no user lies in an organisation, no organisation in a project.
fn with_effect(index: &Index, node: Option<Uid>) -> Rights {
    let absent: &[Kind] = match node.and_then(|uid| index.get(uid)).map(|o| o.kind()) {
        None => &[],
        Some(Kind::Organisation) => &[Kind::User],
        Some(Kind::Project) => &[Kind::User, Kind::Organisation],
        Some(_) => &[Kind::User, Kind::Organisation, Kind::Project],
    };
    Rights::all()
        .each()
        .filter(|(_, kind)| !absent.contains(kind))
        .fold(Rights::NONE, |all, (verb, kind)| all | Rights::one(verb, kind))
}

/// Whether there is an administrator of the appliance now and there would be none were the resource `uid` to become `after`
/// (`None`: removed).
pub fn leaves_no_admin(index: &Index, uid: Uid, after: Option<&Object>) -> bool {
    let kind = index.get(uid).map(|o| o.kind());
    if !matches!(kind, Some(Kind::User | Kind::RoleBinding)) {
        return false;
    }
    let now = |uid: &Uid| index.get(*uid).map(AsRef::as_ref);
    let then = |other: &Uid| if *other == uid { after } else { now(other) };
    has_admin(index, now) && !has_admin(index, then)
}

/// Whether somebody who can log in has `admin` at the appliance, where `read` gives a resource.
fn has_admin<'a>(index: &'a Index, read: impl Fn(&Uid) -> Option<&'a Object>) -> bool {
    let users: Vec<(&str, &UserSpec)> = index
        .in_namespace(Kind::User, &Namespace::Appliance)
        .filter_map(|o| read(&o.metadata.uid))
        .filter_map(|o| match &o.spec {
            Spec::User(spec) if !spec.disabled => Some((o.metadata.name.as_str(), spec)),
            _ => None,
        })
        .collect();
    let bindings = index.in_namespace(Kind::RoleBinding, &Namespace::Appliance);
    bindings.filter_map(|o| read(&o.metadata.uid)).any(|binding| {
        let Spec::RoleBinding(bound) = &binding.spec else { return false };
        bound.role == ADMIN
            && bound.subjects.iter().any(|s| match s.kind {
                SubjectKind::User => users.iter().any(|(name, _)| *name == s.name),
                SubjectKind::Group => users.iter().any(|(_, spec)| spec.groups.contains(&s.name)),
            })
    })
}
