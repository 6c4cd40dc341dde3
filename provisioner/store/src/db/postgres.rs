//! PostgreSQL: several provisioners on one database. A server that went away is asked again at the next statement.

use std::{str::FromStr as _, time::Duration};

use sqlx::{
    Connection as _, Executor as _, PgPool,
    migrate::MigrateError,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};

use super::Db;
use crate::schema;

/// Connections beside the writing one; the listener keeps one of them.
const READERS: u32 = 6;
/// How long a statement waits for a connection; after that it fails, and the caller decides.
const PATIENCE: Duration = Duration::from_secs(5);
/// Other provisioners are told through this channel that something was committed. The message is empty.
pub(super) const CHANNEL: &str = "cairn";
/// Another provisioner that stops in the middle of a transaction (frozen, or cut off) blocks all writers no longer than this.
const SESSION: &str = "SET idle_in_transaction_session_timeout = '10s'; SET lock_timeout = '15s'";

impl Db {
    /// Connects; fails when the server cannot be reached.
    pub(crate) async fn postgres(options: PgConnectOptions) -> Result<Self, sqlx::Error> {
        reach(&options).await?;
        let write = pool(1).connect_with(options.clone()).await?;
        let read = pool(READERS).connect_lazy_with(options);
        Ok(Self::Postgres { write, read })
    }
}

/// Connects once without a pool, which would ask again and say in the end only that time ran out.
async fn reach(options: &PgConnectOptions) -> Result<(), sqlx::Error> {
    let connected = tokio::time::timeout(PATIENCE, sqlx::PgConnection::connect_with(options)).await;
    let late = |_| sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "it does not answer"));
    connected.map_err(late)??.close().await
}

/// Reads `postgres://user:password@host/database`. The error does not repeat it.
pub(crate) fn options(url: &str) -> Result<PgConnectOptions, sqlx::Error> {
    Ok(PgConnectOptions::from_str(url)?.application_name("cairn"))
}

fn pool(connections: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(PATIENCE)
        // A server that was restarted has closed them.
        .test_before_acquire(true)
        .after_connect(|connection, _| Box::pin(async move { connection.execute(SESSION).await.map(|_| ()) }))
}

/// Migrates on a connection of its own that waits as long as it takes: another provisioner may be at it.
pub(super) async fn migrate(pool: &PgPool, version: i64) -> Result<(), MigrateError> {
    let mut own = sqlx::PgConnection::connect_with(&pool.connect_options()).await?;
    schema::migrator().run_direct(Some(version), &mut own, false).await?;
    Ok(own.close().await?)
}

/// Hears what other provisioners commit.
#[derive(Debug, Default)]
pub(crate) struct Listener(Option<PgListener>);

impl Listener {
    /// Returns when something was committed by whomever, or may have been; at the latest after `most`.
    pub(crate) async fn wait(&mut self, pool: &PgPool, most: Duration) {
        let heard = tokio::time::timeout(most, async {
            let listener = match &mut self.0 {
                Some(listener) => listener,
                none => none.insert(listen(pool).await?),
            };
            listener.recv().await.map(|_| ())
        });
        match heard.await {
            Ok(Ok(())) | Err(_) => {}
            Ok(Err(_)) => {
                // The server is away. Whoever reads next says so; here it is only asked again.
                self.0 = None;
                tokio::time::sleep(most).await;
            }
        }
    }
}

async fn listen(pool: &PgPool) -> Result<PgListener, sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    Ok(listener)
}
