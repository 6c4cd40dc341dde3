//! Which hosts a write could touch: for `--dry-run`, which then compares them one by one.

use std::collections::BTreeSet;

use super::node::parent_name;
use crate::{
    index::Index,
    model::{Kind, Namespace, Object, PolicySpec, Spec, Uid},
};

/// Hosts that a write touches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touched {
    /// In no order that means anything, but always the same.
    pub hosts: Vec<Uid>,
}

/// The hosts whose effective labels, settings or policies may change when `before` becomes `after`. `index` holds what is so
/// now. A change of nothing that goes down the tree touches none.
pub fn touched(index: &Index, before: Option<&Object>, after: Option<&Object>) -> Touched {
    let mut hosts = BTreeSet::new();
    match (before, after) {
        (Some(before), Some(after)) if !matters(before, after) => {}
        _ => {
            for object in [before, after].into_iter().flatten() {
                hosts.extend(reached(index, object));
            }
        }
    }
    Touched { hosts: hosts.into_iter().collect() }
}

fn matters(before: &Object, after: &Object) -> bool {
    let place = before.metadata.namespace != after.metadata.namespace;
    if before.kind().is_node() {
        let given = before.metadata.labels != after.metadata.labels
            || before.spec.settings() != after.spec.settings()
            || parent_name(&before.spec) != parent_name(&after.spec);
        return place || given || (before.kind() == Kind::Host && before.spec != after.spec);
    }
    place || before.spec != after.spec
}

/// The hosts that something applies to as it is written.
fn reached(index: &Index, object: &Object) -> Vec<Uid> {
    match &object.spec {
        Spec::Policy(spec) => of_policy(index, &object.metadata.namespace, spec),
        Spec::Host(_) => vec![object.metadata.uid],
        Spec::Organisation(_) | Spec::Project(_) | Spec::Region(_) | Spec::Site(_) => {
            index.hosts_below(object.metadata.uid)
        }
        Spec::OsImage(_)
        | Spec::FirmwareProfile(_)
        | Spec::ClaimRule(_)
        | Spec::User(_)
        | Spec::Role(_)
        | Spec::RoleBinding(_)
        | Spec::Token(_)
        | Spec::Distribution(_)
        | Spec::ClusterTemplate(_)
        | Spec::Cluster(_)
        | Spec::Package(_)
        | Spec::Deployment(_)
        | Spec::Secret(_) => Vec::new(),
    }
}

fn of_policy(index: &Index, namespace: &Namespace, spec: &PolicySpec) -> Vec<Uid> {
    if let Some(target) = &spec.target {
        let node = index.named(target.kind, namespace, &target.name);
        return node.map_or_else(Vec::new, |o| index.hosts_below(o.metadata.uid));
    }
    let mut hosts: Vec<Uid> = match (namespace, index.node_of(namespace)) {
        (Namespace::Appliance, _) => index.of_kind(Kind::Host).map(|o| o.metadata.uid).collect(),
        (_, Some(node)) => index.hosts_below(node.metadata.uid),
        (_, None) => Vec::new(),
    };
    if let Some(selector) = &spec.selector {
        hosts.retain(|uid| selector.matches(|key| index.label(*uid, key)));
    }
    hosts
}
