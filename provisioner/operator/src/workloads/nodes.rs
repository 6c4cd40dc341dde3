//! `GET /clusters/{key}/nodes`: the hosts of a cluster, what each was told and says, and what Kubernetes says of them.

use std::collections::BTreeMap;

use axum::extract::State;
use cairn_contract::workload::{KubeNode, NodeObserved};
use cairn_domain::model::{Kind as Resource, Object, rfc3339};
use cairn_store::Assignment;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{row::phase, targets::control_plane};
use crate::{
    app::{App, View},
    auth::Caller,
    json::Params,
    page::{Cursor, cut},
    path::Key,
    problem::{Kind, Problem},
    refusal::{self, Attempt},
    resources::find,
    route::Route,
    view::Page,
};

/// One host of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeRow {
    /// Its full name.
    pub host: String,
    /// Name of the Node object.
    pub node: String,
    /// `control plane` or `worker`.
    pub role: String,
    /// `Waiting`, `Progressing`, `Ready`, `Degraded`, `Failed`, `Removing` or `Removed`: of what the host does.
    pub phase: String,
    /// What Kubernetes says; absent: it does not know the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<bool>,
    /// Of its kubelet.
    #[serde(default)]
    pub version: String,
    /// One word.
    #[serde(default)]
    pub reason: String,
    /// For people: the host's words, or Kubernetes' where the host has none.
    #[serde(default)]
    pub message: String,
    /// RFC 3339; when it was ordered.
    pub changed: Option<String>,
    /// RFC 3339; when the host spoke of it last.
    pub heard: Option<String>,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/clusters/{key}/nodes", nodes)
            .tag("clusters")
            .summary("List its hosts and what they say, by name")
            .query::<Cursor>()
            .gives::<Page<NodeRow>>(200, "Nodes")
            .problems(&[Kind::NotFound]),
    ]
}

async fn nodes(
    State(app): State<App>,
    caller: Caller,
    Key(key): Key,
    Params(cursor): Params<Cursor>,
) -> Result<axum::Json<Page<NodeRow>>, Problem> {
    let found = app.view(&caller, |view| find::find(view, Resource::Cluster, &key));
    let cluster = match found {
        Ok(cluster) => cluster,
        Err(problem) => {
            let attempt = Attempt { verb: "get", kind: Some(Resource::Cluster), name: &key };
            return Err(refusal::note(&app, &caller, attempt, problem).await);
        }
    };
    let rows = app.store.assignments_to(cluster.metadata.uid).await.map_err(|e| Problem::internal(&e))?;
    let said: Vec<(Assignment, Option<NodeObserved>)> = rows.into_iter().map(read).collect();
    let known = known(&said);
    let head = control_plane(&cluster);
    let mut rows = app.view(&caller, |view| {
        let one = |(row, said)| shown(view, (row, said), (&known, head.as_deref()));
        let mut rows: Vec<NodeRow> = said.into_iter().filter_map(one).collect();
        planned(view, &cluster, &mut rows);
        rows
    });
    rows.sort_by(|a, b| a.host.cmp(&b.host));
    Ok(axum::Json(cut(rows, &cursor, |row| row.host.clone())?))
}

/// One of `status.nodes`: as the planner sees it.
#[derive(Debug, Deserialize)]
struct Planned {
    name: String,
    host: String,
    role: String,
    phase: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    message: String,
}

/// The planner knows more than the host: what holds one back that nobody was told of, and which one is silent.
fn planned(view: &View<'_>, cluster: &Object, rows: &mut Vec<NodeRow>) {
    let nodes = cluster.status.as_ref().and_then(|s| s.get("nodes").cloned());
    let nodes: Vec<Planned> = nodes.and_then(|n| serde_json::from_value(n).ok()).unwrap_or_default();
    let namespace = &cluster.metadata.namespace;
    for Planned { name, host, role, phase, reason, message } in nodes {
        let found = view.index.named(Resource::Host, namespace, &host).filter(|o| view.sight.sees(o));
        let Some(host) = found.map(|o| o.full_name()) else { continue };
        match rows.iter_mut().find(|row| row.host == host) {
            Some(row) => (row.phase, row.reason, row.message) = (phase, reason, message),
            None => rows.push(NodeRow {
                host,
                node: name,
                role: if role == "controlPlane" { "control plane" } else { "worker" }.to_owned(),
                phase,
                ready: None,
                version: String::new(),
                reason,
                message,
                changed: None,
                heard: None,
            }),
        }
    }
}

fn read(row: Assignment) -> (Assignment, Option<NodeObserved>) {
    let said = row.observed.as_deref().and_then(|text| serde_json::from_str(text).ok());
    (row, said)
}

/// The Node objects, from the host that has the API server.
fn known(said: &[(Assignment, Option<NodeObserved>)]) -> BTreeMap<String, KubeNode> {
    let nodes = said.iter().filter_map(|(_, said)| said.as_ref()).flat_map(|said| said.nodes.iter().cloned());
    nodes.map(|node| (node.name.clone(), node)).collect()
}

/// Hosts that the caller does not see are left out.
fn shown(
    view: &View<'_>,
    (row, said): (Assignment, Option<NodeObserved>),
    (known, head): (&BTreeMap<String, KubeNode>, Option<&str>),
) -> Option<NodeRow> {
    let host = view.index.get(row.host.into()).filter(|host| view.sight.sees(host))?;
    let node = host.metadata.name.clone();
    let kube = known.get(&node);
    let leads = head == Some(node.as_str()) || said.as_ref().is_some_and(|said| said.endpoint.is_some());
    let (reason, message) = match said {
        Some(said) => (said.reason, said.message),
        None => ("NotHeard".to_owned(), "it has not said anything of it yet".to_owned()),
    };
    let kubes_own = || kube.filter(|k| !k.ready).map(|k| k.message.clone()).unwrap_or_default();
    Some(NodeRow {
        host: host.full_name(),
        node,
        role: if leads { "control plane" } else { "worker" }.to_owned(),
        phase: phase(&row),
        ready: kube.map(|k| k.ready),
        version: kube.map(|k| k.version.clone()).unwrap_or_default(),
        reason,
        message: if message.is_empty() { kubes_own() } else { message },
        changed: rfc3339(row.changed),
        heard: row.heard.and_then(rfc3339),
    })
}
