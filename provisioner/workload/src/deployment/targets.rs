//! Which targets a deployment has.

use std::collections::BTreeSet;

use cairn_domain::model::{Kind, TargetKind};

use super::carrier::{Head, Origin, row_of};
use crate::{cluster::Standing, sites::Site, state::State};

/// Numbers of sites, and names that nothing has.
#[derive(Debug, Default)]
pub(crate) struct Found<'a> {
    pub(crate) sites: Vec<u32>,
    pub(crate) missing: Vec<&'a str>,
}

pub(crate) fn find<'h>(state: &State<'_>, head: &Head<'h>) -> Found<'h> {
    let spec = match head.origin {
        Origin::Deployment(spec) => spec,
        Origin::Addon(_, cluster) => {
            let site = state.sites.named(TargetKind::Cluster, head.namespace, &cluster.metadata.name);
            return Found { sites: site.into_iter().collect(), missing: Vec::new() };
        }
    };
    let rows = state.rows.of_subject(head.subject);
    let all = state.sites.of_kind(spec.targets.kind, head.namespace);
    let mut missing = Vec::new();
    let mut named = BTreeSet::new();
    for name in &spec.targets.names {
        match state.sites.named(spec.targets.kind, head.namespace, name) {
            Some(site) => named.extend([site]),
            None => missing.push(name.as_str()),
        }
    }
    let selected = |at: u32, site: &Site<'_>| {
        let selector = spec.targets.selector.as_ref();
        if !selector.is_some_and(|s| s.matches(|key| site.labels.get(key))) {
            return named.contains(&at);
        }
        let away = site.object.kind() == Kind::Host && site.standing == Standing::Away;
        // One that is away for a while keeps what it has.
        !away || named.contains(&at) || row_of(rows, site).is_some_and(|row| row.body.is_some())
    };
    let sites = all.iter().copied().filter(|at| state.sites.get(*at).is_some_and(|site| selected(*at, site)));
    Found { sites: sites.collect(), missing }
}
