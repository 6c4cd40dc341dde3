//! Duties that one provisioner of several has at a time, as leases with a holder and an end.

use cairn_contract::Timestamp;

use crate::{ReadError, Store, WriteError, db::sql, row};

/// Who has a duty, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duty {
    /// Names a provisioner.
    pub holder: String,
    /// From then on anybody may take it.
    pub until: Timestamp,
}

/// Whether one got a duty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is the caller's until the time that it asked for.
    Yes,
    /// Another has it.
    No,
}

impl Store {
    /// Takes or renews the duty `name` for `duty.holder` until `duty.until`, if it is free, run out at `now`, or the
    /// holder's own.
    pub async fn take_duty(&self, name: &str, duty: &Duty, now: Timestamp) -> Result<Taken, WriteError> {
        let taken = sql(
            "INSERT INTO duty (name, holder, until) VALUES ($1, $2, $3) ON CONFLICT (name) DO UPDATE SET \
             holder = excluded.holder, until = excluded.until WHERE duty.until <= $4 OR duty.holder = excluded.holder",
        )
        .bind(name)
        .bind(&duty.holder)
        .bind(duty.until.0)
        .bind(now.0)
        .execute(self.writer())
        .await?;
        Ok(if taken == 0 { Taken::No } else { Taken::Yes })
    }

    /// Gives the duty `name` up, if it is `holder`'s. Safe to repeat.
    pub async fn release_duty(&self, name: &str, holder: &str) -> Result<(), WriteError> {
        let released = sql("DELETE FROM duty WHERE name = $1 AND holder = $2").bind(name).bind(holder);
        released.execute(self.writer()).await?;
        Ok(())
    }

    /// Who has the duty `name`, or had it last.
    pub async fn duty(&self, name: &str) -> Result<Option<Duty>, ReadError> {
        let row = sql("SELECT holder, until FROM duty WHERE name = $1").bind(name);
        let Some(row) = row.fetch_optional(self.reader()).await? else { return Ok(None) };
        Ok(Some(Duty { holder: row::text(&row, "holder")?, until: row::time(&row, "until")? }))
    }
}
