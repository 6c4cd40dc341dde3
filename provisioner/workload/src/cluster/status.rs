//! The status of a cluster: its nodes one by one, and whether it is of use, in words.

use cairn_contract::workload::Phase;
use cairn_domain::model::Truth;
use serde::Serialize;
use serde_json::Value;

use super::{
    leaving::{Departure, End, departures, shown},
    made::{Made, MadeFrom},
    members::{Cluster, Member, Standing},
    nodes::{Head, has_lost_its_head, held_back},
};
use crate::{
    condition::{Conditions, some_of, truth},
    state::State,
};

/// One package that comes with a cluster.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AddonStatus {
    pub(crate) package: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    pub(crate) phase: Phase,
    pub(crate) reason: String,
    pub(crate) message: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Status<'a> {
    observed_generation: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    made_from: Option<&'a MadeFrom>,
    /// Kubernetes version.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    /// Name of the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    control_plane: Option<&'a str>,
    /// `ip:port` of the API server.
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<&'a str>,
    nodes: Vec<Node<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    leaving: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    addons: Vec<AddonStatus>,
    conditions: Vec<cairn_domain::model::Condition>,
}

/// One host of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Node<'a> {
    name: &'a str,
    host: &'a str,
    role: &'static str,
    phase: Phase,
    reason: String,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
}

pub(crate) fn status<'a>(
    state: &State<'a>,
    cluster: &Cluster<'a>,
    made: &Made<'a>,
    addons: Vec<AddonStatus>,
) -> Value {
    let head = Head::of(cluster);
    let departures = departures(state, cluster, head.as_ref());
    let nodes: Vec<Node<'_>> =
        cluster.members.iter().map(|m| node(state, cluster, head.as_ref(), m)).collect();
    let before = cluster.object.status.as_deref();
    let mut conditions = Conditions::new(before, state.world.now);
    let facts = Facts { cluster, made, head: head.as_ref(), nodes: &nodes, addons: &addons };
    say_all(&facts, &departures, &mut conditions);
    let status = Status {
        observed_generation: cluster.object.metadata.generation,
        made_from: made.from.as_ref(),
        version: made.version(),
        control_plane: head.as_ref().map(|h| h.member.host.metadata.name.as_str()),
        endpoint: head.as_ref().and_then(|h| h.reach).map(|(endpoint, _)| endpoint),
        nodes,
        leaving: departures.iter().map(|d| shown(state, d)).collect(),
        addons,
        conditions: conditions.into_all(),
    };
    serde_json::to_value(&status).unwrap_or_default()
}

fn node<'a>(
    state: &State<'a>,
    cluster: &Cluster<'a>,
    head: Option<&Head<'a>>,
    member: &Member<'a>,
) -> Node<'a> {
    let is_head = head.is_some_and(|h| h.member.uid() == member.uid());
    let name = member.node_name();
    let listed = head.and_then(|h| h.nodes().iter().find(|n| n.name == name));
    let (phase, reason, message) = said(state, cluster, head, member);
    Node {
        name,
        host: &member.host.metadata.name,
        role: if is_head { "controlPlane" } else { "worker" },
        phase,
        reason,
        message,
        version: listed.map(|n| n.version.as_str()),
    }
}

fn said(
    state: &State<'_>,
    cluster: &Cluster<'_>,
    head: Option<&Head<'_>>,
    member: &Member<'_>,
) -> (Phase, String, String) {
    let is_head = head.is_some_and(|h| h.member.uid() == member.uid());
    if let Some(message) = held_back(state.view(), cluster, member) {
        return (Phase::Waiting, "HostNotReady".to_owned(), message);
    }
    if member.row.is_some() && Standing::of(member.host) != Standing::Running {
        let message = "the host does not answer; what was last heard of it may be old: see its timeline";
        return (Phase::Degraded, "HostSilent".to_owned(), message.to_owned());
    }
    match member.row.and_then(|row| row.observed.as_ref()) {
        Some(said) => {
            let (reason, message) = said.why();
            (said.phase(), reason.to_owned(), message.to_owned())
        }
        None if !is_head && head.is_none_or(|h| h.reach.is_none()) => {
            let message = "it joins when the control plane is there";
            (Phase::Waiting, "WaitingForControlPlane".to_owned(), message.to_owned())
        }
        None => (Phase::Waiting, "NotHeard".to_owned(), "the host has not spoken of it yet".to_owned()),
    }
}

struct Facts<'f, 'a> {
    cluster: &'f Cluster<'a>,
    made: &'f Made<'a>,
    head: Option<&'f Head<'a>>,
    nodes: &'f [Node<'a>],
    addons: &'f [AddonStatus],
}

fn say_all(facts: &Facts<'_, '_>, departures: &[Departure<'_>], out: &mut Conditions<'_>) {
    let head = control_plane(facts);
    let workers = workers(facts);
    let ready = match (&head, &workers) {
        (Err((reason, message)), _) | (Ok(()), Err((reason, message))) => Err((*reason, message.clone())),
        (Ok(()), Ok(())) => Ok(()),
    };
    let all = format!("all {} nodes are ready", facts.nodes.len());
    for (name, holds) in [("Ready", ready), ("ControlPlaneReady", head), ("NodesReady", workers)] {
        match holds {
            Ok(()) => out.say(name, Truth::True, "Ready", all.clone()),
            Err((reason, message)) => out.say(name, Truth::False, reason, message),
        }
    }
    if !facts.addons.is_empty() {
        say_addons(facts.addons, out);
    }
    let taken = conflicts(facts);
    if !taken.is_empty() {
        out.say("Conflict", Truth::True, "HostsTaken", some_of(&taken));
    }
    if departures.iter().any(|d| d.ends == Some(End::Late)) {
        let message = "a node could not be taken out within 10 minutes and was removed anyway; look for pods that cannot be evicted";
        out.say("LeavingLate", Truth::True, "DrainTimedOut", message);
    }
}

type Holds = Result<(), (&'static str, String)>;

fn control_plane(facts: &Facts<'_, '_>) -> Holds {
    if let Err(problem) = &facts.made.recipe {
        return Err((problem.reason, problem.to_string()));
    }
    let Some(head) = facts.head else {
        let message = if let Some(name) = &facts.cluster.spec.control_plane {
            format!(
                "spec.controlPlane: host {name} cannot be the control plane; see the condition Conflict, or name another"
            )
        } else {
            "it has no host yet: name some in spec.hosts, or let spec.selector find some that run".to_owned()
        };
        return Err(("NoHosts", message));
    };
    if has_lost_its_head(facts.cluster, Some(head)) {
        let message =
            "the host of its control plane is gone; delete the cluster and make another one of its hosts";
        return Err(("ControlPlaneLost", message.to_owned()));
    }
    let node = facts.nodes.iter().find(|n| n.role == "controlPlane");
    match node {
        Some(node) if node.phase == Phase::Ready => Ok(()),
        Some(node) => Err(("ControlPlaneNotReady", format!("{}: {}", node.host, told(node)))),
        None => Err(("NoHosts", "it has no host yet".to_owned())),
    }
}

fn told(node: &Node<'_>) -> String {
    if node.message.is_empty() { format!("{:?}", node.phase).to_lowercase() } else { node.message.clone() }
}

fn workers(facts: &Facts<'_, '_>) -> Holds {
    let missing = &facts.cluster.missing;
    if !missing.is_empty() {
        let message =
            format!("spec.hosts: there is no host {}; register it, or take it out", some_of(missing));
        return Err(("HostMissing", message));
    }
    let late: Vec<String> = facts
        .nodes
        .iter()
        .filter(|n| n.phase != Phase::Ready)
        .map(|n| format!("{}: {}", n.host, told(n)))
        .collect();
    if late.is_empty() {
        return Ok(());
    }
    let message = format!("{} of {} nodes are not ready: {}", late.len(), facts.nodes.len(), some_of(&late));
    Err(("NodesNotReady", message))
}

fn say_addons(addons: &[AddonStatus], out: &mut Conditions<'_>) {
    let late: Vec<String> = addons
        .iter()
        .filter(|a| a.phase != Phase::Ready)
        .map(|a| format!("{}: {}", a.package, a.message))
        .collect();
    let (reason, message) = match late.is_empty() {
        true => ("Ready", format!("all {} add-ons are ready", addons.len())),
        false => ("AddonsNotReady", some_of(&late)),
    };
    out.say("AddonsReady", truth(late.is_empty()), reason, message);
}

/// Hosts that another cluster has.
fn conflicts(facts: &Facts<'_, '_>) -> Vec<String> {
    let own = facts.cluster.object.full_name();
    let one = |host: &str, other: &str| {
        format!(
            "host {host} is wanted by clusters {own} and {other}; {other} has it: take it out of one of them"
        )
    };
    facts.cluster.taken.iter().map(|(host, other)| one(&host.metadata.name, &other.full_name())).collect()
}
