//! `/v2/`: the registry of images and packages, for people and programs. Here is who asks and what that one may do; what is
//! answered is the registry's affair ([`Images`] is its adapter).
//!
//! Credentials: `Basic` with a service token or session token as the password (docker, skopeo, helm; the name is not looked at), or
//! `Bearer`. Rights in a repository are those over packages of the namespace that its first part names.

use axum::{
    body::Body,
    extract::{Request, State},
    response::{IntoResponse as _, Response},
};
use cairn_domain::{
    access::{self, Grants, Place},
    audit::{Deed, Outcome},
    fact::plain,
    model::{Kind, Namespace, Verb},
};
use futures_util::future::BoxFuture;
use http::{Method, StatusCode};

use crate::{
    app::App,
    auth::{self, Caller},
    limit,
    problem::Problem,
};

/// The registry.
pub trait Images: Send + Sync + 'static {
    /// Answers one request; its path begins with `/v2`.
    fn handle(&self, caller: ImageCaller, request: Request) -> BoxFuture<'_, Response<Body>>;
}

/// Who asks the registry.
pub struct ImageCaller {
    app: App,
    grants: Option<Grants>,
}

impl std::fmt::Debug for ImageCaller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImageCaller").field("known", &self.is_known()).finish_non_exhaustive()
    }
}

impl ImageCaller {
    /// Whether there were credentials, and good ones.
    pub fn is_known(&self) -> bool {
        self.grants.is_some()
    }

    /// Whether that one may do this with packages of the namespace. Nobody may do anything in one that there is not.
    pub fn may(&self, namespace: &Namespace, verb: Verb) -> bool {
        let Some(grants) = &self.grants else { return false };
        self.app.read(|index| {
            let place = Place::In(namespace);
            let is_there = *namespace == Namespace::Appliance || index.node_of(namespace).is_some();
            is_there && grants.decide(index, verb, Kind::Package, place).is_allowed()
        })
    }
}

/// Any method, any path below `/v2`.
pub(crate) async fn registry(State(app): State<App>, request: Request) -> Response {
    let Some(images) = app.images.clone() else { return StatusCode::NOT_FOUND.into_response() };
    let caller = match auth::of_registry(&app, auth::Presented::of(&request)).await {
        Ok(caller) => caller,
        Err(problem) => return problem.into_response(),
    };
    if let Some(caller) = &caller
        && let Err(problem) = limit::one_more(&app, caller)
    {
        return problem.into_response();
    }
    let written = written(&request);
    let grants = caller.as_ref().map(|caller| app.read(|index| access::grants(index, &caller.principal)));
    let asks = ImageCaller { app: app.clone(), grants };
    let response = images.handle(asks, request).await;
    if let (Some(written), Some(caller)) = (written, caller)
        && (response.status().is_success() || response.status() == StatusCode::FORBIDDEN)
        && let Err(problem) = note(&app, &caller, written, response.status()).await
    {
        return problem.into_response();
    }
    response
}

/// What a request changes for others: a manifest. Blobs alone are seen by nobody.
fn written(request: &Request) -> Option<(&'static str, String)> {
    let verb = match *request.method() {
        Method::PUT => "push",
        Method::DELETE => "delete",
        _ => return None,
    };
    let path = request.uri().path().strip_prefix("/v2/")?;
    path.contains("/manifests/").then(|| (verb, plain(&path.replacen("/manifests/", ":", 1), 500)))
}

async fn note(
    app: &App,
    caller: &Caller,
    (verb, name): (&str, String),
    status: StatusCode,
) -> Result<(), Problem> {
    let outcome = if status.is_success() { Outcome::Done } else { Outcome::Refused };
    let namespace = match name.split('/').next() {
        Some("library") | None => Namespace::Appliance,
        Some(top) => top.parse().unwrap_or(Namespace::Appliance),
    };
    let deed = Deed {
        actor: caller.actor.clone(),
        verb: verb.to_owned(),
        kind: None,
        uid: None,
        namespace,
        name,
        outcome,
        reason: "in the registry".to_owned(),
        before: None,
        after: None,
    };
    let at = app.auth.now();
    app.store.audit(at, &[deed]).await.map_err(|e| Problem::internal(&e))
}
