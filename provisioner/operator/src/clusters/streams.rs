//! Logs, programs and consoles of what hosts run themselves: `/hosts/{key}/logs`, and by upgrade `/exec` and `/console`.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Request, State},
    response::{IntoResponse as _, Response},
};
use cairn_contract::workload::{Body as Kept, Release, tunnel::Open};
use cairn_domain::model::{Kind as Resource, Object, Verb};
use futures_util::StreamExt as _;
use http::{HeaderValue, header};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio_util::io::ReaderStream;

use super::{
    carry::{ended, switching},
    reach::{problem, tunnels},
};
use crate::{
    app::App,
    auth::{Caller, cluster as cluster_token},
    json::{self, MAX_JSON, Params},
    path::Key,
    problem::{Kind, Problem},
    refusal::{self, Attempt},
    resources::find,
    route::{Route, text},
};

/// In `Upgrade`: bytes as they are. No browser's page can ask for it.
const PROTOCOL: &str = "cairn-stream";
/// Lines, where none are asked for.
const TAIL: u32 = 100;
/// The agent keeps no more.
const MOST_TAIL: u32 = 100_000;

/// Which log.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LogsQuery {
    /// Name of the deployment, such as `shop` or `shop.retail.acme`.
    deployment: String,
    /// Which of its applications, where it has several.
    #[serde(default)]
    application: Option<String>,
    /// Last lines; absent: 100.
    #[serde(default)]
    tail: Option<u32>,
    /// What comes, too.
    #[serde(default)]
    follow: bool,
}

/// Which program.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Exec {
    deployment: String,
    #[serde(default)]
    application: Option<String>,
    run: Vec<String>,
    /// Columns and rows.
    #[serde(default)]
    terminal: Option<(u16, u16)>,
}

/// Which console.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Console {
    deployment: String,
    #[serde(default)]
    application: Option<String>,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/hosts/{key}/logs", logs)
            .tag("hosts")
            .summary("Read the log of a container or virtual machine that a host runs itself")
            .query::<LogsQuery>()
            .gives_as(200, "Its lines", Some(("text/plain", text())))
            .slow()
            .problems(&[Kind::NotFound, Kind::Forbidden, Kind::Invalid, Kind::NotConnected]),
    ]
}

pub(super) fn upgrades() -> Vec<Route> {
    vec![Route::post("/hosts/{key}/exec", exec).slow(), Route::post("/hosts/{key}/console", console).slow()]
}

async fn logs(
    State(app): State<App>,
    caller: Caller,
    Key(key): Key,
    Params(query): Params<LogsQuery>,
) -> Result<Response, Problem> {
    let at = Wanted { host: &key, deployment: &query.deployment, application: query.application.as_deref() };
    let place = place(&app, &caller, &at, "logs.read").await?;
    let open = Open::Logs {
        deployment: place.deployment.metadata.uid.0,
        application: place.application.clone(),
        tail: query.tail.unwrap_or(TAIL).min(MOST_TAIL),
        follow: query.follow,
    };
    let stream = reach(&app, &place, open).await?;
    let ended =
        ended(app.clone(), caller, (Verb::Operate, Resource::Deployment, place.deployment.metadata.uid));
    let body = Body::from_stream(ReaderStream::new(stream).take_until(Box::pin(ended)));
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], body).into_response())
}

async fn exec(
    State(app): State<App>,
    caller: Caller,
    Key(key): Key,
    request: Request,
) -> Result<Response, Problem> {
    let asked = Asked::<Exec>::of(request).await?;
    let Exec { deployment, application, run, terminal } = asked.what;
    if run.is_empty() {
        return Err(
            Problem::new(Kind::Invalid, "There is no program to run.", "Name one: [\"/bin/sh\"]").at("run")
        );
    }
    let at = Wanted { host: &key, deployment: &deployment, application: application.as_deref() };
    let place = place(&app, &caller, &at, "exec").await?;
    let (uid, application) = (place.deployment.metadata.uid.0, place.application.clone());
    let open = Open::Exec { deployment: uid, application, run: run.clone(), terminal };
    let shown = serde_json::json!({ "run": run.iter().map(|w| cairn_domain::fact::plain(w, 200)).collect::<Vec<_>>() });
    carried(&app, caller, (place, open), ("exec", Some(shown), asked.upgrade)).await
}

async fn console(
    State(app): State<App>,
    caller: Caller,
    Key(key): Key,
    request: Request,
) -> Result<Response, Problem> {
    let asked = Asked::<Console>::of(request).await?;
    let Console { deployment, application } = asked.what;
    let at = Wanted { host: &key, deployment: &deployment, application: application.as_deref() };
    let place = place(&app, &caller, &at, "console").await?;
    let open =
        Open::Console { deployment: place.deployment.metadata.uid.0, application: place.application.clone() };
    carried(&app, caller, (place, open), ("console", None, asked.upgrade)).await
}

/// A request for another protocol, with its body.
struct Asked<T> {
    what: T,
    upgrade: hyper::upgrade::OnUpgrade,
}

impl<T: serde::de::DeserializeOwned> Asked<T> {
    async fn of(mut request: Request) -> Result<Self, Problem> {
        let wants = request.headers().get(header::UPGRADE).is_some_and(|v| v == PROTOCOL);
        if !wants {
            let next = format!("Send it by HTTP/1.1 with Connection: Upgrade and Upgrade: {PROTOCOL}.");
            return Err(Problem::new(Kind::WrongType, "This path leads to a stream of bytes.", next));
        }
        json::object(request.headers(), &["application/json"])?;
        let upgrade = hyper::upgrade::on(&mut request);
        let bytes = json::read(request.into_body(), MAX_JSON).await?;
        Ok(Self { what: json::parse(&bytes)?, upgrade })
    }
}

type Told = (&'static str, Option<serde_json::Value>, hyper::upgrade::OnUpgrade);

/// Opens the stream, tells the audit log, and carries the bytes.
async fn carried(
    app: &App,
    caller: Caller,
    (place, open): (At, Open),
    (verb, shown, upgrade): Told,
) -> Result<Response, Problem> {
    let stream = reach(app, &place, open).await?;
    let mut deed = cluster_token::deed(&caller, &place.deployment, verb);
    deed.kind = Some(Resource::Deployment);
    let mut after = serde_json::json!({ "host": place.host.full_name(), "application": place.application });
    if let (Some(shown), Some(all)) = (shown, after.as_object_mut()) {
        all.insert("what".to_owned(), shown);
    }
    deed.after = Some(after);
    app.store.audit(app.auth.now(), &[deed]).await.map_err(|e| Problem::internal(&e))?;
    let ended =
        ended(app.clone(), caller, (Verb::Operate, Resource::Deployment, place.deployment.metadata.uid));
    app.carried.between(upgrade, async move { Some(stream) }, ended);
    Ok(switching(HeaderValue::from_static(PROTOCOL)))
}

async fn reach(app: &App, place: &At, open: Open) -> Result<Box<dyn super::Duplex>, Problem> {
    let stream = tunnels(app)?.host(place.host.metadata.uid.into(), open).await;
    stream.map_err(|e| problem(&e, &format!("host {}", place.host.full_name())))
}

struct Wanted<'a> {
    host: &'a str,
    deployment: &'a str,
    application: Option<&'a str>,
}

/// One application of a deployment on one host.
struct At {
    host: Arc<Object>,
    deployment: Arc<Object>,
    application: String,
}

/// Where it is, when the caller may operate the deployment; a refusal is in the audit log.
async fn place(app: &App, caller: &Caller, wanted: &Wanted<'_>, verb: &str) -> Result<At, Problem> {
    let found = app.view(caller, |view| {
        let host = find::find(view, Resource::Host, wanted.host)?;
        let deployment = find::find_for(view, (Verb::Operate, Resource::Deployment), wanted.deployment)?;
        Ok::<_, Problem>((host, deployment))
    });
    let (host, deployment) = match found {
        Ok(found) => found,
        Err(problem) => {
            let attempt = Attempt { verb, kind: Some(Resource::Deployment), name: wanted.deployment };
            return Err(refusal::note(app, caller, attempt, problem).await);
        }
    };
    let application = application(app, (&host, &deployment), wanted.application).await?;
    Ok(At { host, deployment, application })
}

/// The one that is named, or the only one that the host runs itself.
async fn application(
    app: &App,
    (host, deployment): (&Object, &Object),
    named: Option<&str>,
) -> Result<String, Problem> {
    let order = app.store.order_to(host.metadata.uid.into(), deployment.metadata.uid).await;
    let body = order.map_err(|e| Problem::internal(&e))?.and_then(|order| order.body);
    let release = body.and_then(|body| serde_json::from_str::<Release>(&body).ok());
    let names: Vec<String> = release
        .map(|release| release.applications)
        .unwrap_or_default()
        .into_iter()
        .filter(|application| !matches!(application.body, Kept::Manifests { .. }))
        .map(|application| application.name)
        .collect();
    let (name, on) = (deployment.full_name(), host.full_name());
    if names.is_empty() {
        let detail = format!("Host {on} runs no container or virtual machine of {name} itself.");
        let next = "What runs in a cluster: cairn kubectl --cluster NAME -- logs POD";
        return Err(Problem::new(Kind::NotFound, detail, next).at("deployment"));
    }
    match named {
        Some(wanted) if names.iter().any(|n| n == wanted) => Ok(wanted.to_owned()),
        None if names.len() == 1 => Ok(names.concat()),
        Some(_) | None => {
            let detail = format!("Name one application of {name}: {}.", names.join(", "));
            Err(Problem::new(Kind::Invalid, detail, format!("Such as {name}/{}", names.concat()))
                .at("application"))
        }
    }
}
