//! Clusters that policies ask for: a running host that no cluster has gets one of its own.

use std::collections::HashSet;

use cairn_domain::{
    model::{ClusterMode, Kind, Spec, Uid},
    policies,
};

use super::members::{Member, Standing};
use crate::{WantedCluster, plan::Plan, state::State};

pub(super) fn plan(state: &State<'_>, plan: &mut Plan) {
    let index = state.world.index;
    let says = |spec: &Spec| matches!(spec, Spec::Policy(p) if p.cluster.is_some());
    if !index.of_kind(Kind::Policy).any(|o| says(&o.spec)) {
        return;
    }
    let taken: HashSet<Uid> = state.clusters.iter().flat_map(|c| c.members.iter().map(Member::uid)).collect();
    for host in index.of_kind(Kind::Host) {
        let (uid, metadata) = (host.metadata.uid, &host.metadata);
        let free = !taken.contains(&uid) && state.rows.nodes_at(uid).is_empty();
        let exists = index.named(Kind::Cluster, &metadata.namespace, &metadata.name).is_some();
        if !free || exists || Standing::of(host) != Standing::Running {
            continue;
        }
        let policy = policies::cluster(index, uid);
        match policy.mode {
            ClusterMode::None => {}
            ClusterMode::Single => plan.clusters.push(WantedCluster {
                name: metadata.name.clone(),
                namespace: metadata.namespace.clone(),
                hosts: vec![metadata.name.clone()],
                template: policy.template,
            }),
        }
    }
}
