//! SQLite: one file, one writing connection, commits that are on the disk when they return.

use std::{path::Path, time::Duration};

use sqlx::{
    Connection as _,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::Db;

/// Reading connections; each is a thread of SQLite's.
const READERS: u32 = 2;

impl Db {
    /// Opens or makes `file`, with its schema.
    pub(crate) async fn sqlite(file: &Path) -> Result<Self, sqlx::Error> {
        let write = pool(1).connect_with(options(file)).await?;
        // Readers connect when they are first needed: the file has no schema yet.
        let read = pool(READERS).connect_lazy_with(options(file).read_only(true));
        Ok(Self::Sqlite { write, read })
    }
}

/// How every connection to the file is made.
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
