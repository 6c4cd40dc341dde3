//! Which secrets a host may have for one of its releases.

use std::collections::{BTreeMap, HashMap};

use cairn_contract::Timestamp;
use cairn_domain::{
    index::Index,
    model::{Kind, Spec, Uid},
};

use crate::{
    Assignment, World,
    deployment::{Carrier, Head, addon_uid, addons_of},
    parameters,
    state::State,
};

/// Where the value of a placeholder is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretAt {
    /// The Secret.
    pub secret: Uid,
    /// Key in it.
    pub key: String,
}

/// Placeholder -> where its value is, of the release `subject` as `host` has it now. `rows`: those of this host. Empty where the
/// host was not told to run it, so that nothing is given to one that is no target any more.
pub fn secrets(index: &Index, host: Uid, rows: &[Assignment], subject: Uid) -> BTreeMap<String, SecretAt> {
    let told = rows.iter().any(|row| row.host == host && row.subject == subject && row.body.is_some());
    let namespace = index.get(host).map(|o| o.metadata.namespace.clone());
    let (true, Some(namespace)) = (told, namespace) else { return BTreeMap::new() };
    let rendered = HashMap::new();
    let now = Timestamp(0);
    let world = World { index, assignments: rows, rendered: &rendered, tokens: &[], registry: None, now };
    let state = State::within(&world, Some(&namespace));
    let cluster = rows.iter().find_map(|row| row.node()).and_then(|node| index.get(Uid(node.cluster)));
    let addons = cluster.map(|c| addons_of(index, c)).unwrap_or_default();
    let head = match (index.get(subject), cluster) {
        (Some(object), _) => match &object.spec {
            Spec::Deployment(spec) => Some(Head::of_deployment(object, spec)),
            _ => None,
        },
        (None, Some(cluster)) => {
            let addon = addons.iter().find(|a| addon_uid(cluster.metadata.uid, &a.package) == subject);
            addon.map(|addon| Head::of_addon(cluster, addon))
        }
        (None, None) => None,
    };
    head.map(|head| of_carrier(&state, &Carrier::of(&state, head), host)).unwrap_or_default()
}

fn of_carrier(state: &State<'_>, carrier: &Carrier<'_, '_>, host: Uid) -> BTreeMap<String, SecretAt> {
    let mine = |site: u32| state.sites.get(site).is_some_and(|s| s.host_uid() == Some(host));
    let target = carrier.targets.iter().find(|t| mine(t.site));
    let (Some(variant), Ok(entry)) = (target.and_then(|t| carrier.variant(*t)), &carrier.package) else {
        return BTreeMap::new();
    };
    let all = parameters::secrets(entry, carrier.head.subject, &variant.values);
    let found = all.into_iter().filter_map(|(placeholder, at)| {
        let secret = state.world.index.named(Kind::Secret, carrier.head.namespace, &at.secret)?;
        Some((placeholder, SecretAt { secret: secret.metadata.uid, key: at.key }))
    });
    found.collect()
}
