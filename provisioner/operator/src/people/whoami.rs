//! Who somebody is here: name, groups, roles and where they hold.

use axum::extract::State;
use cairn_domain::{
    access::{self, PrincipalKind},
    index::{Index, Source},
    model::Uid,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{app::App, auth::Caller};

/// The caller.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WhoAmI {
    /// Name of the user; full name of the service token.
    name: String,
    kind: PrincipalKind,
    groups: Vec<String>,
    bindings: Vec<Bound>,
}

/// A role that the caller has.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Bound {
    /// Name of the role.
    role: String,
    /// The node where it holds, with all below; absent: the whole appliance.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Source>,
}

/// `GET /whoami`
pub(crate) async fn show(State(app): State<App>, caller: Caller) -> axum::Json<WhoAmI> {
    let principal = caller.principal;
    let index = app.catalog.index();
    let grants = access::grants(&index, &principal);
    let bound = |role: &str, node: Option<Uid>| Bound { role: role.to_owned(), at: named(&index, node) };
    let bindings = grants.granted().iter().map(|granted| bound(&granted.role, granted.node)).collect();
    axum::Json(WhoAmI { name: principal.name, kind: principal.kind, groups: principal.groups, bindings })
}

fn named(index: &Index, node: Option<Uid>) -> Option<Source> {
    node.and_then(|uid| index.get(uid)).map(|object| Source::from(object.as_ref()))
}
