//! The ways into what runs: the API servers of clusters, logs, programs and consoles on hosts. All through the tunnels that hosts
//! dialled ([`Tunnels`]); nothing listens on a host.
//!
//! ```text
//!  kubectl --kubeconfig's token--> /clusters/NAME/proxy/... --persona--> tunnel of the control plane's host --> API server
//!  cairn logs, exec, vm console --> /hosts/NAME/{logs,exec,console} ---> tunnel of the host --> agent
//! ```
//! Rights are decided at each request, by the same check as everywhere. Not here: tokens ([`crate::auth`]), the tunnels themselves
//! (`cairn-fleet`), what a group may do in a cluster (its own roles and bindings).

mod carry;
mod kubeconfig;
mod opened;
mod persona;
mod proxy;
mod reach;
mod status;
mod streams;

pub(crate) use carry::Carried;
pub(crate) use opened::Opened;
pub use reach::{Duplex, Tunnels, Unreached};

use axum::{Router, routing::any};

use crate::{app::App, route::Route};

/// For the router and its document.
pub(crate) fn routes() -> Vec<Route> {
    [kubeconfig::routes(), streams::routes()].into_iter().flatten().collect()
}

/// Routes whose answer is another protocol; OpenAPI has no words for them.
pub(crate) fn upgrades() -> Vec<Route> {
    streams::upgrades()
}

/// The API servers of clusters: any method, any path below.
pub(crate) fn proxies() -> Router<App> {
    let whole = "/clusters/{key}/proxy";
    Router::new()
        .route(whole, any(proxy::proxy))
        .route(&format!("{whole}/"), any(proxy::proxy))
        .route(&format!("{whole}/{{*path}}"), any(proxy::proxy))
}
