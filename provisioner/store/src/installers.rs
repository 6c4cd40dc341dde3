//! Installers that the site has composed: one is served, all that are not retired are accepted in evidence.

use cairn_contract::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    ReadError, Store, WriteError,
    db::{Row, sql},
    row,
};

/// What an installer is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Served to machines that boot. At most one.
    Active,
    /// No longer served; a machine that has booted it may still prove itself.
    Accepted,
    /// Neither.
    Retired,
}

/// One composed installer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installer {
    /// `metal` or `lab`.
    pub flavour: String,
    /// Names it within its flavour.
    pub version: String,
    /// When it was composed.
    pub created: Timestamp,
    /// Reference values of its boot, JSON of `trust`'s.
    pub reference: String,
    /// Signed UKI.
    pub uki: Digest,
    /// Kernel alone, for boots that have no use for a UKI.
    pub kernel: Digest,
    /// Initial RAM disk alone.
    pub initrd: Digest,
    /// What it is used for.
    pub standing: Standing,
}

/// Why an installer is not retired.
#[derive(Debug, thiserror::Error)]
pub enum RetireError {
    /// There is none of that flavour and version.
    #[error("there is no such installer")]
    NotFound,
    /// Machines that boot now get it.
    #[error("this installer is served; add another first")]
    Active,
    /// Writing.
    #[error("cannot write the database")]
    Write(#[from] WriteError),
}

impl Store {
    /// Adds an installer, or replaces the one of the same flavour and version.
    /// An active one takes the place of the one that was active.
    pub async fn add_installer(&self, installer: &Installer) -> Result<(), WriteError> {
        let mut tx = self.begin().await?;
        if installer.standing == Standing::Active {
            sql("UPDATE installer SET standing = 'accepted' WHERE standing = 'active'")
                .execute(&mut tx)
                .await?;
        }
        sql("INSERT INTO installer (flavour, version, created, reference, uki, kernel, initrd, standing) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (flavour, version) DO UPDATE SET \
             created = excluded.created, reference = excluded.reference, uki = excluded.uki, \
             kernel = excluded.kernel, initrd = excluded.initrd, standing = excluded.standing")
        .bind(&installer.flavour)
        .bind(&installer.version)
        .bind(installer.created.0)
        .bind(&installer.reference)
        .bind(installer.uki.to_string())
        .bind(installer.kernel.to_string())
        .bind(installer.initrd.to_string())
        .bind(row::as_word(&installer.standing)?)
        .execute(&mut tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Takes an installer out of use: evidence that names it is refused from then on. The one that is served stays.
    pub async fn retire_installer(&self, flavour: &str, version: &str) -> Result<(), RetireError> {
        let mut tx = self.begin().await.map_err(WriteError::from)?;
        let found = sql("SELECT standing FROM installer WHERE flavour = $1 AND version = $2")
            .bind(flavour)
            .bind(version)
            .fetch_optional(&mut tx)
            .await
            .map_err(WriteError::from)?;
        match found.map(|row| row::word(&row, "standing")).transpose().map_err(WriteError::from)? {
            None => return Err(RetireError::NotFound),
            Some(Standing::Active) => return Err(RetireError::Active),
            Some(Standing::Accepted | Standing::Retired) => {}
        }
        sql("UPDATE installer SET standing = 'retired' WHERE flavour = $1 AND version = $2")
            .bind(flavour)
            .bind(version)
            .execute(&mut tx)
            .await
            .map_err(WriteError::from)?;
        tx.commit().await.map_err(WriteError::from)?;
        Ok(())
    }

    /// The one that is served.
    pub async fn active_installer(&self) -> Result<Option<Installer>, ReadError> {
        let row = sql("SELECT * FROM installer WHERE standing = 'active'");
        row.fetch_optional(self.reader()).await?.as_ref().map(installer_of).transpose()
    }

    /// All that are accepted in evidence, the active one included; the newest first.
    pub async fn installers(&self) -> Result<Vec<Installer>, ReadError> {
        let rows = sql(
            "SELECT * FROM installer WHERE standing <> 'retired' ORDER BY created DESC, flavour, version",
        );
        rows.fetch_all(self.reader()).await?.iter().map(installer_of).collect()
    }
}

fn installer_of(row: &Row) -> Result<Installer, ReadError> {
    Ok(Installer {
        flavour: row::text(row, "flavour")?,
        version: row::text(row, "version")?,
        created: row::time(row, "created")?,
        reference: row::text(row, "reference")?,
        uki: row::parsed(row, "uki")?,
        kernel: row::parsed(row, "kernel")?,
        initrd: row::parsed(row, "initrd")?,
        standing: row::word(row, "standing")?,
    })
}
