//! Passwords and service tokens, as what can be checked and not as what can be used: a PHC string, a SHA-256.

use std::fmt;

use cairn_contract::{Digest, Timestamp};
use cairn_domain::model::Uid;

use crate::{
    ReadError, Store, WriteError,
    db::{Row, Tx, sql},
    row,
};

/// A user's password.
#[derive(Clone, PartialEq, Eq)]
pub struct Password {
    /// Argon2id as a PHC string.
    pub phc: String,
    /// When it was set.
    pub changed: Timestamp,
}

/// A service token. Its rights are in the Token resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceToken {
    /// SHA-256 of the secret.
    pub sha256: Digest,
    /// Of the Token resource.
    pub uid: Uid,
    /// When it was made.
    pub created: Timestamp,
    /// From then on it is refused.
    pub expires: Timestamp,
    /// When it was used last, as far as noted.
    pub last_used: Option<Timestamp>,
}

/// A change of credentials, in one transaction with the resource that they belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialWrite {
    /// In place of any other of the user.
    SetPassword {
        /// Whose.
        user: Uid,
        /// It.
        password: Password,
    },
    /// The user can no longer log in with one.
    ClearPassword {
        /// Whose.
        user: Uid,
    },
    /// In place of any other of the Token resource.
    SetToken(ServiceToken),
    /// The user's sessions end.
    EndSessions {
        /// Whose.
        user: Uid,
    },
}

/// The hash is of use to somebody who guesses.
impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Password").field("changed", &self.changed).finish_non_exhaustive()
    }
}

impl Store {
    /// A user's password, if it has one.
    pub async fn password(&self, user: Uid) -> Result<Option<Password>, ReadError> {
        let row = sql("SELECT phc, changed FROM password WHERE user_uid = $1").bind(user.to_string());
        let Some(row) = row.fetch_optional(self.reader()).await? else { return Ok(None) };
        Ok(Some(Password { phc: row::text(&row, "phc")?, changed: row::time(&row, "changed")? }))
    }

    /// The service token whose secret has this SHA-256, expired or not.
    pub async fn service_token(&self, sha256: &Digest) -> Result<Option<ServiceToken>, ReadError> {
        let row = sql("SELECT * FROM token WHERE sha256 = $1").bind(sha256.to_string());
        row.fetch_optional(self.reader()).await?.as_ref().map(token_of).transpose()
    }

    /// The service token of a Token resource.
    pub async fn service_token_of(&self, uid: Uid) -> Result<Option<ServiceToken>, ReadError> {
        let row = sql("SELECT * FROM token WHERE uid = $1").bind(uid.to_string());
        row.fetch_optional(self.reader()).await?.as_ref().map(token_of).transpose()
    }

    /// Notes that a service token was used. Not needed for each use.
    pub async fn service_token_used(&self, sha256: &Digest, at: Timestamp) -> Result<(), WriteError> {
        let used =
            sql("UPDATE token SET last_used = $2 WHERE sha256 = $1").bind(sha256.to_string()).bind(at.0);
        used.execute(self.writer()).await?;
        Ok(())
    }
}

pub(crate) async fn write(tx: &mut Tx, write: &CredentialWrite) -> Result<(), WriteError> {
    match write {
        CredentialWrite::SetPassword { user, password } => {
            let query = sql(
                "INSERT INTO password (user_uid, phc, changed) VALUES ($1, $2, $3) ON CONFLICT (user_uid) \
                 DO UPDATE SET phc = excluded.phc, changed = excluded.changed",
            );
            query.bind(user.to_string()).bind(&password.phc).bind(password.changed.0).execute(tx).await?;
        }
        CredentialWrite::ClearPassword { user } => {
            sql("DELETE FROM password WHERE user_uid = $1").bind(user.to_string()).execute(tx).await?;
        }
        CredentialWrite::SetToken(token) => set_token(tx, token).await?,
        CredentialWrite::EndSessions { user } => {
            sql("DELETE FROM session WHERE user_uid = $1").bind(user.to_string()).execute(tx).await?;
        }
    }
    Ok(())
}

async fn set_token(tx: &mut Tx, token: &ServiceToken) -> Result<(), WriteError> {
    sql("DELETE FROM token WHERE uid = $1").bind(token.uid.to_string()).execute(&mut *tx).await?;
    sql("INSERT INTO token (sha256, uid, created, expires, last_used) VALUES ($1, $2, $3, $4, $5)")
        .bind(token.sha256.to_string())
        .bind(token.uid.to_string())
        .bind(token.created.0)
        .bind(token.expires.0)
        .bind(token.last_used.map(|t| t.0))
        .execute(tx)
        .await?;
    Ok(())
}

/// Forgets all credentials of a user or token that is deleted.
pub(crate) async fn forget(tx: &mut Tx, uid: Uid) -> Result<(), WriteError> {
    for table in [
        "DELETE FROM password WHERE user_uid = $1",
        "DELETE FROM token WHERE uid = $1",
        "DELETE FROM session WHERE user_uid = $1",
    ] {
        sql(table).bind(uid.to_string()).execute(&mut *tx).await?;
    }
    Ok(())
}

fn token_of(row: &Row) -> Result<ServiceToken, ReadError> {
    Ok(ServiceToken {
        sha256: row::parsed(row, "sha256")?,
        uid: row::parsed(row, "uid")?,
        created: row::time(row, "created")?,
        expires: row::time(row, "expires")?,
        last_used: row::maybe_time(row, "last_used")?,
    })
}
