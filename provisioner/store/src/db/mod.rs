//! One dialect of SQL over two engines: SQLite in the data directory, or PostgreSQL elsewhere.
//!
//! All other modules speak `sql("... $1 ...").bind(x)`, and see rows of TEXT, BIGINT and NULL only. What differs between
//! the engines is in this folder: how to connect, how a writing transaction begins, how another process is told of news.
//! Statements themselves are written once, in what both engines understand.

mod postgres;
mod row;
mod sqlite;
mod statement;
mod tx;

use std::fmt;

pub(crate) use postgres::{Listener, options as postgres_options};
pub(crate) use row::Row;
use sqlx::{PgPool, SqlitePool, migrate::MigrateError};
pub(crate) use statement::{On, Statement, Value, sql};
pub(crate) use tx::{News, Sequence, Tx};

use crate::schema;

/// Open connections to one of the two engines. Clones share them.
#[derive(Clone)]
pub(crate) enum Db {
    /// One writing connection, a few readers.
    Sqlite { write: SqlitePool, read: SqlitePool },
    /// One connection for writing transactions (they are serial anyway), several for all else.
    Postgres { write: PgPool, read: PgPool },
}

impl Db {
    /// Where statements run that only read.
    pub(crate) fn reader(&self) -> On<'_> {
        match self {
            Self::Sqlite { read, .. } => On::Sqlite(read),
            Self::Postgres { read, .. } => On::Postgres(read),
        }
    }

    /// Where a single writing statement runs that is a transaction by itself and takes no number of a sequence.
    pub(crate) fn writer(&self) -> On<'_> {
        match self {
            Self::Sqlite { write, .. } => On::Sqlite(write),
            Self::Postgres { read, .. } => On::Postgres(read),
        }
    }

    /// Brings the schema to this program's version.
    pub(crate) async fn migrate(&self) -> Result<(), MigrateError> {
        self.migrate_to(schema::newest()).await
    }

    /// Brings the schema to an older version; it stays where it is if it is newer.
    pub(crate) async fn migrate_to(&self, version: i64) -> Result<(), MigrateError> {
        match self {
            Self::Sqlite { write, .. } => schema::migrator().run_to(version, write).await,
            Self::Postgres { read, .. } => postgres::migrate(read, version).await,
        }
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite { write, read } => {
                read.close().await;
                write.close().await;
            }
            Self::Postgres { write, read } => {
                read.close().await;
                write.close().await;
            }
        }
    }
}

/// The engine's name only: a connection's options hold a password.
impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite { .. } => "Sqlite",
            Self::Postgres { .. } => "Postgres",
        })
    }
}

/// `$1, $2, ...` for at least `count` values, padded so that few different statements come up. Give [`padded`] values.
pub(crate) fn placeholders(count: usize) -> String {
    let names: Vec<_> = (1..=count.next_power_of_two()).map(|n| format!("${n}")).collect();
    names.join(", ")
}

/// The values, and the last again until [`placeholders`] has enough.
pub(crate) fn padded<T: Clone>(values: &[T]) -> impl Iterator<Item = T> {
    let count = values.len().next_power_of_two();
    let last = values.last();
    values.iter().chain(last.into_iter().cycle()).take(if values.is_empty() { 0 } else { count }).cloned()
}

/// Says whether `error` is the violation of a unique constraint, and if so of which: the engine's own words, that is
/// `table.column` (SQLite) or the constraint's name (PostgreSQL).
pub(crate) fn clash(error: &sqlx::Error) -> Option<String> {
    let error = error.as_database_error().filter(|e| e.is_unique_violation())?;
    Some(error.constraint().map_or_else(|| error.message().to_owned(), str::to_owned))
}
