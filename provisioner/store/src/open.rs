//! Opening the data directory: one process, one writing connection, a few readers.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use sqlx::{
    Connection as _, Sqlite, SqlitePool, Transaction,
    migrate::MigrateError,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::sync::watch;

use crate::{Blobs, ReadError, host::Visible, row, schema};

/// Reading connections; each is a thread of SQLite's.
const READERS: u32 = 2;

/// One site's data. Clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    write: SqlitePool,
    read: SqlitePool,
    blobs: Blobs,
    changes: Arc<watch::Sender<i64>>,
    hosts: Arc<watch::Sender<u64>>,
    /// Held as long as any clone lives; the kernel releases it when the process dies.
    _lock: Arc<File>,
}

/// Why a data directory was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A folder or file could not be made.
    #[error("cannot prepare {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// The system's word.
        #[source]
        source: io::Error,
    },
    /// Another process works with it.
    #[error("{path} is in use by another process")]
    InUse {
        /// The data directory.
        path: PathBuf,
    },
    /// SQLite refused.
    #[error("cannot open the database in {path}")]
    Database {
        /// The data directory.
        path: PathBuf,
        /// SQLite's word.
        #[source]
        source: sqlx::Error,
    },
    /// The schema could not be brought to this version; a newer program may have written it.
    #[error("cannot bring the database in {path} to this version's schema")]
    Migrate {
        /// The data directory.
        path: PathBuf,
        /// What failed.
        #[source]
        source: MigrateError,
    },
    /// The history's end could not be read.
    #[error("cannot read the database")]
    Read(#[from] ReadError),
}

impl Store {
    /// Opens `data_dir`, making what is missing (folder 0700, `cairn.db` 0600), and migrates the schema.
    pub async fn open(data_dir: &Path) -> Result<Self, OpenError> {
        let lock = prepare(data_dir)?;
        let failed = |source| OpenError::Database { path: data_dir.to_owned(), source };
        let blobs = Blobs::at(data_dir).map_err(|source| file_error(&data_dir.join("blobs"), source))?;
        let options = options(&data_dir.join("cairn.db"));
        let write = pool(1).connect_with(options.clone()).await.map_err(failed)?;
        schema::migrator()
            .run(&write)
            .await
            .map_err(|source| OpenError::Migrate { path: data_dir.to_owned(), source })?;
        let read = pool(READERS).connect_with(options.read_only(true)).await.map_err(failed)?;
        let last = sqlx::query("SELECT last FROM sequence WHERE name = 'history'").fetch_one(&read).await;
        let last = row::number(&last.map_err(ReadError::from)?, "last")?;
        Ok(Self {
            write,
            read,
            blobs,
            changes: Arc::new(watch::Sender::new(last)),
            hosts: Arc::new(watch::Sender::new(0)),
            _lock: Arc::new(lock),
        })
    }

    /// Sequence of the newest history line: wakes whoever shows timelines. It carries no data: read again.
    pub fn changes(&self) -> watch::Receiver<i64> {
        self.changes.subscribe()
    }

    /// Grows when a host came, went, or changed its state, reason, name, address or UUID; not when only a deadline moved.
    /// Wakes the boot services to read [`Store::all_states`] again.
    pub fn hosts_changed(&self) -> watch::Receiver<u64> {
        self.hosts.subscribe()
    }

    /// The artifacts' bytes.
    pub fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    /// Writes what SQLite still holds back and closes. Other clones fail from then on.
    pub async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }

    pub(crate) fn reader(&self) -> &SqlitePool {
        &self.read
    }

    pub(crate) fn writer(&self) -> &SqlitePool {
        &self.write
    }

    /// Takes the writing connection; dropping it undoes what was written.
    pub(crate) async fn begin(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        self.write.begin_with("BEGIN IMMEDIATE").await
    }

    /// Called after a commit; `seq` is absent when no history was written.
    pub(crate) fn announce(&self, seq: Option<i64>, visible: Visible) {
        if let Some(seq) = seq {
            self.changes.send_if_modified(|last| {
                let newer = seq > *last;
                *last = seq.max(*last);
                newer
            });
        }
        if visible == Visible::Yes {
            self.hosts.send_modify(|n| *n = n.wrapping_add(1));
        }
    }
}

fn prepare(data_dir: &Path) -> Result<File, OpenError> {
    DirBuilder::new().recursive(true).mode(0o700).create(data_dir).map_err(|e| file_error(data_dir, e))?;
    let private = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(data_dir, private).map_err(|e| file_error(data_dir, e))?;
    // Before SQLite does: its own files take the mode of the database.
    private_file(&data_dir.join("cairn.db"))?;
    let lock = private_file(&data_dir.join("lock"))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(std::fs::TryLockError::WouldBlock) => Err(OpenError::InUse { path: data_dir.to_owned() }),
        Err(std::fs::TryLockError::Error(e)) => Err(file_error(data_dir, e)),
    }
}

fn private_file(path: &Path) -> Result<File, OpenError> {
    let mut open = OpenOptions::new();
    open.read(true).append(true).create(true).mode(0o600);
    open.open(path).map_err(|e| file_error(path, e))
}

fn file_error(path: &Path, source: io::Error) -> OpenError {
    OpenError::File { path: path.to_owned(), source }
}

fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .journal_mode(SqliteJournalMode::Wal)
        // A commit is on the disk when it returns: a lease is acknowledged, a plan is released after it.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
        .statement_cache_capacity(64)
}

fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .min_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        // A full disk makes SQLite end a transaction by itself; sqlx counts it as open and refuses the next for ever.
        .after_release(|connection, _| {
            Box::pin(async move {
                // Waits for a rollback that is still under way.
                connection.ping().await?;
                Ok(!connection.is_in_transaction())
            })
        })
}

#[cfg(test)]
mod tests {
    use cairn_contract::Timestamp;
    use cairn_domain::{Level, Note};

    use super::*;
    use crate::Whose;

    /// On a full disk SQLite ends the transaction by itself; the connection must not be kept as if one were open.
    #[tokio::test]
    async fn writing_goes_on_when_a_full_disk_has_room_again() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        let write =
            || store.note(Whose::Site, Timestamp(1), Note::new(Level::Info, "test", "x".repeat(2000)));
        sqlx::query("PRAGMA max_page_count = 40").execute(store.writer()).await.unwrap();
        let mut full = false;
        for _ in 0..100 {
            full |= write().await.is_err();
        }
        assert!(full);
        sqlx::query("PRAGMA max_page_count = 100000").execute(store.writer()).await.unwrap();
        write().await.unwrap();
        assert!(!store.site_timeline(0, 100).await.unwrap().is_empty());
    }
}
