//! The world, with what every part of the plan asks it for.

use std::collections::HashMap;

use cairn_domain::{
    index::Index,
    model::{Kind, Namespace, Uid},
};

use crate::{
    Token, World,
    catalog::Catalog,
    cluster::{self, Cluster, HostLabels, Made},
    labels,
    rows::Rows,
    sites::Sites,
};

/// Tables of one plan.
#[derive(Debug)]
pub(crate) struct State<'a> {
    pub(crate) world: World<'a>,
    pub(crate) rows: Rows<'a>,
    /// The oldest first.
    pub(crate) clusters: Vec<Cluster<'a>>,
    /// Of each cluster, in the same order.
    pub(crate) made: Vec<Made<'a>>,
    pub(crate) sites: Sites<'a>,
    pub(crate) catalog: Catalog<'a>,
    tokens: HashMap<Uid, Vec<&'a Token>>,
}

impl<'a> State<'a> {
    /// Of everything.
    pub(crate) fn of(world: &World<'a>) -> Self {
        Self::within(world, None)
    }

    /// With the hosts and clusters of one namespace only, when it is given.
    pub(crate) fn within(world: &World<'a>, namespace: Option<&Namespace>) -> Self {
        let index = world.index;
        let rows = Rows::of(world.assignments);
        let hosts =
            index.of_kind(Kind::Host).filter(|o| namespace.is_none_or(|n| o.metadata.namespace == *n));
        let labels: HostLabels<'a> =
            hosts.map(|o| (o.metadata.uid, labels::of_host(index, o.metadata.uid))).collect();
        let clusters = cluster::resolve(index, &rows, &labels, namespace);
        let made: Vec<Made<'a>> = clusters.iter().map(|c| Made::of(index, c)).collect();
        let sites = Sites::of((index, &rows), labels, &clusters, &made);
        let mut tokens: HashMap<Uid, Vec<&'a Token>> = HashMap::new();
        for token in world.tokens {
            tokens.entry(token.cluster).or_default().push(token);
        }
        Self { world: *world, rows, clusters, made, sites, catalog: Catalog::of(index), tokens }
    }

    pub(crate) fn view(&self) -> (&'a Index, &Rows<'a>) {
        (self.world.index, &self.rows)
    }

    pub(crate) fn tokens_of(&self, cluster: Uid) -> &[&'a Token] {
        self.tokens.get(&cluster).map_or(&[], Vec::as_slice)
    }
}
