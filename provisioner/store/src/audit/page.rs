//! Reading the log.

use cairn_contract::Timestamp;
use cairn_domain::{
    audit::{Actor, AuditEntry, Deed, Outcome},
    model::{Kind, Namespace, Uid},
};

use crate::{
    ReadError, Store,
    db::{Row, sql},
    row,
};

/// Which entries are wanted: those that fit all that is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Name of who did it.
    pub actor: Option<String>,
    /// What was done.
    pub verb: Option<String>,
    /// To what kind.
    pub kind: Option<Kind>,
    /// To which resource.
    pub uid: Option<Uid>,
    /// In this namespace or below.
    pub within: Option<Namespace>,
    /// To something of this name.
    pub name: Option<String>,
    /// What came of it.
    pub outcome: Option<Outcome>,
    /// At this time or later.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
}

/// All filters in one statement, each of which may be absent.
pub(crate) const PAGE: &str = "SELECT * FROM audit WHERE seq > $1 \
     AND ($2 IS NULL OR actor = $2) AND ($3 IS NULL OR verb = $3) AND ($4 IS NULL OR kind = $4) \
     AND ($5 IS NULL OR uid = $5) AND ($6 IS NULL OR namespace = $6 OR namespace LIKE $7) \
     AND ($8 IS NULL OR name = $8) AND ($9 IS NULL OR outcome = $9) \
     AND ($10 IS NULL OR at >= $10) AND ($11 IS NULL OR at < $11) ORDER BY seq LIMIT $12";

impl Store {
    /// A page of the log after the entry `after` (0: from the start), oldest first.
    pub async fn audit_after(
        &self,
        after: i64,
        filter: &AuditFilter,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, ReadError> {
        let within = filter.within.as_ref().filter(|space| **space != Namespace::Appliance);
        let outcome = filter.outcome.as_ref().map(row::as_word).transpose();
        let rows = sql(PAGE)
            .bind(after)
            .bind(filter.actor.clone())
            .bind(filter.verb.clone())
            .bind(filter.kind.map(Kind::name))
            .bind(filter.uid.map(|uid| uid.to_string()))
            .bind(within.map(ToString::to_string))
            // Names have neither of the two letters that LIKE knows.
            .bind(within.map(|space| format!("%.{space}")))
            .bind(filter.name.clone())
            .bind(outcome.map_err(|e| row::corrupt("outcome", e))?)
            .bind(filter.since.map(|t| t.0))
            .bind(filter.until.map(|t| t.0))
            .bind(limit)
            .fetch_all(self.reader())
            .await?;
        rows.iter().map(entry_of).collect()
    }
}

pub(super) fn entry_of(row: &Row) -> Result<AuditEntry, ReadError> {
    let actor = Actor {
        kind: row::word(row, "actor_kind")?,
        name: row::text(row, "actor")?,
        origin: row::text(row, "origin")?,
    };
    let kind = row::maybe_text(row, "kind")?.map(|kind| kind.parse()).transpose();
    let uid = row::maybe_text(row, "uid")?.map(|uid| uid.parse()).transpose();
    let deed = Deed {
        actor,
        verb: row::text(row, "verb")?,
        kind: kind.map_err(|e| row::corrupt("kind", e))?,
        uid: uid.map_err(|e| row::corrupt("uid", e))?,
        namespace: row::parsed(row, "namespace")?,
        name: row::text(row, "name")?,
        outcome: row::word(row, "outcome")?,
        reason: row::text(row, "reason")?,
        before: row::maybe_json(row, "before")?,
        after: row::maybe_json(row, "after")?,
    };
    Ok(AuditEntry {
        seq: row::number(row, "seq")?,
        at: row::time(row, "at")?,
        deed,
        prev: row::text(row, "prev")?,
        hash: row::text(row, "hash")?,
    })
}
