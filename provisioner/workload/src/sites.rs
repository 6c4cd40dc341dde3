//! Where deployments can go: every host and every cluster, with its effective labels and the host that gets the orders.

use std::collections::HashMap;

use cairn_domain::{
    index::Index,
    model::{Namespace, Object, TargetKind, Uid},
};

use crate::{
    cluster::{self, Cluster, Head, HostLabels, Made, Standing},
    labels::Effective,
    rows::Rows,
};

/// One place.
#[derive(Debug)]
pub(crate) struct Site<'a> {
    pub(crate) object: &'a Object,
    /// The host itself, or the cluster's control plane.
    pub(crate) host: Option<&'a Object>,
    /// Why a cluster can be told nothing.
    pub(crate) trouble: Option<String>,
    /// Of that host.
    pub(crate) standing: Standing,
    pub(crate) labels: Effective<'a>,
    /// Kubernetes version of a cluster, where it is known.
    pub(crate) kubernetes: String,
}

impl Site<'_> {
    pub(crate) fn uid(&self) -> Uid {
        self.object.metadata.uid
    }

    pub(crate) fn name(&self) -> &str {
        &self.object.metadata.name
    }

    pub(crate) fn host_uid(&self) -> Option<Uid> {
        self.host.map(|h| h.metadata.uid)
    }
}

/// All places.
#[derive(Debug)]
pub(crate) struct Sites<'a> {
    all: Vec<Site<'a>>,
    /// By name, as numbers of `all`.
    spaces: HashMap<(TargetKind, Namespace), Vec<u32>>,
}

impl<'a> Sites<'a> {
    pub(crate) fn of(
        (index, rows): (&'a Index, &Rows<'a>),
        labels: HostLabels<'a>,
        clusters: &[Cluster<'a>],
        made: &[Made<'a>],
    ) -> Self {
        let mut sites = Self { all: Vec::new(), spaces: HashMap::new() };
        for (cluster, made) in clusters.iter().zip(made) {
            let head = Head::of(cluster).map(|h| h.member.host);
            let trouble = cluster::trouble((index, rows), cluster, made);
            sites.push(
                TargetKind::Cluster,
                Site {
                    object: cluster.object,
                    host: head,
                    trouble,
                    standing: head.map_or(Standing::Away, Standing::of),
                    labels: cluster.labels.clone(),
                    kubernetes: made.version().unwrap_or_default().to_owned(),
                },
            );
        }
        for (uid, labels) in labels {
            let Some(host) = index.get(uid).map(AsRef::as_ref) else { continue };
            let standing = Standing::of(host);
            let site = Site {
                object: host,
                host: Some(host),
                trouble: None,
                standing,
                labels,
                kubernetes: String::new(),
            };
            sites.push(TargetKind::Host, site);
        }
        let Self { all, spaces } = &mut sites;
        let name = |at: &u32| all.get(*at as usize).map(|s| s.object.metadata.name.as_str());
        for numbers in spaces.values_mut() {
            numbers.sort_by(|a, b| name(a).cmp(&name(b)));
        }
        sites
    }

    fn push(&mut self, kind: TargetKind, site: Site<'a>) {
        let Ok(at) = u32::try_from(self.all.len()) else { return };
        let space = (kind, site.object.metadata.namespace.clone());
        self.spaces.entry(space).or_default().push(at);
        self.all.push(site);
    }

    /// Numbers of all of a kind in a namespace, by name.
    pub(crate) fn of_kind(&self, kind: TargetKind, namespace: &Namespace) -> &[u32] {
        self.spaces.get(&(kind, namespace.clone())).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn get(&self, at: u32) -> Option<&Site<'a>> {
        self.all.get(at as usize)
    }

    /// The one of this name.
    pub(crate) fn named(&self, kind: TargetKind, namespace: &Namespace, name: &str) -> Option<u32> {
        let all = self.of_kind(kind, namespace);
        let name_of = |at: &u32| self.get(*at).map_or("", |s| s.name());
        let found = all.binary_search_by(|at| name_of(at).cmp(name)).ok()?;
        all.get(found).copied()
    }
}
