//! Transactions. Writing ones are serial, over all provisioners: numbers of sequences appear in the order of commits.

use sqlx::{Postgres, Sqlite, Transaction};

use super::{Db, On, postgres::CHANNEL, sql};
use crate::{ReadError, row};

/// A transaction; dropping it undoes what was written.
#[derive(Debug)]
pub(crate) struct Tx {
    engine: Engine,
    /// A sequence moved: others have something to read.
    news: bool,
}

#[derive(Debug)]
enum Engine {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// Numbers that grow with every commit that takes some, and never come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sequence {
    /// Lines of timelines.
    History,
    /// Effects.
    Outbox,
}

impl Db {
    /// Begins a writing transaction, and waits for the one before.
    pub(crate) async fn begin(&self) -> Result<Tx, sqlx::Error> {
        let engine = match self {
            Self::Sqlite { write, .. } => Engine::Sqlite(write.begin_with("BEGIN IMMEDIATE").await?),
            Self::Postgres { write, .. } => Engine::Postgres(write.begin().await?),
        };
        let mut tx = Tx { engine, news: false };
        if let Engine::Postgres(_) = tx.engine {
            // The lock that makes writers serial: without it a reader could see number 8 before number 7 is committed.
            sql("SELECT last FROM sequence WHERE name = 'history' FOR UPDATE").fetch_one(&mut tx).await?;
        }
        Ok(tx)
    }

    /// Begins a transaction that only reads, and sees one moment.
    pub(crate) async fn snapshot(&self) -> Result<Tx, sqlx::Error> {
        let engine = match self {
            Self::Sqlite { read, .. } => Engine::Sqlite(read.begin().await?),
            Self::Postgres { read, .. } => Engine::Postgres(
                read.begin_with("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY").await?,
            ),
        };
        Ok(Tx { engine, news: false })
    }
}

impl Tx {
    pub(super) fn on(&mut self) -> On<'_> {
        match &mut self.engine {
            Engine::Sqlite(tx) => On::SqliteTx(tx),
            Engine::Postgres(tx) => On::PostgresTx(tx),
        }
    }

    /// Takes the next `count` numbers; the last of them.
    pub(crate) async fn take(&mut self, sequence: Sequence, count: i64) -> Result<i64, ReadError> {
        let taken = sql("UPDATE sequence SET last = last + $1 WHERE name = $2 RETURNING last")
            .bind(count)
            .bind(sequence.name())
            .fetch_one(&mut *self)
            .await?;
        self.news = true;
        row::number(&taken, "last")
    }

    /// Makes it durable, and tells other provisioners if there is news.
    pub(crate) async fn commit(mut self) -> Result<(), sqlx::Error> {
        if self.news && matches!(self.engine, Engine::Postgres(_)) {
            sql("SELECT 1 FROM pg_notify($1, '')").bind(CHANNEL).execute(&mut self).await?;
        }
        match self.engine {
            Engine::Sqlite(tx) => tx.commit().await,
            Engine::Postgres(tx) => tx.commit().await,
        }
    }
}

impl Sequence {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::History => "history",
            Self::Outbox => "outbox",
        }
    }
}
