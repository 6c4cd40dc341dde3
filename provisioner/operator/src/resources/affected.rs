//! What a write would do to hosts, for a dry run: both trees are laid out beside each other, and what differs for each
//! host that could be touched is told.

use std::collections::BTreeMap;

use cairn_domain::{
    admit,
    index::{Effective, Index},
    model::{Kind, Object, Uid},
    policies::{self, Defaults},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::diff::Difference;

/// Hosts that are shown.
const SAMPLE: usize = 20;

/// Hosts for which something changes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Affected {
    /// How many.
    pub hosts: u64,
    /// Some of them: at most 20.
    pub sample: Vec<AffectedHost>,
}

/// What changes for one host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AffectedHost {
    /// Its full name.
    pub name: String,
    /// Effective labels, settings and policies: `labels.env`, `settings.ntp`, `policies.boot.network`.
    pub changes: Vec<Difference>,
}

/// Both trees, as far as they matter.
#[derive(Debug)]
pub(crate) struct Trees {
    now: Index,
    then: Index,
    hosts: Vec<Uid>,
}

/// What could change when `before` becomes `after`; quick, so that the index can be let go of. `None` for what goes down to
/// no host.
pub(crate) fn trees(index: &Index, before: Option<&Object>, after: Option<&Object>) -> Option<Trees> {
    let kind = after.or(before)?.kind();
    if !kind.is_node() && !matches!(kind, Kind::Policy) {
        return None;
    }
    let mut hosts = admit::touched(index, before, after).hosts;
    hosts.sort_by_cached_key(|uid| {
        index.get(*uid).map(|o| (o.metadata.namespace.clone(), o.metadata.name.clone()))
    });
    let others = Kind::ALL.into_iter().filter(|k| matters(*k)).flat_map(|k| index.of_kind(k));
    let touched = hosts.iter().filter_map(|uid| index.get(*uid));
    let now: Vec<Object> = others.chain(touched).map(|o| Object::clone(o)).collect();
    let gone = before.map(|o| o.metadata.uid);
    let then = now.iter().filter(|o| Some(o.metadata.uid) != gone).cloned().chain(after.cloned());
    let then = Index::load(then.collect::<Vec<_>>(), index.revision());
    Some(Trees { now: Index::load(now, index.revision()), then, hosts })
}

fn matters(kind: Kind) -> bool {
    match kind {
        Kind::Organisation
        | Kind::Project
        | Kind::Region
        | Kind::Site
        | Kind::Policy
        | Kind::FirmwareProfile => true,
        Kind::Host
        | Kind::OsImage
        | Kind::ClaimRule
        | Kind::User
        | Kind::Role
        | Kind::RoleBinding
        | Kind::Token
        | Kind::Distribution
        | Kind::ClusterTemplate
        | Kind::Cluster
        | Kind::Package
        | Kind::Deployment
        | Kind::Secret => false,
    }
}

impl Trees {
    /// Compares them; takes its time when there are many hosts. `shown` says which names may be told.
    pub(crate) fn compare(&self, defaults: &Defaults) -> Affected {
        let mut affected = Affected::default();
        for uid in &self.hosts {
            let changes = differences(&facts(&self.now, *uid, defaults), &facts(&self.then, *uid, defaults));
            if changes.is_empty() {
                continue;
            }
            affected.hosts = affected.hosts.saturating_add(1);
            let host = self.then.get(*uid).or_else(|| self.now.get(*uid));
            if let Some(host) = host.filter(|_| affected.sample.len() < SAMPLE) {
                affected.sample.push(AffectedHost { name: host.full_name(), changes });
            }
        }
        affected
    }
}

/// All that applies to a host, by path.
fn facts(index: &Index, host: Uid, defaults: &Defaults) -> BTreeMap<String, Value> {
    let mut facts = BTreeMap::new();
    if index.get(host).is_none() {
        return facts;
    }
    let mut put = |what: &str, all: Vec<Effective>| {
        for one in all {
            facts.insert(format!("{what}.{}", one.key), json!(one.value));
        }
    };
    put("labels", index.labels(host));
    put("settings", index.settings(host));
    for one in policies::explain(index, host, defaults) {
        facts.insert(format!("policies.{}", one.field), one.value);
    }
    facts
}

fn differences(now: &BTreeMap<String, Value>, then: &BTreeMap<String, Value>) -> Vec<Difference> {
    let keys: std::collections::BTreeSet<&String> = now.keys().chain(then.keys()).collect();
    let one = |key: &String| Difference {
        path: key.clone(),
        before: now.get(key).cloned(),
        after: then.get(key).cloned(),
    };
    keys.into_iter().map(one).filter(|d| d.before != d.after).collect()
}

/// A copy of the whole tree, to be changed without anybody noticing.
pub(crate) fn copy(index: &Index) -> Index {
    let all = Kind::ALL.into_iter().flat_map(|kind| index.of_kind(kind)).map(|o| Object::clone(o));
    Index::load(all.collect::<Vec<_>>(), index.revision())
}
