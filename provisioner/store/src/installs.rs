//! Installations: one row for each plan that was released.

use cairn_contract::{Digest, HostId, InstallId, Timestamp};

use crate::{
    ReadError, Store, WriteError,
    db::{Row, Tx, sql},
    row,
};

/// What `trust` knows of an installation before it is committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewInstall {
    /// SHA-256 of the bearer token of its reports.
    pub token_sha256: Digest,
    /// Image name.
    pub image: String,
    /// Image version.
    pub version: u64,
}

/// One installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Install {
    /// Which.
    pub id: InstallId,
    /// Of which host; it may be gone.
    pub host: HostId,
    /// SHA-256 of the bearer token of its reports.
    pub token_sha256: Digest,
    /// Image name.
    pub image: String,
    /// Image version.
    pub version: u64,
    /// When its plan was released.
    pub started: Timestamp,
    /// When it finished or failed.
    pub ended: Option<Timestamp>,
    /// Since when its reports are no longer accepted.
    pub voided: Option<Timestamp>,
    /// What the installer told at the end, JSON.
    pub result: Option<String>,
}

/// A change of install rows inside a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InstallWrite {
    /// A plan is released.
    Begin {
        /// A new id.
        id: InstallId,
        /// Of which host.
        host: HostId,
        /// The rest.
        install: NewInstall,
        /// Now.
        at: Timestamp,
    },
    /// It finished or failed.
    End(InstallId, Timestamp),
    /// Its reports are no longer accepted.
    Void(InstallId, Timestamp),
}

impl Store {
    /// The installation whose report token has this SHA-256, void or not.
    pub async fn install_by_token(&self, sha256: &Digest) -> Result<Option<Install>, ReadError> {
        let row = sql("SELECT * FROM install WHERE token_sha256 = $1").bind(sha256.to_string());
        row.fetch_optional(self.reader()).await?.as_ref().map(install_of).transpose()
    }

    /// The installation of this id.
    pub async fn install(&self, id: InstallId) -> Result<Option<Install>, ReadError> {
        let row = sql("SELECT * FROM install WHERE id = $1").bind(id.to_string());
        row.fetch_optional(self.reader()).await?.as_ref().map(install_of).transpose()
    }

    /// A host's installations, the newest first.
    pub async fn installs_of(&self, host: HostId, limit: u32) -> Result<Vec<Install>, ReadError> {
        let rows = sql("SELECT * FROM install WHERE host = $1 ORDER BY started DESC, id LIMIT $2")
            .bind(host.to_string())
            .bind(limit)
            .fetch_all(self.reader())
            .await?;
        rows.iter().map(install_of).collect()
    }

    /// Keeps what the installer told at the end (JSON). The first result stays.
    pub async fn finish_install(&self, id: InstallId, at: Timestamp, result: &str) -> Result<(), WriteError> {
        let mut tx = self.begin().await?;
        write(&mut tx, &InstallWrite::End(id, at)).await?;
        sql("UPDATE install SET result = $2 WHERE id = $1 AND result IS NULL")
            .bind(id.to_string())
            .bind(result)
            .execute(&mut tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// From now on reports of it are not accepted. Safe to repeat.
    pub async fn void_install(&self, id: InstallId, at: Timestamp) -> Result<(), WriteError> {
        let mut tx = self.begin().await?;
        write(&mut tx, &InstallWrite::Void(id, at)).await?;
        tx.commit().await?;
        Ok(())
    }
}

pub(crate) async fn write(tx: &mut Tx, write: &InstallWrite) -> Result<(), WriteError> {
    match write {
        InstallWrite::Begin { id, host, install, at } => begin(tx, (*id, *host, *at), install).await,
        InstallWrite::End(id, at) => {
            let query = sql("UPDATE install SET ended = $2 WHERE id = $1 AND ended IS NULL");
            query.bind(id.to_string()).bind(at.0).execute(tx).await?;
            Ok(())
        }
        InstallWrite::Void(id, at) => {
            let query = sql("UPDATE install SET voided = $2 WHERE id = $1 AND voided IS NULL");
            query.bind(id.to_string()).bind(at.0).execute(tx).await?;
            Ok(())
        }
    }
}

async fn begin(
    tx: &mut Tx,
    (id, host, at): (InstallId, HostId, Timestamp),
    install: &NewInstall,
) -> Result<(), WriteError> {
    sql(
        "INSERT INTO install (id, host, token_sha256, image, version, started) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(id.to_string())
    .bind(host.to_string())
    .bind(install.token_sha256.to_string())
    .bind(&install.image)
    .bind(i64::try_from(install.version)?)
    .bind(at.0)
    .execute(tx)
    .await?;
    Ok(())
}

pub(crate) async fn void_all(tx: &mut Tx, host: HostId, at: Timestamp) -> Result<(), WriteError> {
    sql("UPDATE install SET voided = $2 WHERE host = $1 AND voided IS NULL")
        .bind(host.to_string())
        .bind(at.0)
        .execute(tx)
        .await?;
    Ok(())
}

fn install_of(row: &Row) -> Result<Install, ReadError> {
    Ok(Install {
        id: row::parsed(row, "id")?,
        host: row::parsed(row, "host")?,
        token_sha256: row::parsed(row, "token_sha256")?,
        image: row::text(row, "image")?,
        version: row::natural(row, "version")?,
        started: row::time(row, "started")?,
        ended: row::maybe_time(row, "ended")?,
        voided: row::maybe_time(row, "voided")?,
        result: row::maybe_text(row, "result")?,
    })
}
