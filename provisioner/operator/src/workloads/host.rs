//! `GET /hosts/{key}/workloads`: what a host was told to run or to be part of, and what it says of it.

use axum::extract::State;
use cairn_contract::workload::{NodeObserved, ReleaseObserved};
use cairn_domain::model::{Kind as Resource, rfc3339};
use cairn_store::{AssignedKind, Assignment};
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

/// One thing that a host runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostWorkload {
    /// `Cluster` or `Deployment`.
    pub kind: String,
    /// Full name of that; of a package that comes with a cluster, its uid.
    pub name: String,
    /// `Waiting`, `Progressing`, `Ready`, `Degraded`, `Failed`, `Removing` or `Removed`.
    pub phase: String,
    /// One word.
    #[serde(default)]
    pub reason: String,
    /// For people.
    #[serde(default)]
    pub message: String,
    /// RFC 3339; when it was ordered.
    pub changed: Option<String>,
    /// RFC 3339; when the host spoke of it last.
    pub heard: Option<String>,
    /// Its parts.
    #[serde(default)]
    pub applications: Vec<ApplicationRow>,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/hosts/{key}/workloads", workloads)
            .tag("hosts")
            .summary("List what a host was told to run, and what it says of it")
            .query::<Cursor>()
            .gives::<Page<HostWorkload>>(200, "What it runs")
            .problems(&[Kind::NotFound]),
    ]
}

async fn workloads(
    State(app): State<App>,
    caller: Caller,
    Key(key): Key,
    Params(cursor): Params<Cursor>,
) -> Result<axum::Json<Page<HostWorkload>>, Problem> {
    let found = app.view(&caller, |view| find::find(view, Resource::Host, &key));
    let host = match found {
        Ok(host) => host,
        Err(problem) => {
            let attempt = Attempt { verb: "get", kind: Some(Resource::Host), name: &key };
            return Err(refusal::note(&app, &caller, attempt, problem).await);
        }
    };
    let rows = app.store.assignments_of(host.metadata.uid.into()).await.map_err(|e| Problem::internal(&e))?;
    let mut rows: Vec<HostWorkload> =
        app.view(&caller, |view| rows.into_iter().filter_map(|row| shown(view, row)).collect());
    rows.sort_by(|a, b| (&a.kind, &a.name).cmp(&(&b.kind, &b.name)));
    Ok(axum::Json(cut(rows, &cursor, |row| format!("{}@{}", row.kind, row.name))?))
}

/// A cluster or deployment that the caller does not see is left out; one that is gone is shown until the host has removed it.
fn shown(view: &View<'_>, row: Assignment) -> Option<HostWorkload> {
    let name = match view.index.get(row.subject) {
        Some(object) if view.sight.sees(object) => object.full_name(),
        Some(_) => return None,
        None => row.subject.to_string(),
    };
    let text = row.observed.as_deref().unwrap_or_default();
    let said = match row.kind {
        AssignedKind::Cluster => serde_json::from_str::<NodeObserved>(text)
            .map(|said| (said.reason, said.message, Vec::new()))
            .ok(),
        AssignedKind::Deployment => serde_json::from_str::<ReleaseObserved>(text)
            .map(|said| (said.reason, said.message, said.applications))
            .ok(),
    };
    let unheard = || ("NotHeard".to_owned(), "it has not said anything of it yet".to_owned(), Vec::new());
    let (reason, message, applications) = said.unwrap_or_else(unheard);
    Some(HostWorkload {
        kind: row.kind.to_string(),
        name,
        phase: phase(&row),
        reason,
        message,
        changed: rfc3339(row.changed),
        heard: row.heard.and_then(rfc3339),
        applications: applications.into_iter().map(Into::into).collect(),
    })
}
