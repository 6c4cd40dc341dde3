//! The router: which path is whose, and what stands before it.

use std::sync::Arc;

use axum::{
    Router,
    middleware::{from_fn, from_fn_with_state},
    response::IntoResponse as _,
    routing::{delete, get, post},
};
use cairn_store::{Reporter, Store};

use crate::{
    app::{App, Limits},
    auth, bundles, console, guard, hosts, lists,
    problem::{Kind, Problem},
    status, timeline,
    uploads::Uploads,
    watch,
};

/// The operator side as one service, for HTTP/1.1 and HTTP/2. `token_sha256` is of the operator token's text.
///
/// The server layers a `ConnectInfo<SocketAddr>` over it, so that failed logins are counted by peer.
pub fn router(
    store: Store,
    reporter: Arc<dyn Reporter>,
    uploads: Arc<dyn Uploads>,
    token_sha256: [u8; 32],
    limits: Limits,
) -> Router {
    let app = App::new(store, reporter, uploads, token_sha256, limits);
    // Uploads and watches last: they keep their own time.
    let slow = Router::new()
        .route("/bundles", post(bundles::add))
        .route("/watch", get(watch::site))
        .route("/hosts/{host}/watch", get(watch::host))
        .route_layer(from_fn_with_state(app.clone(), auth::require));
    let quick = quick()
        .route_layer(from_fn_with_state(app.clone(), auth::require))
        .route("/session", post(auth::log_in))
        .layer(from_fn_with_state(app.clone(), guard::deadline));
    let method =
        || async { Problem::new(Kind::WrongMethod, "This path takes another method.", "").into_response() };
    Router::new()
        .nest("/api/v1", slow.merge(quick))
        .route("/healthz", get(status::healthz))
        .route("/readyz", get(status::readyz))
        .method_not_allowed_fallback(method)
        .fallback(console::serve)
        .layer(from_fn(guard::headers))
        .with_state(app)
}

fn quick() -> Router<App> {
    Router::new()
        .route("/session", get(status::session))
        .route("/session", delete(auth::log_out))
        .route("/hosts", get(hosts::list).post(hosts::register))
        .route("/hosts/{host}", get(hosts::show).patch(hosts::amend).delete(hosts::remove))
        .route("/hosts/{host}/accept", post(hosts::accept))
        .route("/hosts/{host}/retry", post(hosts::retry))
        .route("/hosts/{host}/reinstall", post(hosts::reinstall))
        .route("/hosts/{host}/timeline", get(timeline::host))
        .route("/timeline", get(timeline::site))
        .route("/machines", get(lists::machines))
        .route("/images", get(lists::images))
        .route("/installers", get(lists::installers))
        .route("/installers/{name}/{version}", delete(lists::retire_installer))
        .route("/status", get(status::status))
}
