//! Sessions of people who are logged in.

use cairn_contract::{Digest, Timestamp};
use cairn_domain::{audit::Deed, model::Uid};

use crate::{
    ReadError, Store, WriteError, audit,
    db::{Row, sql},
    host::Visible,
    row,
};

/// One session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// SHA-256 of its secret.
    pub sha256: Digest,
    /// Whose.
    pub user: Uid,
    /// Who that was at the login, as JSON of the caller's: name, groups.
    pub principal: String,
    /// When it began.
    pub created: Timestamp,
    /// From then on it is refused.
    pub expires: Timestamp,
    /// When it was used last, as far as noted.
    pub last_seen: Timestamp,
}

impl Store {
    /// Begins a session, and notes the login in the audit log with it.
    pub async fn begin_session(&self, session: &Session, deeds: &[Deed]) -> Result<(), WriteError> {
        let mut tx = self.begin().await?;
        sql("INSERT INTO session (sha256, user_uid, principal, created, expires, last_seen) \
             VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(session.sha256.to_string())
        .bind(session.user.to_string())
        .bind(&session.principal)
        .bind(session.created.0)
        .bind(session.expires.0)
        .bind(session.last_seen.0)
        .execute(&mut tx)
        .await?;
        audit::append(&mut tx, session.created, deeds).await?;
        Ok(self.finish(tx, Visible::No).await?)
    }

    /// The session whose secret has this SHA-256, expired or not.
    pub async fn session(&self, sha256: &Digest) -> Result<Option<Session>, ReadError> {
        let row = sql("SELECT * FROM session WHERE sha256 = $1").bind(sha256.to_string());
        row.fetch_optional(self.reader()).await?.as_ref().map(session_of).transpose()
    }

    /// A user's sessions, the newest first.
    pub async fn sessions_of(&self, user: Uid) -> Result<Vec<Session>, ReadError> {
        let rows = sql("SELECT * FROM session WHERE user_uid = $1 ORDER BY created DESC, sha256 LIMIT 1000");
        rows.bind(user.to_string()).fetch_all(self.reader()).await?.iter().map(session_of).collect()
    }

    /// Notes that a session was used. Not needed for each use.
    pub async fn session_seen(&self, sha256: &Digest, at: Timestamp) -> Result<(), WriteError> {
        let seen = sql("UPDATE session SET last_seen = $2 WHERE sha256 = $1").bind(sha256.to_string());
        seen.bind(at.0).execute(self.writer()).await?;
        Ok(())
    }

    /// Ends a session, and notes that in the audit log with it. Safe to repeat.
    pub async fn end_session(
        &self,
        sha256: &Digest,
        at: Timestamp,
        deeds: &[Deed],
    ) -> Result<(), WriteError> {
        let mut tx = self.begin().await?;
        sql("DELETE FROM session WHERE sha256 = $1").bind(sha256.to_string()).execute(&mut tx).await?;
        audit::append(&mut tx, at, deeds).await?;
        Ok(self.finish(tx, Visible::No).await?)
    }

    /// Forgets sessions that have expired; how many.
    pub async fn forget_sessions(&self, now: Timestamp) -> Result<u64, WriteError> {
        Ok(sql("DELETE FROM session WHERE expires <= $1").bind(now.0).execute(self.writer()).await?)
    }
}

fn session_of(row: &Row) -> Result<Session, ReadError> {
    Ok(Session {
        sha256: row::parsed(row, "sha256")?,
        user: row::parsed(row, "user_uid")?,
        principal: row::text(row, "principal")?,
        created: row::time(row, "created")?,
        expires: row::time(row, "expires")?,
        last_seen: row::time(row, "last_seen")?,
    })
}
