//! Which hosts a cluster has: those that it names and those that its selector finds, each host in one cluster at most.

use std::collections::{BTreeMap, HashMap};

use cairn_domain::{
    State as Lifecycle,
    index::Index,
    model::{ClusterSpec, Kind, Namespace, Object, Spec, Uid},
};

use crate::{
    Assignment,
    labels::{self, Effective},
    rows::Rows,
};

/// Whether a host can be told something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is connected.
    Running,
    /// It was; it carries on by itself, and hears of changes when it is back.
    Silent,
    /// It has no system that could run something.
    Away,
}

impl Standing {
    pub(crate) fn of(host: &Object) -> Self {
        match host.host.as_deref().map(|h| &h.state) {
            Some(Lifecycle::Running { .. }) => Self::Running,
            Some(Lifecycle::Silent { .. }) => Self::Silent,
            _ => Self::Away,
        }
    }
}

/// A host of a cluster.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member<'a> {
    pub(crate) host: &'a Object,
    /// Its row of this cluster.
    pub(crate) row: Option<&'a Assignment>,
}

impl<'a> Member<'a> {
    pub(crate) fn uid(&self) -> Uid {
        self.host.metadata.uid
    }

    /// The node's name: the host's when it joined.
    pub(crate) fn node_name(&self) -> &'a str {
        self.row.and_then(Assignment::node).map_or(&self.host.metadata.name, |node| &node.node_name)
    }
}

/// A cluster with its hosts.
#[derive(Debug)]
pub(crate) struct Cluster<'a> {
    pub(crate) object: &'a Object,
    pub(crate) spec: &'a ClusterSpec,
    /// By age, then by uid.
    pub(crate) members: Vec<Member<'a>>,
    /// Hosts that it would have, and the cluster that has them.
    pub(crate) taken: Vec<(&'a Object, &'a Object)>,
    /// Names that no host has.
    pub(crate) missing: Vec<&'a str>,
    /// Rows of hosts that it no longer has.
    pub(crate) departing: Vec<&'a Assignment>,
    /// Effective labels.
    pub(crate) labels: Effective<'a>,
}

impl Cluster<'_> {
    pub(crate) fn uid(&self) -> Uid {
        self.object.metadata.uid
    }
}

/// Effective labels of hosts.
pub(crate) type HostLabels<'a> = HashMap<Uid, Effective<'a>>;

/// All clusters (`within` one namespace only, when it is given), the oldest first.
pub(crate) fn resolve<'a>(
    index: &'a Index,
    rows: &Rows<'a>,
    labels: &HostLabels<'a>,
    within: Option<&Namespace>,
) -> Vec<Cluster<'a>> {
    let mut all: Vec<(&Object, &ClusterSpec)> = clusters(index, within).collect();
    all.sort_by_key(|(o, _)| (o.metadata.created.0, o.metadata.uid));
    let wanted: Vec<BTreeMap<Uid, Wish<'a>>> =
        all.iter().map(|(o, spec)| wishes(index, rows, labels, (o, spec))).collect();
    let mut owner: HashMap<Uid, (usize, Claim)> = HashMap::new();
    for (at, wishes) in wanted.iter().enumerate() {
        for (host, wish) in wishes {
            let best = owner.get(host).is_none_or(|(_, claim)| wish.claim > *claim);
            if best {
                owner.insert(*host, (at, wish.claim));
            }
        }
    }
    let mut out = Vec::with_capacity(all.len());
    for (at, ((object, spec), wishes)) in all.iter().zip(wanted).enumerate() {
        let owner_of = |host: &Uid| owner.get(host).map_or(at, |(owner, _)| *owner);
        let (mine, others): (Vec<_>, Vec<_>) = wishes.iter().partition(|(uid, _)| owner_of(uid) == at);
        let mut members: Vec<Member<'a>> = mine
            .into_iter()
            .map(|(uid, wish)| Member { host: wish.host, row: rows.at(object.metadata.uid, *uid) })
            .collect();
        members.sort_by_key(|m| (m.host.metadata.created.0, m.uid()));
        let taken = others.into_iter().filter_map(|(uid, wish)| Some((wish.host, all.get(owner_of(uid))?.0)));
        let given: Vec<Effective<'a>> =
            members.iter().filter_map(|m| labels.get(&m.uid()).cloned()).collect();
        out.push(Cluster {
            object,
            spec,
            taken: taken.collect(),
            missing: missing(index, object, spec),
            departing: departing(rows, object, &members),
            labels: labels::of_cluster(index, object, &given),
            members,
        });
    }
    out
}

fn clusters<'a>(
    index: &'a Index,
    within: Option<&Namespace>,
) -> impl Iterator<Item = (&'a Object, &'a ClusterSpec)> {
    let within = within.cloned();
    let all = index
        .of_kind(Kind::Cluster)
        .filter(move |o| within.as_ref().is_none_or(|w| o.metadata.namespace == *w));
    all.filter_map(|object| match &object.spec {
        Spec::Cluster(spec) => Some((object.as_ref(), spec.as_ref())),
        _ => None,
    })
}

/// How strong a cluster's wish for a host is; equals go by age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Claim {
    /// Its selector finds it.
    Selected,
    /// It names it.
    Named,
    /// The host is in it.
    Has,
}

#[derive(Debug)]
struct Wish<'a> {
    host: &'a Object,
    claim: Claim,
}

fn wishes<'a>(
    index: &'a Index,
    rows: &Rows<'a>,
    labels: &HostLabels<'a>,
    (cluster, spec): (&Object, &'a ClusterSpec),
) -> BTreeMap<Uid, Wish<'a>> {
    let namespace = &cluster.metadata.namespace;
    let has = |host: Uid| rows.at(cluster.metadata.uid, host).is_some_and(|row| row.body.is_some());
    let mut found = BTreeMap::new();
    if let Some(selector) = &spec.selector {
        for host in index.in_namespace(Kind::Host, namespace) {
            let uid = host.metadata.uid;
            let fits = labels.get(&uid).is_some_and(|l| selector.matches(|key| l.get(key)));
            if fits && (Standing::of(host) != Standing::Away || has(uid)) {
                found.insert(uid, Wish { host: host.as_ref(), claim: Claim::Selected });
            }
        }
    }
    let named = spec.hosts.iter().chain(&spec.control_plane);
    for host in named.filter_map(|name| index.named(Kind::Host, namespace, name)) {
        found.insert(host.metadata.uid, Wish { host: host.as_ref(), claim: Claim::Named });
    }
    // The API server cannot move: its host stays whatever the spec says.
    if let Some(host) =
        super::control_plane(rows.of_subject(cluster.metadata.uid).iter().copied(), cluster.metadata.uid)
        && let Some(host) = index.get(host)
    {
        found.entry(host.metadata.uid).or_insert(Wish { host: host.as_ref(), claim: Claim::Has });
    }
    for (uid, wish) in &mut found {
        if has(*uid) {
            wish.claim = Claim::Has;
        }
    }
    found
}

fn missing<'a>(index: &Index, cluster: &Object, spec: &'a ClusterSpec) -> Vec<&'a str> {
    let is_there = |name: &str| index.named(Kind::Host, &cluster.metadata.namespace, name).is_some();
    let named = spec.hosts.iter().chain(&spec.control_plane).map(String::as_str);
    named.filter(|name| !is_there(name)).collect()
}

fn departing<'a>(rows: &Rows<'a>, cluster: &Object, members: &[Member<'a>]) -> Vec<&'a Assignment> {
    let all = rows.of_subject(cluster.metadata.uid).iter().copied();
    all.filter(|row| !members.iter().any(|m| m.uid() == row.host)).collect()
}
