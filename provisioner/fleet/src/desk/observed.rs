//! `POST /host/v1/observed`: what a host says of its work, bounded before it is kept.

use std::collections::HashSet;

use cairn_contract::{
    HostId,
    workload::{ApplicationObserved, KubeNode, NodeObserved, NodeRole, Observed, ReleaseObserved},
};
use cairn_domain::{fact::plain, model::Uid};
use cairn_store::{AssignedKind, Assignment, Progress, Said};

use super::{Desk, DeskError};

/// Releases of one host.
const RELEASES: usize = 1024;
/// Applications of one release.
const APPLICATIONS: usize = 64;
/// Objects of one application.
const WORKLOADS: usize = 200;
/// Nodes of one cluster.
const NODES: usize = 5000;
/// Tokens that a control plane says are spent.
const TOKENS: usize = 1024;
/// Bytes of a text for people.
const MESSAGE: usize = 2000;
/// Bytes of a name.
const NAME: usize = 253;

impl Desk {
    /// Keeps what the host says of its own orders; what it says of others is passed over.
    pub async fn observed(&self, host: HostId, observed: Observed) -> Result<(), DeskError> {
        self.admit(host)?;
        let observed = bounded(observed)?;
        let rows = self.store.assignments_of(host).await?;
        let mut said = said(&observed)?;
        let gone: Vec<Said> = gone(&rows, &said);
        // What it was told to remove is gone when it has these very orders and names it no more.
        if !gone.is_empty() && observed.revision == Some(self.brief(host).await?.revision) {
            said.extend(gone);
        }
        let news = self.store.observe(host, &rows, &said, self.now()).await?;
        if let Some(node) = observed.node.filter(|node| news && !node.spent_tokens.is_empty()) {
            self.spend(host, &node).await?;
        }
        Ok(())
    }

    /// Only a control plane knows which of its cluster's tokens were used.
    async fn spend(&self, host: HostId, node: &NodeObserved) -> Result<(), DeskError> {
        let cluster = Uid(node.cluster);
        let role = self.node_order(host, cluster).await?.map(|order| order.role);
        if role == Some(NodeRole::ControlPlane) {
            self.store.spend_tokens(cluster, &node.spent_tokens, self.now()).await?;
        }
        Ok(())
    }
}

fn said(observed: &Observed) -> Result<Vec<Said>, DeskError> {
    let mut said = Vec::with_capacity(observed.releases.len().saturating_add(1));
    if let Some(node) = &observed.node {
        said.push(one(Uid(node.cluster), AssignedKind::Cluster, node.phase, node)?);
    }
    for release in &observed.releases {
        said.push(one(Uid(release.deployment), AssignedKind::Deployment, release.phase, release)?);
    }
    let subjects: HashSet<Uid> = said.iter().map(|s| s.subject).collect();
    match subjects.len() == said.len() {
        true => Ok(said),
        false => Err(DeskError::Invalid("something is named twice".to_owned())),
    }
}

fn one<T: serde::Serialize>(
    subject: Uid,
    kind: AssignedKind,
    phase: cairn_contract::workload::Phase,
    value: &T,
) -> Result<Said, DeskError> {
    let observed = serde_json::to_string(value).map_err(cairn_store::WriteError::from)?;
    Ok(Said { subject, kind, progress: Progress::Said(phase), observed })
}

/// What it was told to remove and does not speak of.
fn gone(rows: &[Assignment], said: &[Said]) -> Vec<Said> {
    let spoken: HashSet<Uid> = said.iter().map(|s| s.subject).collect();
    let left = rows.iter().filter(|row| !row.wanted && row.progress != Progress::Gone);
    left.filter(|row| !spoken.contains(&row.subject))
        .map(|row| Said {
            subject: row.subject,
            kind: row.kind,
            progress: Progress::Gone,
            observed: String::new(),
        })
        .collect()
}

/// Within what a host may say; texts are cut, more of anything is refused.
fn bounded(mut observed: Observed) -> Result<Observed, DeskError> {
    few(observed.releases.len(), RELEASES, "releases")?;
    if let Some(node) = &mut observed.node {
        bound_node(node)?;
    }
    for release in &mut observed.releases {
        bound_release(release)?;
    }
    Ok(observed)
}

fn few(count: usize, most: usize, what: &str) -> Result<(), DeskError> {
    match count > most {
        true => Err(DeskError::Invalid(format!("more than {most} {what}"))),
        false => Ok(()),
    }
}

fn bound_node(node: &mut NodeObserved) -> Result<(), DeskError> {
    few(node.nodes.len(), NODES, "nodes")?;
    few(node.spent_tokens.len(), TOKENS, "tokens")?;
    node.reason = word(&node.reason);
    node.message = plain(&node.message, MESSAGE);
    let is_pin = |pin: &String| {
        pin.strip_prefix("sha256:").is_some_and(|hex| hex.parse::<cairn_contract::Digest>().is_ok())
    };
    if node.ca_pin.as_ref().is_some_and(|pin| !is_pin(pin)) {
        return Err(DeskError::Invalid("caPin is not sha256:<hex>".to_owned()));
    }
    if node.endpoint.as_ref().is_some_and(|at| at.parse::<std::net::SocketAddr>().is_err()) {
        return Err(DeskError::Invalid("endpoint is not ip:port".to_owned()));
    }
    for KubeNode { name, ready: _, version, message } in &mut node.nodes {
        (*name, *version) = (plain(name, NAME), plain(version, 64));
        *message = plain(message, MESSAGE);
    }
    node.spent_tokens.iter_mut().for_each(|id| *id = plain(id, 6));
    Ok(())
}

fn bound_release(release: &mut ReleaseObserved) -> Result<(), DeskError> {
    few(release.applications.len(), APPLICATIONS, "applications")?;
    release.reason = word(&release.reason);
    release.message = plain(&release.message, MESSAGE);
    for ApplicationObserved { name, phase: _, reason, message, workloads } in &mut release.applications {
        few(workloads.len(), WORKLOADS, "workloads")?;
        (*name, *reason) = (plain(name, NAME), word(reason));
        *message = plain(message, MESSAGE);
        for workload in workloads {
            workload.kind = plain(&workload.kind, 64);
            workload.namespace = plain(&workload.namespace, NAME);
            workload.name = plain(&workload.name, NAME);
            workload.message = plain(&workload.message, MESSAGE);
        }
    }
    Ok(())
}

/// One word in upper camel case; whatever else it holds goes.
fn word(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).take(64).collect()
}
