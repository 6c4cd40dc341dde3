//! `POST /clusters/{key}/kubeconfig`: a kubeconfig that works for a while, for one person and one cluster.

use axum::extract::{Request, State};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use cairn_domain::model::{Kind as Resource, Object, Verb, rfc3339};
use http::{HeaderMap, StatusCode, Uri};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

use super::reach::tunnels;
use crate::{
    app::App,
    auth::{Caller, addressed, cluster as cluster_token},
    json::{self, MAX_JSON},
    path::Key,
    problem::{Kind, Problem},
    refusal::{self, Attempt},
    resources::find,
    route::{Optional, Route, describe},
};

/// Seconds, where none are asked for.
const USUAL_S: u32 = 3600;
/// At most.
const MOST_S: u32 = 8 * 3600;
/// At least: a clock may be off.
const LEAST_S: u32 = 60;

/// How long it shall work.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct Wanted {
    /// Seconds, 60 to 28800; absent: 3600.
    seconds: Option<u32>,
}

/// A way into a cluster.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Kubeconfig {
    /// RFC 3339; then it is void. Earlier when the person loses the right, or revokes it.
    expires: String,
    /// A kubeconfig. Secret: whoever has it is that person in the cluster.
    config: Value,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/clusters/{key}/kubeconfig", make)
            .tag("clusters")
            .summary("Get a kubeconfig for a cluster that works for an hour, through this site")
            .takes_as("application/json", describe::<Wanted>(), Optional::Yes)
            .gives::<Kubeconfig>(201, "The kubeconfig: it is shown once")
            .problems(&[
                Kind::NotFound,
                Kind::Forbidden,
                Kind::Invalid,
                Kind::NotConnected,
                Kind::WrongType,
                Kind::UnknownField,
                Kind::TooLarge,
            ]),
        Route::delete("/clusters/{key}/kubeconfig", revoke)
            .tag("clusters")
            .summary("Make all of one's own kubeconfigs for a cluster void")
            .empty(204, "They are void")
            .problems(&[Kind::NotFound, Kind::Forbidden]),
    ]
}

async fn make(
    State(app): State<App>,
    caller: Caller,
    Key(key): Key,
    request: Request,
) -> Result<(StatusCode, axum::Json<Kubeconfig>), Problem> {
    let (parts, body) = request.into_parts();
    let bytes = json::read(body, MAX_JSON).await?;
    let wanted: Wanted = match bytes.is_empty() {
        true => Wanted::default(),
        false => {
            json::object(&parts.headers, &["application/json"])?;
            json::parse(&bytes)?
        }
    };
    let seconds = wanted.seconds.unwrap_or(USUAL_S);
    if !(LEAST_S..=MOST_S).contains(&seconds) {
        let detail = format!("A kubeconfig works for {LEAST_S} to {MOST_S} seconds.");
        return Err(Problem::new(Kind::Invalid, detail, "Ask for another when it has run out.").at("seconds"));
    }
    let cluster = enter(&app, &caller, &key, "kubeconfig.create").await?;
    let (authority, server_name) = tunnels(&app)?.authority();
    let server = server(&parts.headers, &parts.uri, &cluster)?;
    let until = app.auth.now().after_seconds(seconds);
    let (token, until) = cluster_token::make(&app, &caller, &cluster, until).await?;
    let config = config(
        &cluster,
        &json!({
            "server": server,
            "tls-server-name": server_name,
            "certificate-authority-data": STANDARD.encode(authority),
        }),
        token.expose(),
    );
    Ok((StatusCode::CREATED, axum::Json(Kubeconfig { expires: rfc3339(until).unwrap_or_default(), config })))
}

async fn revoke(State(app): State<App>, caller: Caller, Key(key): Key) -> Result<StatusCode, Problem> {
    let cluster = enter(&app, &caller, &key, "kubeconfig.revoke").await?;
    cluster_token::revoke(&app, &caller, &cluster).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The cluster, when the caller may enter it; a refusal is in the audit log.
pub(super) async fn enter(app: &App, caller: &Caller, key: &str, verb: &str) -> Result<Arc<Object>, Problem> {
    let found = app.view(caller, |view| find::find_for(view, (Verb::Secret, Resource::Cluster), key));
    match found {
        Ok(cluster) => Ok(cluster),
        Err(problem) => {
            let attempt = Attempt { verb, kind: Some(Resource::Cluster), name: key };
            Err(refusal::note(app, caller, attempt, problem).await)
        }
    }
}

/// The way that the caller came is the way that kubectl goes.
fn server(headers: &HeaderMap, uri: &Uri, cluster: &Object) -> Result<String, Problem> {
    let host = addressed(headers, uri).and_then(|host| host.parse::<http::uri::Authority>().ok());
    let host = host.filter(|host| !host.as_str().contains('@')).ok_or_else(|| {
        Problem::new(
            Kind::Malformed,
            "The request does not say which host it is for.",
            "Send the header Host.",
        )
    })?;
    Ok(format!("https://{host}/api/v1/clusters/{}/proxy", cluster.metadata.uid))
}

fn config(cluster: &Object, there: &Value, token: &str) -> Value {
    let name = cluster.full_name();
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": name, "cluster": there }],
        "users": [{ "name": name, "user": { "token": token } }],
        "contexts": [{ "name": name, "context": { "cluster": name, "user": name } }],
        "current-context": name,
    })
}
