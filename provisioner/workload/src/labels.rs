//! Effective labels of hosts and clusters, merged once for a whole plan.

use std::collections::BTreeMap;

use cairn_domain::{
    index::Index,
    model::{Namespace, Object, Uid},
};

/// Key -> value.
pub(crate) type Effective<'a> = BTreeMap<&'a str, &'a str>;

/// A host's: its own hide those of its site, regions, project and organisation.
pub(crate) fn of_host(index: &Index, host: Uid) -> Effective<'_> {
    merged(index.lineage(host).into_iter().map(AsRef::as_ref))
}

/// A cluster's: its own, then those that all its hosts have alike, then its project's. So a cluster of one host, or of hosts of
/// one site, is found by the labels of that site and its regions too.
pub(crate) fn of_cluster<'a>(
    index: &'a Index,
    cluster: &'a Object,
    hosts: &[Effective<'a>],
) -> Effective<'a> {
    let mut labels = of_namespace(index, &cluster.metadata.namespace);
    if let Some((first, others)) = hosts.split_first() {
        let alike = first.iter().filter(|(key, value)| others.iter().all(|o| o.get(*key) == Some(*value)));
        labels.extend(alike.map(|(key, value)| (*key, *value)));
    }
    labels.extend(cluster.metadata.labels.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    labels
}

fn of_namespace<'a>(index: &'a Index, namespace: &Namespace) -> Effective<'a> {
    let node = index.node_of(namespace).map(|node| node.metadata.uid);
    let line = node.map(|uid| index.lineage(uid)).unwrap_or_default();
    merged(line.into_iter().map(AsRef::as_ref))
}

/// The last one hides the others.
fn merged<'a>(line: impl Iterator<Item = &'a Object>) -> Effective<'a> {
    let mut labels = Effective::new();
    for object in line {
        labels.extend(object.metadata.labels.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    }
    labels
}
