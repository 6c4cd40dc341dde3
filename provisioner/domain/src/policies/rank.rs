//! The policies that apply to a host, best first.

use std::{cmp::Reverse, sync::Arc};

use super::spec_of;
use crate::{
    index::Index,
    model::{Kind, Namespace, Object, PolicySpec, Uid},
};

/// One policy that applies.
#[derive(Debug)]
pub(super) struct Applying<'a> {
    pub(super) object: &'a Arc<Object>,
    pub(super) spec: &'a PolicySpec,
    /// The node that it is bound at; `None`: the appliance.
    pub(super) node: Option<&'a Arc<Object>>,
    /// Nodes from the appliance (0) to that node.
    depth: usize,
}

/// Best first.
#[derive(Debug)]
pub(super) struct Ranked<'a> {
    pub(super) all: Vec<Applying<'a>>,
}

impl<'a> Ranked<'a> {
    pub(super) fn of(index: &'a Index, host: Uid) -> Self {
        let lineage = index.lineage(host);
        let mut all = Vec::new();
        let mut space = Some(index.get(host).map_or(Namespace::Appliance, |o| o.metadata.namespace.clone()));
        while let Some(namespace) = space {
            let policies = index.in_namespace(Kind::Policy, &namespace);
            all.extend(policies.filter_map(|policy| applying(index, policy, host, &lineage)));
            space = namespace.parent();
        }
        all.sort_by_key(order);
        Self { all }
    }

    /// What the best policy that names the field says.
    pub(super) fn best<T>(&self, field: impl Fn(&'a PolicySpec) -> Option<&'a T>) -> Option<&'a T> {
        self.all.iter().find_map(|a| field(a.spec))
    }

    /// The image, where a host's `own` beats everything that is not enforced.
    pub(super) fn image(&self, own: Option<&'a String>) -> Option<&'a String> {
        let enforced = self.all.iter().filter(|a| a.spec.enforced).find_map(|a| super::fields::image(a.spec));
        enforced.or(own).or_else(|| self.best(super::fields::image))
    }
}

fn applying<'a>(
    index: &'a Index,
    object: &'a Arc<Object>,
    host: Uid,
    lineage: &[&'a Arc<Object>],
) -> Option<Applying<'a>> {
    let spec = spec_of(object)?;
    let at = match (&spec.target, &spec.selector) {
        (Some(target), _) => {
            let place = lineage.iter().position(|node| {
                node.kind() == target.kind
                    && node.metadata.name == target.name
                    && node.metadata.namespace == object.metadata.namespace
            });
            Some(place?)
        }
        (None, selector) => {
            if selector.as_ref().is_some_and(|s| !s.matches(|key| index.label(host, key))) {
                return None;
            }
            let node = index.node_of(&object.metadata.namespace);
            node.and_then(|node| lineage.iter().position(|n| n.metadata.uid == node.metadata.uid))
        }
    };
    let node = at.and_then(|i| lineage.get(i).copied());
    Some(Applying { object, spec, node, depth: at.map_or(0, |i| i.saturating_add(1)) })
}

/// The order of the module's page; smaller is better.
fn order<'a>(a: &Applying<'a>) -> impl Ord + use<'a> {
    let enforced = (!a.spec.enforced, if a.spec.enforced { a.depth } else { 0 });
    let depth = Reverse(a.depth);
    let plain = a.spec.selector.is_none();
    let m = &a.object.metadata;
    (enforced, depth, plain, Reverse(a.spec.priority), m.created.0, m.name.clone())
}
