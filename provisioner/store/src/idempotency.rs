//! Answers to requests that carried an idempotency key: the same request again gets the same answer, and does nothing.

use cairn_contract::{Digest, Timestamp};

use crate::{
    ReadError, Store, WriteError,
    db::{Tx, sql},
    row,
};

/// What a request was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Who asked.
    pub principal: String,
    /// The key that the request carried; unique for a principal.
    pub key: String,
    /// SHA-256 of the request: another one under the same key is a mistake.
    pub request: Digest,
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub response: String,
}

impl Store {
    /// What `principal` was answered under `key`, if that is still known.
    pub async fn answer(&self, principal: &str, key: &str) -> Result<Option<Answer>, ReadError> {
        let found =
            sql("SELECT * FROM idempotency WHERE principal = $1 AND key = $2").bind(principal).bind(key);
        let Some(row) = found.fetch_optional(self.reader()).await? else { return Ok(None) };
        Ok(Some(Answer {
            principal: row::text(&row, "principal")?,
            key: row::text(&row, "key")?,
            request: row::parsed(&row, "request")?,
            status: u16::try_from(row::number(&row, "status")?).map_err(|e| row::corrupt("status", e))?,
            response: row::text(&row, "response")?,
        }))
    }

    /// Forgets answers given before `before`; how many.
    pub async fn forget_answers(&self, before: Timestamp) -> Result<u64, WriteError> {
        Ok(sql("DELETE FROM idempotency WHERE at < $1").bind(before.0).execute(self.writer()).await?)
    }
}

/// Keeps an answer; a second one under the same key is a unique violation.
pub(crate) async fn write(tx: &mut Tx, answer: &Answer, at: Timestamp) -> Result<(), sqlx::Error> {
    sql(
        "INSERT INTO idempotency (principal, key, request, status, response, at) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&answer.principal)
    .bind(&answer.key)
    .bind(answer.request.to_string())
    .bind(u32::from(answer.status))
    .bind(&answer.response)
    .bind(at.0)
    .execute(tx)
    .await?;
    Ok(())
}
