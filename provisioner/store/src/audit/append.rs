//! Writing the log.

use cairn_contract::Timestamp;
use cairn_domain::audit::{AuditEntry, Deed};
use serde_json::Value;

use super::{canonical, digest};
use crate::{
    ReadError, Store, WriteError,
    db::{Sequence, Tx, sql},
    host::Visible,
    row,
};

impl Store {
    /// Appends what changed nothing: refusals, secrets that were read.
    pub async fn audit(&self, at: Timestamp, deeds: &[Deed]) -> Result<(), WriteError> {
        if deeds.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        append(&mut tx, at, deeds).await?;
        Ok(self.finish(tx, Visible::No).await?)
    }

    /// Cuts rows before `before` off the front, at most `limit` of them; how many. The rest can still be verified.
    pub async fn prune_audit(&self, before: Timestamp, limit: u32) -> Result<u64, WriteError> {
        let mut tx = self.begin().await?;
        let old = sql("SELECT seq, hash, at FROM audit ORDER BY seq LIMIT $1").bind(limit);
        let rows = old.fetch_all(&mut tx).await?;
        let mut last = None;
        for row in &rows {
            // A clock that was set back must not make a hole.
            if row::time(row, "at")? >= before {
                break;
            }
            last = Some(row);
        }
        let Some(last) = last else { return Ok(0) };
        let (seq, hash) = (row::number(last, "seq")?, row::text(last, "hash")?);
        sql("UPDATE audit_anchor SET seq = $1, hash = $2").bind(seq).bind(hash).execute(&mut tx).await?;
        let cut = sql("DELETE FROM audit WHERE seq <= $1").bind(seq).execute(&mut tx).await?;
        self.finish(tx, Visible::No).await?;
        Ok(cut)
    }
}

/// Appends `deeds` to the chain.
pub(crate) async fn append(tx: &mut Tx, at: Timestamp, deeds: &[Deed]) -> Result<(), WriteError> {
    if deeds.is_empty() {
        return Ok(());
    }
    let mut prev = end(tx).await?;
    for deed in deeds {
        let seq = tx.take(Sequence::Audit, 1).await?;
        let mut entry = AuditEntry { seq, at, deed: clean(deed), prev, hash: String::new() };
        entry.hash = digest(&entry)?;
        insert(tx, &entry).await?;
        prev = entry.hash;
    }
    Ok(())
}

/// The hash of the last row, or of the last that was cut off.
async fn end(tx: &mut Tx) -> Result<String, ReadError> {
    let last = sql("SELECT hash FROM audit ORDER BY seq DESC LIMIT 1").fetch_optional(&mut *tx).await?;
    match last {
        Some(row) => row::text(&row, "hash"),
        None => row::text(&sql("SELECT hash FROM audit_anchor").fetch_one(tx).await?, "hash"),
    }
}

/// As it can be stored: what is hashed is what is read again.
fn clean(deed: &Deed) -> Deed {
    let mut deed = deed.clone();
    let actor = &mut deed.actor;
    for text in [&mut actor.name, &mut actor.origin, &mut deed.verb, &mut deed.name, &mut deed.reason] {
        if text.contains('\0') {
            *text = text.replace('\0', "\u{FFFD}");
        }
    }
    // `Some(Null)` reads back as nothing.
    for value in [&mut deed.before, &mut deed.after] {
        *value = value.take().filter(|v| !v.is_null());
    }
    deed
}

async fn insert(tx: &mut Tx, entry: &AuditEntry) -> Result<(), WriteError> {
    let deed = &entry.deed;
    let json = |value: &Option<Value>| value.as_ref().map(canonical::text);
    sql(
        "INSERT INTO audit (seq, at, actor_kind, actor, origin, verb, kind, uid, namespace, name, outcome, reason, \
         before, after, prev, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
    )
    .bind(entry.seq)
    .bind(entry.at.0)
    .bind(row::as_word(&deed.actor.kind)?)
    .bind(&deed.actor.name)
    .bind(&deed.actor.origin)
    .bind(&deed.verb)
    .bind(deed.kind.map(|kind| kind.name()))
    .bind(deed.uid.map(|uid| uid.to_string()))
    .bind(deed.namespace.to_string())
    .bind(&deed.name)
    .bind(row::as_word(&deed.outcome)?)
    .bind(&deed.reason)
    .bind(json(&deed.before))
    .bind(json(&deed.after))
    .bind(&entry.prev)
    .bind(&entry.hash)
    .execute(tx)
    .await?;
    Ok(())
}
