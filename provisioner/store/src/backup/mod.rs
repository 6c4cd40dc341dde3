//! Backup, restore, and the move from one engine to the other: one portable form of all tables.
//!
//! ```text
//! FOLDER/tables.zst             zstd of JSON lines, then 32 bytes: the SHA-256 of all before them
//!    {"format":"cairn-backup/1","schema":2,"created":...,"revision":...}
//!    {"table":"host","columns":[["id","text"],...]}       then one array of values a row
//!    {"rows":1234}                                        the end
//! FOLDER/blobs/sha256/ab/abcd... artifacts by their SHA-256
//! ```
//! A backup is one moment (a snapshot transaction) of a store that goes on serving. A restore is one transaction into an
//! empty database: after a crash in it, the database is as empty as before, and it can be done again.

mod blobs;
mod dump;
mod format;
mod load;
mod tables;
#[cfg(test)]
mod tests;

use std::{
    io,
    path::{Path, PathBuf},
};

use cairn_contract::Timestamp;
use sqlx::migrate::MigrateError;

use crate::{Database, OpenError, ReadError, Store, WriteError, open};

/// Name of the tables' file in a backup's folder.
const TABLES: &str = "tables.zst";

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// Rows of all tables.
    pub rows: u64,
    /// Artifacts.
    pub blobs: u64,
    /// The newest resource version in it.
    pub revision: i64,
    /// When it was made.
    pub created: Timestamp,
}

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// One is there.
    #[error("{path} holds a backup already; give another folder")]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// A file could not be written.
    #[error("cannot write {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// The system's word.
        #[source]
        source: io::Error,
    },
    /// The database could not be read.
    #[error("cannot read the database")]
    Read(#[from] ReadError),
}

/// Why nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// A file could not be read.
    #[error("cannot read {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// The system's word.
        #[source]
        source: io::Error,
    },
    /// The file does not end with the SHA-256 of itself.
    #[error("{path} is damaged or not complete")]
    Damaged {
        /// Which.
        path: PathBuf,
    },
    /// It is whole, but not in the form of a backup.
    #[error("{path} is not a backup that this version understands, at line {line}")]
    Form {
        /// Which.
        path: PathBuf,
        /// From 1.
        line: u64,
    },
    /// A newer version wrote it.
    #[error("the backup has schema {found}, this version knows up to {known}; use a newer version of cairn")]
    Newer {
        /// Of the backup.
        found: i64,
        /// Of this program.
        known: i64,
    },
    /// The target has data.
    #[error("the database is not empty: {table} has rows; restore into a new one")]
    NotEmpty {
        /// A table with rows.
        table: String,
    },
    /// The target was opened by a newer version than the one that wrote the backup, or by an older one.
    #[error("the database has another schema than the backup; restore into a new one")]
    OtherSchema(#[source] MigrateError),
    /// An artifact is not what its name says.
    #[error("{path} is damaged")]
    Blob {
        /// The file.
        path: PathBuf,
    },
    /// The target could not be opened.
    #[error("cannot open the target")]
    Open(#[from] OpenError),
    /// The source could not be read, when tables are moved from one database to another.
    #[error("cannot read the source")]
    Backup(#[from] BackupError),
    /// The target could not be written.
    #[error("cannot write the target")]
    Write(#[from] WriteError),
}

impl From<sqlx::Error> for RestoreError {
    fn from(source: sqlx::Error) -> Self {
        Self::Write(source.into())
    }
}

impl Store {
    /// Writes a backup of this moment into the folder `to`, which is made; the store goes on serving. `at` is now.
    /// The backup is there when its `tables.zst` is; what an interrupted one left is written again.
    pub async fn backup(&self, to: &Path, at: Timestamp) -> Result<Saved, BackupError> {
        let tables = to.join(TABLES);
        if tables.exists() {
            return Err(BackupError::Exists { path: to.to_owned() });
        }
        // Twice: an image whose row is in the tables was added before them, and none of its bytes is removed here.
        blobs::save(self.blobs(), to).await?;
        let header = dump::dump(&self.db, &tables, at).await?;
        let blobs = blobs::save(self.blobs(), to).await?;
        Ok(Saved { rows: header.rows, blobs, revision: header.revision, created: at })
    }

    /// Restores the backup in the folder `from` into `data_dir` and `database`, which must be empty or new. Afterwards
    /// [`Store::open_with`] opens them.
    pub async fn restore(from: &Path, data_dir: &Path, database: Database) -> Result<Saved, RestoreError> {
        let tables = load::check(&from.join(TABLES)).await?;
        let (db, own, _lock) = open::unmigrated(data_dir, &database).await?;
        load::prepare(&db, &tables).await?;
        let blobs = blobs::fetch(from, &own).await?;
        let rows = load::load(&db, &tables).await?;
        db.close().await;
        let (revision, created) = (tables.header.revision, tables.header.created);
        Ok(Saved { rows, blobs, revision, created })
    }

    /// Moves all tables of `data_dir` from one database to another, which must be empty or new; the artifacts stay where
    /// they are, and so does the first database. No provisioner may use either meanwhile: with SQLite that is refused.
    pub async fn migrate(
        data_dir: &Path,
        from: Database,
        to: Database,
        at: Timestamp,
    ) -> Result<Saved, RestoreError> {
        let source = Self::open_with(data_dir, from).await?;
        let file = data_dir.join("migration.zst");
        let removed = |source| RestoreError::File { path: data_dir.join("migration.zst"), source };
        match std::fs::remove_file(&file) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(removed(e)),
            Ok(()) | Err(_) => {}
        }
        dump::dump(&source.db, &file, at).await?;
        let tables = load::check(&file).await?;
        let db = open::connect(data_dir, &to).await?;
        load::prepare(&db, &tables).await?;
        let rows = load::load(&db, &tables).await?;
        db.close().await;
        source.close().await;
        std::fs::remove_file(&file).map_err(removed)?;
        Ok(Saved { rows, blobs: 0, revision: tables.header.revision, created: at })
    }
}
