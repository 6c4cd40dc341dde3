//! `POST /deployments/preview`: which targets a deployment would have now, and what each would get. Nothing is written.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    extract::{Request, State},
    response::Response,
};
use cairn_domain::{
    access::{Decision, Place},
    admit::{self, Admitted, Intent},
    model::{DeploymentSpec, Kind as Resource, Manifest, Namespace, Object, Spec, Verb},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    app::{App, View},
    auth::Caller,
    json::{self, MAX_JSON, Params, Unique},
    problem::{Kind, Problem},
    refusal::{self, Attempt},
    resources::{self, manifest_schema, write},
    respond,
    route::{Optional, Route},
};

/// Targets of one answer at most.
const MOST: usize = 1000;

/// Where it would be.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PreviewQuery {
    /// The project, when the manifest does not say.
    namespace: Option<String>,
}

/// What a deployment would do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// Package that it names.
    pub package: String,
    /// The version that targets would get; empty where none would.
    #[serde(default)]
    pub version: String,
    /// Targets that match now.
    pub total: usize,
    /// The first thousand of them, by name.
    pub targets: Vec<PreviewRow>,
}

/// One target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreviewRow {
    /// Its name.
    pub target: String,
    /// `Cluster` or `Host`.
    pub kind: String,
    /// Version of the package; empty where it gets nothing.
    #[serde(default)]
    pub version: String,
    /// All parameters that have a value; of secrets, their names.
    #[serde(default)]
    pub parameters: BTreeMap<String, Value>,
    /// Why it gets nothing: one word.
    #[serde(default)]
    pub reason: String,
    /// For people, with what to do.
    #[serde(default)]
    pub message: String,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/deployments/preview", preview)
            .tag("deployments")
            .summary("Tell which targets a deployment would have, and what each would get")
            .query::<PreviewQuery>()
            .takes_as("application/json", manifest_schema(Resource::Deployment), Optional::No)
            .gives::<Preview>(200, "What it would do; nothing was written")
            .problems(&[Kind::NotFound]),
    ]
}

async fn preview(
    State(app): State<App>,
    caller: Caller,
    Params(query): Params<PreviewQuery>,
    request: Request,
) -> Result<Response, Problem> {
    json::object(request.headers(), &["application/json"])?;
    let body = json::read(request.into_body(), MAX_JSON).await?;
    let manifest = admit::manifest(&Unique::parse(&body)?).map_err(write::refused)?;
    if manifest.kind != Resource::Deployment {
        let detail = format!("This path takes a Deployment, not a {}.", manifest.kind);
        return Err(Problem::new(Kind::Invalid, detail, "Previews are of deployments.").at("kind"));
    }
    let home = resources::namespace(query.namespace.as_deref())?;
    match app.view(&caller, |view| of(view, &manifest, home.as_ref())) {
        Ok(preview) => respond::json(&preview),
        Err(problem) => {
            let attempt =
                Attempt { verb: "preview", kind: Some(Resource::Deployment), name: &manifest.metadata.name };
            Err(refusal::note(&app, &caller, attempt, problem).await)
        }
    }
}

fn of(view: &View<'_>, manifest: &Manifest, home: Option<&Namespace>) -> Result<Preview, Problem> {
    let namespace =
        admit::namespace_of(view.index, Resource::Deployment, manifest.metadata.namespace.as_ref(), home)
            .map_err(|refusal| write::refused(vec![refusal]))?;
    let place = Place::In(&namespace);
    if view.sight.decide(Verb::Get, Resource::Deployment, place) != Decision::Allowed {
        return Err(write::no_namespace(&namespace).denied());
    }
    let spec = admitted(view, manifest, &namespace)?;
    let all = cairn_workload::preview(view.index, &spec, &namespace, None);
    let rows: Vec<PreviewRow> = all.into_iter().filter(|row| sees(view, row)).map(row).collect();
    let version = rows.iter().map(|row| &row.version).find(|v| !v.is_empty()).cloned().unwrap_or_default();
    let total = rows.len();
    Ok(Preview { package: spec.package, version, total, targets: rows.into_iter().take(MOST).collect() })
}

/// The spec, as it would be kept: new, or in the place of the one of this name.
fn admitted(view: &View<'_>, manifest: &Manifest, namespace: &Namespace) -> Result<DeploymentSpec, Problem> {
    let current = view.index.named(Resource::Deployment, namespace, &manifest.metadata.name);
    let intent = match current {
        Some(current) => Intent::Update { current, manifest },
        None => Intent::Create { manifest, namespace: Some(namespace) },
    };
    let admitted = admit::admit(view.index, intent, write::stamp(view.index)).map_err(write::refused)?;
    let object: Option<Arc<Object>> = match admitted {
        Admitted::Create(object) | Admitted::Update { object, .. } => Some(Arc::new(*object)),
        Admitted::Unchanged | Admitted::Delete => current.cloned(),
    };
    match object.map(|object| object.spec.clone()) {
        Some(Spec::Deployment(spec)) => Ok(*spec),
        _ => Err(Problem::new(Kind::Invalid, "This is no deployment.", "Send one.").at("kind")),
    }
}

/// What the caller may not see is no target for the caller. A name without a target is the caller's own word.
fn sees(view: &View<'_>, row: &cairn_workload::Preview) -> bool {
    row.uid == cairn_domain::model::Uid::nil()
        || view.index.get(row.uid).is_some_and(|object| view.sight.sees(object))
}

fn row(of: cairn_workload::Preview) -> PreviewRow {
    let mut row = PreviewRow {
        target: of.name,
        kind: of.kind.to_string(),
        version: String::new(),
        parameters: BTreeMap::new(),
        reason: String::new(),
        message: String::new(),
    };
    match of.outcome {
        Ok(promise) => (row.version, row.parameters) = (promise.version, promise.parameters),
        Err(problem) => {
            row.message = problem.to_string();
            problem.reason.clone_into(&mut row.reason);
        }
    }
    row
}
