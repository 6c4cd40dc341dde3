//! `GET /deployments/{key}/targets`: what each target was told, and what its host says of it.

use std::collections::BTreeMap;

use axum::extract::State;
use cairn_contract::{Digest, workload::ReleaseObserved};
use cairn_domain::model::{Kind as Resource, Object, Spec, TargetKind, rfc3339};
use cairn_store::Assignment;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::row::{ApplicationRow, phase};
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

/// One target of a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetRow {
    /// Full name of the cluster or host.
    pub target: String,
    /// Full name of the host that carries it out; empty while nobody was told.
    pub host: String,
    /// `Waiting`, `Progressing`, `Ready`, `Degraded`, `Failed`, `Removing` or `Removed`.
    pub phase: String,
    /// What it is told to run; absent while nobody was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub revision: Option<Digest>,
    /// Whether what it says is of that, not of an order before.
    pub current: bool,
    /// One word.
    #[serde(default)]
    pub reason: String,
    /// For people.
    #[serde(default)]
    pub message: String,
    /// Changes by others that were put right.
    #[serde(default)]
    pub corrected: u64,
    /// RFC 3339; when it was ordered.
    pub changed: Option<String>,
    /// RFC 3339; when its host spoke of it last.
    pub heard: Option<String>,
    /// Its parts.
    #[serde(default)]
    pub applications: Vec<ApplicationRow>,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/deployments/{key}/targets", targets)
            .tag("deployments")
            .summary("List what its targets were told and what they say, by name")
            .query::<Cursor>()
            .gives::<Page<TargetRow>>(200, "Targets")
            .problems(&[Kind::NotFound]),
    ]
}

async fn targets(
    State(app): State<App>,
    caller: Caller,
    Key(key): Key,
    Params(cursor): Params<Cursor>,
) -> Result<axum::Json<Page<TargetRow>>, Problem> {
    let found = app.view(&caller, |view| find::find(view, Resource::Deployment, &key));
    let deployment = match found {
        Ok(deployment) => deployment,
        Err(problem) => {
            let attempt = Attempt { verb: "get", kind: Some(Resource::Deployment), name: &key };
            return Err(refusal::note(&app, &caller, attempt, problem).await);
        }
    };
    let said = app.store.assignments_to(deployment.metadata.uid).await.map_err(|e| Problem::internal(&e))?;
    let mut rows = app.view(&caller, |view| {
        let names = Names::of(view, &deployment);
        let mut rows: Vec<TargetRow> = said.into_iter().filter_map(|row| names.row(view, row)).collect();
        held_back(view, &deployment, &mut rows);
        rows
    });
    rows.sort_by(|a, b| (&a.target, &a.host).cmp(&(&b.target, &b.host)));
    Ok(axum::Json(cut(rows, &cursor, |row| format!("{}@{}", row.target, row.host))?))
}

/// How targets are called, by the host that carries out.
struct Names(Option<BTreeMap<String, String>>);

impl Names {
    /// Of hosts, their own; of clusters, theirs by control plane.
    fn of(view: &View<'_>, deployment: &Object) -> Self {
        let Spec::Deployment(spec) = &deployment.spec else { return Self(None) };
        if spec.targets.kind == TargetKind::Host {
            return Self(None);
        }
        let namespace = &deployment.metadata.namespace;
        let clusters = view.index.in_namespace(Resource::Cluster, namespace).filter(|o| view.sight.sees(o));
        let pairs = clusters.filter_map(|cluster| Some((control_plane(cluster)?, cluster.full_name())));
        Self(Some(pairs.collect()))
    }

    /// Rows of hosts that the caller does not see are left out.
    fn row(&self, view: &View<'_>, row: Assignment) -> Option<TargetRow> {
        let host = view.index.get(row.host.into()).filter(|host| view.sight.sees(host))?;
        let named = self.0.as_ref().and_then(|names| names.get(&host.metadata.name));
        let host = host.full_name();
        let target = named.cloned().unwrap_or_else(|| host.clone());
        let phase = phase(&row);
        let said =
            row.observed.as_deref().and_then(|text| serde_json::from_str::<ReleaseObserved>(text).ok());
        let current = said.as_ref().is_some_and(|said| said.revision == row.revision);
        let (reason, message, corrected, applications) = match said {
            Some(said) => (said.reason, said.message, said.corrected, said.applications),
            None => {
                ("NotHeard".to_owned(), "its host has not said anything of it yet".to_owned(), 0, Vec::new())
            }
        };
        Some(TargetRow {
            target,
            host,
            phase,
            revision: Some(row.revision),
            current,
            reason,
            message,
            corrected,
            changed: rfc3339(row.changed),
            heard: row.heard.and_then(rfc3339),
            applications: applications.into_iter().map(Into::into).collect(),
        })
    }
}

/// One of `status.worst`: a target that is not ready, and why.
#[derive(Debug, Deserialize)]
struct Worst {
    kind: Resource,
    name: String,
    phase: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    message: String,
}

/// Targets that nobody was told of yet, and why others have not got what they shall have: as the planner says.
fn held_back(view: &View<'_>, deployment: &Object, rows: &mut Vec<TargetRow>) {
    let worst = deployment.status.as_ref().and_then(|s| s.get("worst").cloned());
    let worst: Vec<Worst> = worst.and_then(|w| serde_json::from_value(w).ok()).unwrap_or_default();
    let namespace = &deployment.metadata.namespace;
    for Worst { kind, name, phase, reason, message } in worst {
        let Some(object) = view.index.named(kind, namespace, &name).filter(|o| view.sight.sees(o)) else {
            continue;
        };
        let target = object.full_name();
        match rows.iter_mut().find(|row| row.target == target) {
            Some(row) if row.current => {}
            Some(row) => (row.reason, row.message) = (reason, message),
            None => rows.push(TargetRow {
                target,
                host: String::new(),
                phase,
                revision: None,
                current: false,
                reason,
                message,
                corrected: 0,
                changed: None,
                heard: None,
                applications: Vec::new(),
            }),
        }
    }
}

/// Name of the host that has a cluster's API server: as the provisioner says, or else as it was described.
pub(super) fn control_plane(cluster: &Object) -> Option<String> {
    let said = cluster.status.as_ref().and_then(|s| s.get("controlPlane")?.as_str().map(str::to_owned));
    let Spec::Cluster(spec) = &cluster.spec else { return said };
    let named = said.or_else(|| spec.control_plane.clone()).or_else(|| spec.hosts.first().cloned())?;
    Some(named.split('.').next().unwrap_or_default().to_owned())
}
