//! Resources of all kinds over HTTP: lists, single ones, writes, `apply`, what is effective. The same for every kind; what is
//! special to hosts is in [`crate::hosts`].
//!
//! ```text
//! list, get, effective --> the index, as far as the caller sees it
//! create, replace, patch, delete, apply --> write: access, admission --> Store::write | Reporter::order
//! ```

mod affected;
mod apply;
mod diff;
mod effective;
pub(crate) mod find;
pub(crate) mod list;
mod merge;
mod shape;
mod sight;
mod verbs;
pub(crate) mod write;

pub(crate) use affected::copy as copy_of;
pub use affected::{Affected, AffectedHost};
pub(crate) use apply::plan as apply_plan;
pub use diff::Difference;
pub(crate) use shape::{manifest as manifest_schema, object as object_schema};
pub(crate) use verbs::{WriteQuery, manifest_of, namespace, run};

use axum::{
    body::Body,
    extract::{Request, State},
    response::Response,
};
use bytes::Bytes;
use cairn_domain::model::Kind;
use http::Method;

use crate::{
    app::App,
    auth::Caller,
    json::{self, MAX_JSON, Params},
    path::Key,
    problem::{self, Problem},
    refusal::{self, Attempt},
    replay,
    route::{Optional, Route},
};
use list::ListQuery;
use verbs::{Ask, CreateQuery};

const JSON: &str = "application/json";
const MERGE_PATCH: &str = "application/merge-patch+json";

/// Routes of every kind.
pub(crate) fn routes() -> Vec<Route> {
    let mut all: Vec<Route> = Kind::ALL.into_iter().flat_map(of_kind).collect();
    all.extend(apply::routes());
    all
}

fn of_kind(kind: Kind) -> Vec<Route> {
    let tag = kind.plural();
    let mut all = vec![list_route(kind), get_route(kind)];
    if kind.is_node() {
        all.push(effective_route(kind));
    }
    // Images are not described but imported.
    if kind != Kind::OsImage {
        all.extend([create_route(kind), replace_route(kind), patch_route(kind), delete_route(kind)]);
    }
    all.into_iter().map(|route| route.tag(tag)).collect()
}

fn list_route(kind: Kind) -> Route {
    let handler = move |State(app): State<App>, caller: Caller, Params(query): Params<ListQuery>| async move {
        list::list(&app, &caller, kind, &query)
    };
    Route::get(format!("/{}", kind.plural()), handler)
        .summary(format!("List {}", kind.plural()))
        .query::<ListQuery>()
        .gives_as(200, "A page", Some((JSON, shape::list(kind))))
}

fn get_route(kind: Kind) -> Route {
    let handler = move |State(app): State<App>, caller: Caller, Key(key): Key| async move {
        let result = Ask { app: &app, caller: &caller, kind, run: cairn_store::Run::Check }.get(&key);
        told(&app, &caller, ("get", kind, &key), result).await
    };
    Route::get(format!("/{}/{{key}}", kind.plural()), handler)
        .summary(format!("Read one of the {}", kind.plural()))
        .gives_as(200, "It", Some((JSON, shape::object(kind))))
        .with("ETag")
}

fn effective_route(kind: Kind) -> Route {
    let handler = move |State(app): State<App>, caller: Caller, Key(key): Key| async move {
        let result = effective::effective(&app, &caller, kind, &key);
        told(&app, &caller, ("get", kind, &key), result).await
    };
    Route::get(format!("/{}/{{key}}/effective", kind.plural()), handler)
        .summary("Read its effective labels and settings, and of a host its policies")
        .gives::<effective::Applies>(200, "Each value with its source")
}

fn create_route(kind: Kind) -> Route {
    let handler = move |State(app): State<App>,
                        caller: Caller,
                        Params(query): Params<CreateQuery>,
                        request: Request| async move {
        let body = body(request, &[JSON]).await?;
        let result = Ask { app: &app, caller: &caller, kind, run: query.run() }.create(&query, &body).await;
        told(&app, &caller, ("create", kind, ""), result).await
    };
    Route::post(format!("/{}", kind.plural()), handler)
        .summary(format!("Make one of the {}", kind.plural()))
        .query::<CreateQuery>()
        .header(replay::KEY, "Makes the request safe to repeat: the same key gets the same answer for a day.")
        .takes_as(JSON, shape::manifest(kind), Optional::No)
        .gives_as(201, "It was made", Some((JSON, shape::object(kind))))
        .with("Location")
        .with("ETag")
        .leads_on(kind)
        .gives_as(200, "It would be made", Some((JSON, shape::object(kind))))
        .problems(&[problem::Kind::NotFound, problem::Kind::KeyReused])
}

impl Route {
    /// What was made can be read, changed and deleted.
    fn leads_on(self, kind: Kind) -> Self {
        let path = format!("/{}/{{key}}", kind.plural());
        let methods = [Method::GET, Method::PUT, Method::PATCH, Method::DELETE];
        let mut all =
            methods.iter().fold(self, |route, method| route.leads_to(method, &path, "/metadata/uid"));
        if kind.is_node() {
            all = all.leads_to(&Method::GET, &format!("{path}/effective"), "/metadata/uid");
        }
        if kind == Kind::Host {
            all = all.leads_to(&Method::GET, &format!("{path}/timeline"), "/metadata/uid");
        }
        all
    }
}

fn replace_route(kind: Kind) -> Route {
    let handler = move |State(app): State<App>,
                        caller: Caller,
                        Key(key): Key,
                        Params(query): Params<WriteQuery>,
                        request: Request| async move {
        let headers = request.headers().clone();
        let body = body(request, &[JSON]).await?;
        let ask = Ask { app: &app, caller: &caller, kind, run: query.run() };
        let result = ask.replace(&key, &headers, &body).await;
        told(&app, &caller, ("update", kind, &key), result).await
    };
    changing(Route::put(format!("/{}/{{key}}", kind.plural()), handler), kind)
        .summary(format!("Replace one of the {}", kind.plural()))
        .takes_as(JSON, shape::manifest(kind), Optional::No)
}

fn patch_route(kind: Kind) -> Route {
    let handler = move |State(app): State<App>,
                        caller: Caller,
                        Key(key): Key,
                        Params(query): Params<WriteQuery>,
                        request: Request| async move {
        let headers = request.headers().clone();
        let body = body(request, &[MERGE_PATCH, JSON]).await?;
        let ask = Ask { app: &app, caller: &caller, kind, run: query.run() };
        let result = ask.patch(&key, &headers, &body).await;
        told(&app, &caller, ("update", kind, &key), result).await
    };
    changing(Route::patch(format!("/{}/{{key}}", kind.plural()), handler), kind)
        .summary(format!("Change one of the {} by a merge patch (RFC 7396)", kind.plural()))
        .takes_as(MERGE_PATCH, shape::patch(), Optional::No)
        .takes_as(JSON, shape::patch(), Optional::No)
}

fn delete_route(kind: Kind) -> Route {
    let handler = move |State(app): State<App>,
                        caller: Caller,
                        Key(key): Key,
                        Params(query): Params<WriteQuery>,
                        request: Request| async move {
        let ask = Ask { app: &app, caller: &caller, kind, run: query.run() };
        let result = ask.delete(&key, request.headers()).await;
        told(&app, &caller, ("delete", kind, &key), result).await
    };
    changing(Route::delete(format!("/{}/{{key}}", kind.plural()), handler), kind)
        .summary(format!("Delete one of the {}", kind.plural()))
        .empty(204, "It is gone")
}

/// What replacing, patching and deleting have in common.
fn changing(route: Route, kind: Kind) -> Route {
    route
        .query::<WriteQuery>()
        .header("If-Match", "The ETag that was read: refused when it has changed since.")
        .gives_as(200, "As it is now, or would be", Some((JSON, shape::object(kind))))
        .with("ETag")
        .problems(&[problem::Kind::Precondition, problem::Kind::WrongState])
}

async fn body(request: Request<Body>, types: &[&str]) -> Result<Bytes, Problem> {
    json::object(request.headers(), types)?;
    json::read(request.into_body(), MAX_JSON).await
}

/// Tells the audit log of what was refused for want of a right.
async fn told(
    app: &App,
    caller: &Caller,
    (verb, kind, name): (&str, Kind, &str),
    result: Result<Response, Problem>,
) -> Result<Response, Problem> {
    match result {
        Ok(response) => Ok(response),
        Err(problem) => {
            let attempt = Attempt { verb, kind: Some(kind), name };
            Err(refusal::note(app, caller, attempt, problem).await)
        }
    }
}
