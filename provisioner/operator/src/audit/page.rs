//! `GET /audit`: a page of the log.

use axum::extract::State;
use cairn_contract::Timestamp;
use cairn_domain::{
    audit::AuditEntry,
    model::{Kind as Resource, Namespace},
};
use cairn_store::AuditFilter;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::visible;
use crate::{
    app::App,
    auth::Caller,
    json::Params,
    page::MAX_LIMIT,
    problem::{Kind, Problem, sentence},
};

const DEFAULT_LIMIT: u32 = 100;
/// Entries that are read for one page; a page that found too few of them says where to go on.
const READ_AT_MOST: u32 = 5000;
const READ_AT_ONCE: u32 = 500;

/// Which entries are wanted.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuditQuery {
    /// Only entries after this number.
    after: Option<i64>,
    /// At most so many, up to 500.
    limit: Option<u32>,
    /// Only what this user or token did.
    actor: Option<String>,
    /// Only this verb, such as `create`, `update`, `delete`, `login`.
    verb: Option<String>,
    /// Only what was done to this kind.
    kind: Option<String>,
    /// Only what was done in this organisation or project and below; empty: all.
    namespace: Option<String>,
    /// Only from this time on: RFC 3339.
    since: Option<String>,
}

/// A page of the log.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AuditPage {
    /// Oldest first.
    items: Vec<AuditEntry>,
    /// `after` of the next page; absent when there is no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<i64>,
}

/// `GET /audit`
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Params(query): Params<AuditQuery>,
) -> Result<axum::Json<AuditPage>, Problem> {
    let filter = query.filter()?;
    visible::allowed(&app, &caller, filter.within.as_ref()).await?;
    let limit = match query.limit.unwrap_or(DEFAULT_LIMIT) {
        n @ 1..=MAX_LIMIT => n,
        _ => return Err(invalid(format!("limit goes from 1 to {MAX_LIMIT}."), "limit")),
    };
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let (mut after, mut read, mut items) = (query.after.unwrap_or_default().max(0), 0_u32, Vec::new());
    loop {
        let found = app.store.audit_after(after, &filter, READ_AT_ONCE).await;
        let found = found.map_err(|e| Problem::internal(&e))?;
        let is_last = found.len() < READ_AT_ONCE as usize;
        read = read.saturating_add(READ_AT_ONCE);
        after = found.last().map_or(after, |entry| entry.seq);
        items.extend(visible::filter(&app, &caller.principal, found));
        if items.len() > most {
            items.truncate(most);
            let next = items.last().map(|entry| entry.seq);
            return Ok(axum::Json(AuditPage { items, next }));
        }
        if is_last || read >= READ_AT_MOST {
            return Ok(axum::Json(AuditPage { items, next: (!is_last).then_some(after) }));
        }
    }
}

impl AuditQuery {
    fn filter(&self) -> Result<AuditFilter, Problem> {
        let kind = self.kind.as_deref().map(str::parse::<Resource>).transpose();
        Ok(AuditFilter {
            actor: self.actor.clone(),
            verb: self.verb.clone(),
            kind: kind.map_err(|e| invalid(sentence(&e.to_string()), "kind"))?,
            within: namespace(self.namespace.as_deref())?,
            since: self.since.as_deref().map(time).transpose()?,
            ..AuditFilter::default()
        })
    }
}

/// A namespace from a query.
pub(super) fn namespace(text: Option<&str>) -> Result<Option<Namespace>, Problem> {
    let parsed = text.map(str::parse::<Namespace>).transpose();
    parsed.map_err(|e| invalid(sentence(&e.to_string()), "namespace"))
}

fn time(text: &str) -> Result<Timestamp, Problem> {
    let at: Result<jiff::Timestamp, _> = text.parse();
    at.map(|at| Timestamp(at.as_millisecond())).map_err(|_| {
        invalid("since is no time as RFC 3339 writes it, such as 2027-01-31T00:00:00Z.".to_owned(), "since")
    })
}

pub(super) fn invalid(detail: String, field: &'static str) -> Problem {
    Problem::new(Kind::Invalid, detail, "").at(field)
}
