//! Nothing is removed that others lie in or name.

use std::collections::BTreeSet;

use super::{
    refusal::{Problems, some_of},
    refuse_image, upwards,
};
use crate::{
    access,
    index::Index,
    model::{Kind, Object, Reference, Spec, SubjectKind},
};

pub(super) fn check(index: &Index, current: &Object, problems: &mut Problems) {
    let uid = current.metadata.uid;
    if current.kind() == Kind::OsImage {
        return refuse_image(problems);
    }
    let mut children: Vec<String> = index.children(uid).map(ToString::to_string).collect();
    children.sort();
    if !children.is_empty() {
        let message = format!("{current} is not empty; in it there {}", some_of_count(&children));
        problems.conflict("metadata.name", message, "move or delete those first");
    }
    if current.kind() == Kind::Project && current.full_name() == "default.default" {
        let next = "keep it; it costs nothing, and claim rules can send machines elsewhere";
        problems.conflict("metadata.name", "machines that nobody registered wait in this project", next);
    }
    let named = named_by(index, current);
    if !named.is_empty() {
        let message = format!("{current} is named by {}", some_of(&named));
        problems.conflict("metadata.name", message, advice(current.kind()));
    }
    if access::leaves_no_admin(index, uid, None) {
        refuse_last_admin(problems);
    }
}

fn some_of_count(children: &[String]) -> String {
    let verb = if children.len() == 1 { "is" } else { "are" };
    format!("{verb} {}: {}", children.len(), some_of(children))
}

fn advice(kind: Kind) -> &'static str {
    if kind == Kind::User {
        "take the user out of them first; spec.disabled keeps somebody out at once"
    } else {
        "change or delete those first"
    }
}

pub(super) fn refuse_last_admin(problems: &mut Problems) {
    let message = "nobody would be left who administers the appliance";
    let next = "bind role admin in the appliance to another user who can log in, then try again";
    problems.conflict("metadata.name", message, next);
}

/// What names `object` in its spec, in order; what lies in it is not counted.
pub(super) fn named_by(index: &Index, object: &Object) -> Vec<String> {
    let found: BTreeSet<String> = match object.kind() {
        Kind::Region | Kind::Site | Kind::Host => {
            let kinds = [Kind::Policy, Kind::RoleBinding, Kind::Token, Kind::ClaimRule];
            let namespace = &object.metadata.namespace;
            let all = kinds.into_iter().flat_map(|kind| index.in_namespace(kind, namespace));
            let clusters = index.in_namespace(Kind::Cluster, namespace).filter(|o| has_host(o, object));
            all.filter(|o| names_node(&o.spec, object)).chain(clusters).map(ToString::to_string).collect()
        }
        Kind::Package | Kind::ClusterTemplate | Kind::Distribution => {
            let kinds = [Kind::Deployment, Kind::ClusterTemplate, Kind::Cluster];
            let all = kinds.into_iter().flat_map(|kind| index.of_kind(kind));
            all.filter(|o| gets(index, o, object)).map(ToString::to_string).collect()
        }
        Kind::Role => {
            let all = [Kind::RoleBinding, Kind::Token].into_iter().flat_map(|kind| index.of_kind(kind));
            all.filter(|o| names_role(index, o, object)).map(ToString::to_string).collect()
        }
        Kind::User => {
            let all = index.of_kind(Kind::RoleBinding);
            all.filter(|o| names_user(&o.spec, object)).map(ToString::to_string).collect()
        }
        Kind::Organisation
        | Kind::Project
        | Kind::Policy
        | Kind::OsImage
        | Kind::FirmwareProfile
        | Kind::ClaimRule
        | Kind::RoleBinding
        | Kind::Token
        | Kind::Cluster
        | Kind::Deployment
        | Kind::Secret => BTreeSet::new(),
    };
    found.into_iter().collect()
}

fn names_node(spec: &Spec, node: &Object) -> bool {
    let is_node = |r: &Option<Reference>| {
        r.as_ref().is_some_and(|r| r.kind == node.kind() && r.name == node.metadata.name)
    };
    match spec {
        Spec::Policy(s) => is_node(&s.target),
        Spec::RoleBinding(s) => is_node(&s.at),
        Spec::Token(s) => is_node(&s.at),
        Spec::ClaimRule(s) => node.kind() == Kind::Site && s.site == node.metadata.name,
        _ => false,
    }
}

/// A cluster that names a host, or whose API server it has.
fn has_host(cluster: &Object, host: &Object) -> bool {
    let name = &host.metadata.name;
    let Spec::Cluster(spec) = &cluster.spec else { return false };
    let head =
        cluster.status.as_ref().and_then(|s| s.get("controlPlane")).and_then(serde_json::Value::as_str);
    host.kind() == Kind::Host
        && (spec.hosts.contains(name) || spec.control_plane.as_ref() == Some(name) || head == Some(name))
}

/// Whether what `user` names is, from where it lives, this very resource.
fn gets(index: &Index, user: &Object, object: &Object) -> bool {
    let namespace = &user.metadata.namespace;
    let is = |found: Option<&Object>| found.is_some_and(|o| o.metadata.uid == object.metadata.uid);
    match (&user.spec, object.kind()) {
        (Spec::Deployment(s), Kind::Package) => {
            is(upwards::resolved(index, namespace, &s.package, s.version.as_deref()))
        }
        (Spec::ClusterTemplate(s), Kind::Package) => {
            s.addons.iter().any(|a| is(upwards::resolved(index, namespace, &a.package, a.version.as_deref())))
        }
        (Spec::ClusterTemplate(s), Kind::Distribution) => {
            is(upwards::find(index, Kind::Distribution, namespace, &s.distribution))
        }
        (Spec::Cluster(s), Kind::ClusterTemplate) => {
            let name = s.template.as_deref();
            name.is_some_and(|name| is(upwards::find(index, Kind::ClusterTemplate, namespace, name)))
        }
        _ => false,
    }
}

fn names_role(index: &Index, object: &Object, role: &Object) -> bool {
    let name = match &object.spec {
        Spec::RoleBinding(s) => &s.role,
        Spec::Token(s) => &s.role,
        _ => return false,
    };
    let meant = || access::custom_role(index, &object.metadata.namespace, name).map(|r| r.metadata.uid);
    *name == role.metadata.name && meant() == Some(role.metadata.uid)
}

/// A binding would wait for the next user of that name.
fn names_user(spec: &Spec, user: &Object) -> bool {
    match spec {
        Spec::RoleBinding(s) => {
            s.subjects.iter().any(|s| s.kind == SubjectKind::User && s.name == user.metadata.name)
        }
        _ => false,
    }
}
