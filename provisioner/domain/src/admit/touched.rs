//! What a write would do to hosts: for `--dry-run`.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use super::node::parent_name;
use crate::{
    index::{Effective, Index, Source},
    model::{Kind, Namespace, Object, PolicySpec, Spec, Uid},
};

/// Hosts that a write touches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touched {
    /// In no order that means anything, but always the same.
    pub hosts: Vec<Uid>,
}

/// One label or setting that changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// Its key.
    pub key: String,
    /// Absent: it was not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Effective>,
    /// Absent: it goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Effective>,
}

/// What changes for one host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Differences {
    /// Effective labels, by key.
    pub labels: Vec<Difference>,
    /// Effective settings, by key.
    pub settings: Vec<Difference>,
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
        | Spec::Token(_) => Vec::new(),
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

/// What the change of one node, from how `index` has it to `after` (`None`: removed), does to the effective labels and
/// settings of a host. Policies are compared by [`crate::policies`].
pub fn compare(index: &Index, host: Uid, changed: Uid, after: Option<&Object>) -> Differences {
    let now: Vec<&Object> = index.upwards(Some(host)).map(AsRef::as_ref).collect();
    let then = lineage_with(index, host, changed, after);
    Differences {
        labels: differences(&now, &then, |o| Some(&o.metadata.labels)),
        settings: differences(&now, &then, |o| o.spec.settings()),
    }
}

/// The host and its ancestors, the nearest first, as they would be.
fn lineage_with<'a>(index: &'a Index, host: Uid, changed: Uid, after: Option<&'a Object>) -> Vec<&'a Object> {
    let mut line: Vec<&Object> = Vec::new();
    let mut next = Some(host);
    while let Some(uid) = next {
        // As in the index, a cycle would end; admission lets none in.
        if line.iter().any(|o| o.metadata.uid == uid) {
            break;
        }
        let object = if uid == changed { after } else { index.get(uid).map(AsRef::as_ref) };
        let Some(object) = object else { break };
        line.push(object);
        next = index.parent_of(object);
    }
    line
}

type Values = BTreeMap<String, String>;

fn differences<'a>(
    now: &[&'a Object],
    then: &[&'a Object],
    values: impl Fn(&'a Object) -> Option<&'a Values> + Copy,
) -> Vec<Difference> {
    let (now, then) = (effective(now, values), effective(then, values));
    let keys: BTreeSet<&String> = now.keys().chain(then.keys()).collect();
    let one = |key: &String| Difference {
        key: key.clone(),
        before: now.get(key).cloned(),
        after: then.get(key).cloned(),
    };
    keys.into_iter().map(one).filter(|d| d.before != d.after).collect()
}

/// As [`Index::labels`] has it, of any line of nodes.
fn effective<'a>(
    line: &[&'a Object],
    values: impl Fn(&'a Object) -> Option<&'a Values>,
) -> BTreeMap<String, Effective> {
    let mut found: BTreeMap<String, Effective> = BTreeMap::new();
    for object in line {
        for (key, value) in values(object).into_iter().flatten() {
            let source = Source::from(*object);
            let nearest = found.entry(key.clone()).or_insert_with(|| Effective {
                key: key.clone(),
                value: value.clone(),
                source: source.clone(),
                hides: Vec::new(),
            });
            if nearest.value != *value {
                nearest.hides.push(source);
            }
        }
    }
    found
}
