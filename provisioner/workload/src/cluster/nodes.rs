//! What each host of a cluster is told.

use std::{collections::BTreeSet, sync::Arc};

use cairn_contract::workload::{Bootstrap, Join, KubeNode, NodeDesired, NodeRole, Phase};
use cairn_domain::{
    index::Index,
    model::{Object, Uid},
};

use super::{
    leaving::{Departure, departures},
    made::{Made, Recipe},
    members::{Cluster, Member, Standing},
};
use crate::{Assignment, Body, Order, Token, WantedToken, plan::Plan, rows::Rows, state::State};

/// The control plane as it was chosen, and what is known of it.
#[derive(Debug)]
pub(crate) struct Head<'a> {
    pub(crate) member: Member<'a>,
    /// `ip:port` and pin, once it has an API server.
    pub(crate) reach: Option<(&'a str, &'a str)>,
}

impl<'a> Head<'a> {
    /// The host that has the role; else the one that the spec names, the first that it names, or the oldest.
    pub(crate) fn of(cluster: &Cluster<'a>) -> Option<Self> {
        let has = |m: &&Member<'_>| m.row.and_then(Assignment::node).is_some_and(is_control_plane);
        let named = |name: &String| cluster.members.iter().find(|m| m.host.metadata.name == *name);
        let spec = cluster.spec;
        let member = cluster.members.iter().find(has);
        let member = member.or_else(|| match &spec.control_plane {
            Some(name) => named(name),
            None => spec.hosts.iter().find_map(named).or_else(|| cluster.members.first()),
        })?;
        let said = member.row.filter(|row| row.body.is_some()).and_then(Assignment::said_of_node);
        let reach = said.and_then(|s| Some((s.endpoint.as_deref()?, s.ca_pin.as_deref()?)));
        Some(Self { member: *member, reach })
    }

    /// Nodes that the cluster has, as its API server says; `None` while it cannot be asked.
    pub(crate) fn listed(&self) -> Option<&'a [KubeNode]> {
        let said = self.member.row.and_then(Assignment::said_of_node)?;
        (said.phase == Phase::Ready).then_some(said.nodes.as_slice())
    }

    /// As [`Head::listed`], or none.
    pub(crate) fn nodes(&self) -> &'a [KubeNode] {
        self.listed().unwrap_or_default()
    }
}

pub(crate) fn is_control_plane(node: &NodeDesired) -> bool {
    matches!(node.role, NodeRole::ControlPlane)
}

/// Workers of a control plane that is gone: nothing can be done with them but removing them.
pub(crate) fn has_lost_its_head(cluster: &Cluster<'_>, head: Option<&Head<'_>>) -> bool {
    let has_role =
        head.is_some_and(|h| h.member.row.and_then(Assignment::node).is_some_and(is_control_plane));
    let joined = |m: &Member<'_>| {
        m.row.and_then(Assignment::node).is_some_and(|n| matches!(n.role, NodeRole::Worker(Some(_))))
    };
    !has_role && cluster.members.iter().any(joined)
}

/// Orders and tokens of one cluster.
pub(crate) fn plan<'a>(state: &State<'a>, cluster: &Cluster<'a>, made: &Made<'a>, plan: &mut Plan) {
    let head = Head::of(cluster);
    for Departure { row, ends, .. } in departures(state, cluster, head.as_ref()) {
        if ends.is_some() && row.body.is_some() {
            plan.orders.push(Order::Remove { host: row.host, subject: row.subject });
        }
    }
    let (Some(head), Ok(recipe)) = (head, &made.recipe) else { return };
    if has_lost_its_head(cluster, Some(&head)) {
        return;
    }
    let work = Work { state, cluster, head: &head, recipe };
    for member in &cluster.members {
        if member.uid() != head.member.uid() && work.needs_token(member) {
            let node = member.node_name().to_owned();
            plan.tokens.push(WantedToken { cluster: cluster.uid(), host: member.uid(), node });
        }
        if let Some(order) = work.order(member) {
            plan.orders.push(order);
        }
    }
}

/// Why a host gets no order of its cluster now.
pub(crate) fn held_back(
    (index, rows): (&Index, &Rows<'_>),
    cluster: &Cluster<'_>,
    member: &Member<'_>,
) -> Option<String> {
    let others = rows.nodes_at(member.uid()).iter().find(|row| row.subject != cluster.uid());
    if let Some(other) = others {
        let name = index.get(other.subject).map(|o| format!("cluster {}", o.full_name()));
        let name = name.unwrap_or_else(|| "a cluster that was deleted".to_owned());
        return Some(format!("it is still being removed from {name}"));
    }
    match member.row {
        Some(row) if row.body.is_none() => {
            Some("it is still being removed; it comes back afterwards".to_owned())
        }
        Some(_) => None,
        None if Standing::of(member.host) == Standing::Away => {
            Some(format!("the host is {}; it joins when it is running", word(member.host)))
        }
        None => None,
    }
}

/// Why nothing can be told to a cluster's control plane.
pub(crate) fn trouble(view: (&Index, &Rows<'_>), cluster: &Cluster<'_>, made: &Made<'_>) -> Option<String> {
    if let Err(problem) = &made.recipe {
        return Some(problem.to_string());
    }
    let Some(head) = Head::of(cluster) else { return Some("the cluster has no hosts yet".to_owned()) };
    if has_lost_its_head(cluster, Some(&head)) {
        return Some("the host of the cluster's control plane is gone".to_owned());
    }
    held_back(view, cluster, &head.member)
}

fn word(host: &Object) -> &'static str {
    host.host.as_deref().map_or("not known", |h| h.state.word())
}

struct Work<'w, 'a> {
    state: &'w State<'a>,
    cluster: &'w Cluster<'a>,
    head: &'w Head<'a>,
    recipe: &'w Recipe<'a>,
}

impl Work<'_, '_> {
    fn order(&self, member: &Member<'_>) -> Option<Order> {
        if held_back(self.state.view(), self.cluster, member).is_some() {
            return None;
        }
        let role = if member.uid() == self.head.member.uid() {
            NodeRole::ControlPlane
        } else {
            NodeRole::Worker(self.join(member))
        };
        let node = self.node(member, role);
        if member.row.and_then(Assignment::node) == Some(&node) {
            return None;
        }
        Some(Order::put(member.uid(), self.cluster.uid(), Body::Node(Arc::new(node))))
    }

    fn node(&self, member: &Member<'_>, role: NodeRole) -> NodeDesired {
        let is_head = role == NodeRole::ControlPlane;
        let mut node = match self.recipe {
            Recipe::Kept(node) => (*node).clone(),
            Recipe::Fresh(template, distribution) => NodeDesired {
                cluster: self.cluster.uid().0,
                cluster_name: String::new(),
                node_name: String::new(),
                role: NodeRole::ControlPlane,
                distribution: distribution.run.clone(),
                version: distribution.version.clone(),
                pod_cidr: template.pod_cidr.clone(),
                service_cidr: template.service_cidr.clone(),
                extra: extra(template),
                labels: template.node_labels.clone(),
                taints: template.taints.clone(),
                cordoned: false,
                bootstrap: Vec::new(),
                leaving: Vec::new(),
            },
        };
        node.cluster_name = self.cluster.object.full_name();
        member.node_name().clone_into(&mut node.node_name);
        node.role = role;
        node.bootstrap = if is_head { self.bootstrap() } else { Vec::new() };
        node.leaving = if is_head { self.leaving() } else { Vec::new() };
        node
    }

    /// Whom the control plane lets in: members with a token that is good.
    fn bootstrap(&self) -> Vec<Bootstrap> {
        let members: BTreeSet<Uid> = self.cluster.members.iter().map(Member::uid).collect();
        let good = self.tokens().filter(|t| members.contains(&t.host) && t.host != self.head.member.uid());
        let mut all: Vec<Bootstrap> = good
            .map(|t| Bootstrap { token_id: t.id.clone(), node_name: t.node.clone(), expires: t.expires })
            .collect();
        all.sort_by(|a, b| a.token_id.cmp(&b.token_id));
        all
    }

    /// Nodes that the cluster has and that no member is.
    fn leaving(&self) -> Vec<String> {
        let stay: BTreeSet<&str> = self.cluster.members.iter().map(Member::node_name).collect();
        // While it cannot be asked, what it was told stays: a drain is not given up for a hiccup.
        let all: Vec<&str> = match (self.head.listed(), self.head.member.row.and_then(Assignment::node)) {
            (Some(nodes), _) => nodes.iter().map(|node| node.name.as_str()).collect(),
            (None, Some(told)) => told.leaving.iter().map(String::as_str).collect(),
            (None, None) => Vec::new(),
        };
        let gone: BTreeSet<&str> = all.into_iter().filter(|name| !stay.contains(name)).collect();
        gone.into_iter().map(str::to_owned).collect()
    }

    /// Tokens of this cluster that are good.
    fn tokens(&self) -> impl Iterator<Item = &Token> {
        let void = self.head.member.row.and_then(Assignment::said_of_node).map(|said| &said.spent_tokens);
        let (cluster, now) = (self.cluster.uid(), self.state.world.now);
        self.state
            .tokens_of(cluster)
            .iter()
            .copied()
            .filter(move |t| !t.spent && t.expires.0 > now.0 && !void.is_some_and(|v| v.contains(&t.id)))
    }

    fn token(&self, member: &Member<'_>) -> Option<&Token> {
        let mine = self.tokens().filter(|t| t.host == member.uid() && t.node == member.node_name());
        mine.max_by_key(|t| (t.expires.0, t.id.as_str()))
    }

    fn needs_token(&self, member: &Member<'_>) -> bool {
        let running = Standing::of(member.host) == Standing::Running;
        running
            && held_back(self.state.view(), self.cluster, member).is_none()
            && self.head.reach.is_some()
            && self.must_join(member)
            && self.token(member).is_none()
    }

    /// Whether a worker must (still, or again) find its way in.
    fn must_join(&self, member: &Member<'_>) -> bool {
        let Some(NodeRole::Worker(Some(join))) = member.row.and_then(Assignment::node).map(|n| &n.role)
        else {
            return true;
        };
        if self.head.reach.is_some_and(|(_, pin)| pin != join.ca_pin) {
            return true;
        }
        let phase = member.row.and_then(Assignment::said_of_node).map_or(Phase::Waiting, |said| said.phase);
        let token = self.state.tokens_of(self.cluster.uid()).iter().find(|t| t.id == join.token_id);
        let listed = self.head.nodes().iter().find(|n| n.name == member.node_name());
        match (phase, token) {
            (Phase::Ready | Phase::Degraded | Phase::Removing, _) => false,
            // Never used: it is not in.
            (_, Some(token)) if !token.spent && !self.is_void(&token.id) => {
                token.expires.0 <= self.state.world.now.0
            }
            // Used: it may be on its way, which takes a while; it failed, or it does not know of its way.
            (Phase::Progressing, _) => false,
            (Phase::Waiting | Phase::Failed, _) => listed.is_none_or(|node| !node.ready),
        }
    }

    fn is_void(&self, token: &str) -> bool {
        let said = self.head.member.row.and_then(Assignment::said_of_node);
        said.is_some_and(|said| said.spent_tokens.iter().any(|id| id == token))
    }

    /// How a worker joins; what it has stays as long as it is good.
    fn join(&self, member: &Member<'_>) -> Option<Join> {
        let had = match member.row.and_then(Assignment::node).map(|n| &n.role) {
            Some(NodeRole::Worker(join)) => join.clone(),
            _ => None,
        };
        let Some((endpoint, pin)) = self.head.reach else { return had };
        let token = if self.must_join(member) { self.token(member) } else { None };
        match (token, had) {
            (Some(token), _) => Some(Join {
                endpoint: endpoint.to_owned(),
                ca_pin: pin.to_owned(),
                token_id: token.id.clone(),
            }),
            (None, Some(had)) if had.ca_pin == pin => Some(Join { endpoint: endpoint.to_owned(), ..had }),
            (None, had) => had,
        }
    }
}

fn extra(template: &cairn_domain::model::ClusterTemplateSpec) -> std::collections::BTreeMap<String, String> {
    let mut extra = template.extra.clone();
    extra.entry("cni".to_owned()).or_insert_with(|| template.cni.clone());
    extra
}
