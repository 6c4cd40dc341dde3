//! Opening the data directory, and the database that belongs to it.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use sqlx::migrate::MigrateError;
use tokio::sync::watch;

use crate::{
    Blobs, Clock as _, DataKey, Database, ReadError, SystemClock,
    db::{self, Db, News, On, Tx, sql},
    host::Visible,
    row,
};

/// One site's data. Clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) db: Db,
    blobs: Blobs,
    changes: Arc<watch::Sender<i64>>,
    hosts: Arc<watch::Sender<u64>>,
    revisions: Arc<watch::Sender<i64>>,
    pub(crate) assignments: Arc<watch::Sender<i64>>,
    pub(crate) data_key: Option<DataKey>,
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
    /// The address of the PostgreSQL server cannot be read. It is not repeated here: it may hold a password.
    #[error("the database's address is not of the form postgres://user:password@host/database")]
    Address(#[source] sqlx::Error),
    /// The PostgreSQL server does not answer, or refuses.
    #[error("cannot connect to the PostgreSQL server that `database` of cairn.toml names")]
    Connect(#[source] sqlx::Error),
    /// The schema could not be brought to this version; a newer program may have written it.
    #[error("cannot bring the database of {path} to this version's schema")]
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
        Self::open_with(data_dir, Database::Sqlite).await
    }

    /// Opens `data_dir` with its tables in `database`, and migrates the schema. Blobs are in `data_dir` always.
    pub async fn open_with(data_dir: &Path, database: Database) -> Result<Self, OpenError> {
        Self::begin_with(data_dir, unmigrated(data_dir, &database).await?).await
    }

    /// The same with the blobs in a folder elsewhere, which several provisioners share and which must be there.
    pub async fn open_sharing(data_dir: &Path, blobs: &Path, database: Database) -> Result<Self, OpenError> {
        let lock = prepare(data_dir)?;
        let shared = Blobs::shared(blobs).map_err(|source| file_error(blobs, source))?;
        Self::begin_with(data_dir, (connect(data_dir, &database).await?, shared, lock)).await
    }

    async fn begin_with(data_dir: &Path, (db, blobs, lock): (Db, Blobs, File)) -> Result<Self, OpenError> {
        let migrated = db.migrate().await;
        migrated.map_err(|source| OpenError::Migrate { path: data_dir.to_owned(), source })?;
        let news = last_numbers(&db).await?;
        date_defaults(&db).await?;
        Ok(Self {
            db,
            blobs,
            changes: Arc::new(watch::Sender::new(news.history.unwrap_or_default())),
            hosts: Arc::new(watch::Sender::new(0)),
            revisions: Arc::new(watch::Sender::new(news.change.unwrap_or_default())),
            assignments: Arc::new(watch::Sender::new(news.assignment.unwrap_or_default())),
            data_key: None,
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

    /// The newest resource version: wakes whoever follows changes. It carries no data: read
    /// [`Store::changes_after`].
    pub fn revisions(&self) -> watch::Receiver<i64> {
        self.revisions.subscribe()
    }

    /// The artifacts' bytes.
    pub fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    /// Writes what SQLite still holds back and closes. Other clones fail from then on.
    pub async fn close(&self) {
        self.db.close().await;
    }

    pub(crate) fn reader(&self) -> On<'_> {
        self.db.reader()
    }

    pub(crate) fn writer(&self) -> On<'_> {
        self.db.writer()
    }

    pub(crate) async fn begin(&self) -> Result<Tx, sqlx::Error> {
        self.db.begin().await
    }

    pub(crate) async fn snapshot(&self) -> Result<Tx, sqlx::Error> {
        self.db.snapshot().await
    }

    /// Commits, and wakes whoever waits for what was written.
    pub(crate) async fn finish(&self, tx: Tx, visible: Visible) -> Result<(), sqlx::Error> {
        let news = tx.commit().await?;
        self.announce(news, visible);
        Ok(())
    }

    /// Wakes readers; says whether one of the numbers is news.
    pub(crate) fn announce(&self, news: News, visible: Visible) -> News {
        if visible == Visible::Yes {
            self.hosts.send_modify(|n| *n = n.wrapping_add(1));
        }
        let (history, change) = (raise(&self.changes, news.history), raise(&self.revisions, news.change));
        let assignment = raise(&self.assignments, news.assignment);
        News { history, change, assignment }
    }
}

/// Sets the number if it is larger, and gives it back then.
fn raise(sender: &watch::Sender<i64>, number: Option<i64>) -> Option<i64> {
    let number = number?;
    let newer = sender.send_if_modified(|last| {
        let newer = number > *last;
        *last = number.max(*last);
        newer
    });
    newer.then_some(number)
}

/// Locks the data directory and connects; the database may have no schema yet.
pub(crate) async fn unmigrated(data_dir: &Path, database: &Database) -> Result<(Db, Blobs, File), OpenError> {
    let lock = prepare(data_dir)?;
    let blobs = Blobs::at(data_dir).map_err(|source| file_error(&data_dir.join("blobs"), source))?;
    Ok((connect(data_dir, database).await?, blobs, lock))
}

pub(crate) async fn connect(data_dir: &Path, database: &Database) -> Result<Db, OpenError> {
    match database {
        Database::Sqlite => {
            let file = data_dir.join("cairn.db");
            // Before SQLite does: its own files take the mode of the database.
            private_file(&file)?;
            let failed = |source| OpenError::Database { path: data_dir.to_owned(), source };
            Db::sqlite(&file).await.map_err(failed)
        }
        Database::Postgres(url) => {
            let options = db::postgres_options(url).map_err(OpenError::Address)?;
            Db::postgres(options).await.map_err(OpenError::Connect)
        }
    }
}

pub(crate) async fn last_numbers(db: &Db) -> Result<News, ReadError> {
    let rows = sql("SELECT name, last FROM sequence").fetch_all(db.reader()).await?;
    let mut news = News::default();
    for row in &rows {
        match row::text(row, "name")?.as_str() {
            "history" => news.history = Some(row::number(row, "last")?),
            "change" => news.change = Some(row::number(row, "last")?),
            "assignment" => news.assignment = Some(row::number(row, "last")?),
            _ => {}
        }
    }
    Ok(news)
}

/// What a migration made has no time yet: SQL of both engines has no clock in common.
async fn date_defaults(db: &Db) -> Result<(), ReadError> {
    let now = SystemClock.now();
    sql("UPDATE resource SET created = $1 WHERE created = 0").bind(now.0).execute(db.writer()).await?;
    Ok(())
}

fn prepare(data_dir: &Path) -> Result<File, OpenError> {
    DirBuilder::new().recursive(true).mode(0o700).create(data_dir).map_err(|e| file_error(data_dir, e))?;
    let private = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(data_dir, private).map_err(|e| file_error(data_dir, e))?;
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
        sql("PRAGMA max_page_count = 40").execute(store.writer()).await.unwrap();
        let mut full = false;
        for _ in 0..100 {
            full |= write().await.is_err();
        }
        assert!(full);
        sql("PRAGMA max_page_count = 100000").execute(store.writer()).await.unwrap();
        write().await.unwrap();
        assert!(!store.site_timeline(0, 100).await.unwrap().is_empty());
    }
}
