//! The router and its document: which path is whose, and what stands before it.

use axum::{
    Router,
    middleware::{from_fn, from_fn_with_state},
    response::IntoResponse as _,
    routing::{any, get},
};
use bytes::Bytes;

use crate::{
    app::{App, Beyond, Services},
    audit, auth, backups, bundles, can, clusters, console, events, guard, hosts, images, limit, lists,
    openapi, people,
    problem::{Kind, Problem},
    replay, resources,
    route::{Door, Pace, Route},
    status, timeline, watch, workloads,
};

/// The operator side as one service, for HTTP/1.1 and HTTP/2.
///
/// The server layers a `ConnectInfo<SocketAddr>` over it, so that failed logins are counted by peer.
pub fn router(services: Services) -> Router {
    mounted(App::new(services, Beyond::default()))
}

/// The same, with what a site may have beyond.
pub fn router_with(services: Services, beyond: Beyond) -> Router {
    mounted(App::new(services, beyond))
}

fn mounted(app: App) -> Router {
    let routes = routes();
    let document = Bytes::from(openapi::document(&routes).to_string());
    let api = routes.into_iter().fold(Router::new(), |router, route| mount(router, route, &app));
    let api = clusters::upgrades().into_iter().fold(api, |router, route| mount(router, route, &app));
    let api = api.merge(clusters::proxies());
    let api = api.route("/openapi.json", get(move || async move { openapi::serve(&document) }));
    let method =
        || async { Problem::new(Kind::WrongMethod, "This path takes another method.", "").into_response() };
    Router::new()
        .nest("/api/v1", api)
        // Without deadline and limit of the body: layers of images are large.
        .route("/v2", any(images::registry))
        .route("/v2/", any(images::registry))
        .route("/v2/{*path}", any(images::registry))
        .route("/healthz", get(status::healthz))
        .route("/readyz", get(status::readyz))
        .method_not_allowed_fallback(method)
        .fallback(console::serve)
        .layer(from_fn(guard::headers))
        .with_state(app)
}

/// The whole table.
pub(crate) fn routes() -> Vec<Route> {
    [
        audit::routes(),
        auth::routes(),
        backups::routes(),
        people::routes(),
        resources::routes(),
        bundles::routes(),
        clusters::routes(),
        can::routes(),
        events::routes(),
        hosts::routes(),
        lists::routes(),
        status::routes(),
        timeline::routes(),
        watch::routes(),
        workloads::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Puts a route behind what its kind of route stands behind. The last layer is the first that a request meets.
fn mount(router: Router<App>, route: Route, app: &App) -> Router<App> {
    let mut handler = route.handler;
    match route.door {
        Door::Open => handler = handler.route_layer(from_fn_with_state(app.clone(), limit::unknown)),
        Door::Closed => {
            if route.operation.headers.iter().any(|(name, _)| *name == replay::KEY) {
                handler = handler.route_layer(from_fn_with_state(app.clone(), replay::replay));
            }
            handler = handler
                .route_layer(from_fn_with_state(app.clone(), limit::known))
                .route_layer(from_fn_with_state(app.clone(), auth::require));
        }
    }
    if route.pace == Pace::Quick {
        handler = handler.route_layer(from_fn_with_state(app.clone(), guard::deadline));
    }
    router.route(&route.path, handler)
}
