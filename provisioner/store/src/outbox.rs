//! Effects that are committed and not yet done. Each runs at least once, also after a crash.

use cairn_contract::Timestamp;
use cairn_domain::Effect;

use crate::{
    ReadError, Store, WriteError,
    db::{Sequence, Tx, sql},
    row,
};

/// One effect to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingEffect {
    /// Names it in the outbox.
    pub id: i64,
    /// What to do.
    pub effect: Effect,
    /// Times it failed.
    pub attempts: u32,
}

impl Store {
    /// Effects that are due, in the order of their commits.
    pub async fn pending_effects(&self, now: Timestamp, limit: u32) -> Result<Vec<PendingEffect>, ReadError> {
        let rows = sql("SELECT id, effect, attempts FROM outbox WHERE due <= $1 ORDER BY id LIMIT $2")
            .bind(now.0)
            .bind(limit)
            .fetch_all(self.reader())
            .await?;
        rows.iter()
            .map(|row| {
                Ok(PendingEffect {
                    id: row::number(row, "id")?,
                    effect: row::json(row, "effect")?,
                    attempts: u32::try_from(row::natural(row, "attempts")?).unwrap_or(u32::MAX),
                })
            })
            .collect()
    }

    /// It is done.
    pub async fn effect_done(&self, id: i64) -> Result<(), WriteError> {
        sql("DELETE FROM outbox WHERE id = $1").bind(id).execute(self.writer()).await?;
        Ok(())
    }

    /// It failed; it is due again at `due`.
    pub async fn effect_failed(&self, id: i64, due: Timestamp) -> Result<(), WriteError> {
        sql("UPDATE outbox SET due = $2, attempts = attempts + 1 WHERE id = $1")
            .bind(id)
            .bind(due.0)
            .execute(self.writer())
            .await?;
        Ok(())
    }
}

pub(crate) async fn write(tx: &mut Tx, effects: &[Effect], at: Timestamp) -> Result<(), WriteError> {
    for effect in effects {
        let id = tx.take(Sequence::Outbox, 1).await?;
        sql("INSERT INTO outbox (id, effect, due, attempts) VALUES ($1, $2, $3, 0)")
            .bind(id)
            .bind(serde_json::to_string(effect)?)
            .bind(at.0)
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}
