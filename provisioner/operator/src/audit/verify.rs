//! `GET /audit/verify`: is the log as it was written?

use axum::extract::State;
use cairn_domain::model::Namespace;
use cairn_store::{AuditFlaw, Verified};
use schemars::JsonSchema;
use serde::Serialize;

use super::visible;
use crate::{app::App, auth::Caller, problem::Problem};

/// What a check of the chain found.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Chain {
    /// Entries that hold.
    entries: u64,
    /// Number of the first entry that is kept.
    from: i64,
    /// Hash of the last entry that holds: note it elsewhere, and nobody can change the log unseen.
    hash: String,
    /// Whether all holds.
    ok: bool,
    /// The first thing that does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    broken: Option<Broken>,
}

/// Where the chain breaks.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Broken {
    /// Number of the entry.
    seq: i64,
    /// What is wrong there.
    why: String,
}

/// `GET /audit/verify`. The chain goes over everything, so it takes the right to see everything.
pub(crate) async fn verify(State(app): State<App>, caller: Caller) -> Result<axum::Json<Chain>, Problem> {
    visible::allowed(&app, &caller, Some(&Namespace::Appliance)).await?;
    let found = app.store.verify_audit().await.map_err(|e| Problem::internal(&e))?;
    Ok(axum::Json(found.into()))
}

impl From<Verified> for Chain {
    fn from(found: Verified) -> Self {
        let broken =
            found.flaw.map(|flaw| {
                let (AuditFlaw::Missing { expected: seq }
                | AuditFlaw::Torn { seq }
                | AuditFlaw::Changed { seq }) = flaw;
                Broken { seq, why: flaw.to_string() }
            });
        let from = found.after.saturating_add(1);
        Self { entries: found.entries, from, hash: found.hash, ok: broken.is_none(), broken }
    }
}
