//! Values that are taken once before they expire: the one-time code of the first login, logins under way.

use cairn_contract::Timestamp;

use crate::{Store, WriteError, db::sql, row};

impl Store {
    /// Keeps `value` under `name` (a hash, where the name is a secret) until `expires`; what was there is replaced.
    pub async fn put_ticket(&self, name: &str, value: &str, expires: Timestamp) -> Result<(), WriteError> {
        sql(
            "INSERT INTO ticket (name, value, expires) VALUES ($1, $2, $3) ON CONFLICT (name) DO UPDATE SET \
             value = excluded.value, expires = excluded.expires",
        )
        .bind(name)
        .bind(value)
        .bind(expires.0)
        .execute(self.writer())
        .await?;
        Ok(())
    }

    /// Takes the value away; of several who try, one gets it.
    pub async fn take_ticket(&self, name: &str, now: Timestamp) -> Result<Option<String>, WriteError> {
        let taken = sql("DELETE FROM ticket WHERE name = $1 RETURNING value, expires").bind(name);
        let Some(row) = taken.fetch_optional(self.writer()).await? else { return Ok(None) };
        let fresh = row::time(&row, "expires")? > now;
        Ok(if fresh { Some(row::text(&row, "value")?) } else { None })
    }

    /// Forgets what has expired; how many.
    pub async fn forget_tickets(&self, now: Timestamp) -> Result<u64, WriteError> {
        Ok(sql("DELETE FROM ticket WHERE expires <= $1").bind(now.0).execute(self.writer()).await?)
    }
}
