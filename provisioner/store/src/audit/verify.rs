//! Checking the chain.

use super::{digest, page::entry_of};
use crate::{
    ReadError, Store,
    db::{Sequence, Tx, sql},
    row,
};

/// Rows that are read at a time.
const PAGE: u32 = 500;

/// What a check of the whole chain found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Number of the first entry that is kept, less one.
    pub after: i64,
    /// Entries checked.
    pub entries: u64,
    /// Hash of the last one: whoever noted it elsewhere can compare.
    pub hash: String,
    /// The first thing that does not hold.
    pub flaw: Option<AuditFlaw>,
}

/// What does not hold in the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuditFlaw {
    /// Rows were taken out.
    #[error("entry {expected} is missing")]
    Missing {
        /// Its number.
        expected: i64,
    },
    /// A row does not follow from the one before.
    #[error("entry {seq} does not follow from the one before")]
    Torn {
        /// Its number.
        seq: i64,
    },
    /// A row was changed.
    #[error("entry {seq} is not what was written")]
    Changed {
        /// Its number.
        seq: i64,
    },
}

impl Store {
    /// Checks the whole chain, from the anchor to the newest entry, as of one moment.
    pub async fn verify_audit(&self) -> Result<Verified, ReadError> {
        let mut tx = self.snapshot().await?;
        let anchor = sql("SELECT seq, hash FROM audit_anchor").fetch_one(&mut tx).await?;
        let after = row::number(&anchor, "seq")?;
        let mut found = Verified { after, entries: 0, hash: row::text(&anchor, "hash")?, flaw: None };
        let mut seq = after;
        loop {
            let count = found.entries;
            found.flaw = check_page(&mut tx, &mut seq, &mut found).await?;
            if found.flaw.is_some() || found.entries == count {
                break;
            }
        }
        let last = tx.last(Sequence::Audit).await?;
        if found.flaw.is_none() && seq != last {
            found.flaw = Some(AuditFlaw::Missing { expected: seq.saturating_add(1) });
        }
        Ok(found)
    }
}

async fn check_page(
    tx: &mut Tx,
    seq: &mut i64,
    found: &mut Verified,
) -> Result<Option<AuditFlaw>, ReadError> {
    let rows = sql("SELECT * FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2").bind(*seq).bind(PAGE);
    for row in rows.fetch_all(tx).await? {
        let expected = seq.saturating_add(1);
        let number = row::number(&row, "seq")?;
        if number != expected {
            return Ok(Some(AuditFlaw::Missing { expected }));
        }
        // A column that no longer reads was changed.
        let Ok(entry) = entry_of(&row) else { return Ok(Some(AuditFlaw::Changed { seq: number })) };
        if entry.prev != found.hash {
            return Ok(Some(AuditFlaw::Torn { seq: number }));
        }
        if digest(&entry).ok().as_ref() != Some(&entry.hash) {
            return Ok(Some(AuditFlaw::Changed { seq: number }));
        }
        *seq = number;
        found.entries = found.entries.saturating_add(1);
        found.hash = entry.hash;
    }
    Ok(None)
}
