//! `GET /{plural}/{key}/effective`: what comes down the tree, and where each value is from.

use axum::response::Response;
use cairn_domain::{
    index::Effective,
    model::Kind,
    policies::{self, Resolved},
};
use schemars::JsonSchema;
use serde::Serialize;

use super::find;
use crate::{app::App, auth::Caller, problem::Problem, respond};

/// What applies to a node.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Applies {
    /// Of which kind it is.
    kind: Kind,
    /// Its full name.
    name: String,
    /// Effective labels, by key.
    labels: Vec<Effective>,
    /// Effective settings, by key.
    settings: Vec<Effective>,
    /// Of a host: each field of its policies.
    #[serde(skip_serializing_if = "Option::is_none")]
    policies: Option<Vec<Resolved>>,
}

pub(super) fn effective(app: &App, caller: &Caller, kind: Kind, key: &str) -> Result<Response, Problem> {
    let applies = app.view(caller, |view| {
        let object = find::find(view, kind, key)?;
        let uid = object.metadata.uid;
        let policies = (kind == Kind::Host).then(|| policies::explain(view.index, uid, &app.defaults));
        let (labels, settings) = (view.index.labels(uid), view.index.settings(uid));
        Ok::<_, Problem>(Applies { kind, name: object.full_name(), labels, settings, policies })
    });
    respond::json(&applies?)
}
