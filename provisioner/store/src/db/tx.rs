//! Transactions. Writing ones are serial, over all provisioners: numbers of sequences appear in the order of commits.

use std::collections::BTreeMap;

use sqlx::{Postgres, Sqlite, Transaction};

use super::{Db, On, postgres::CHANNEL, sql};
use crate::{ReadError, row};

/// A transaction; dropping it undoes what was written.
#[derive(Debug)]
pub(crate) struct Tx {
    engine: Engine,
    /// The last number taken of each sequence; written back once, at the commit.
    taken: BTreeMap<Sequence, i64>,
}

/// The last numbers that a transaction took.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct News {
    pub(crate) history: Option<i64>,
    pub(crate) change: Option<i64>,
    pub(crate) assignment: Option<i64>,
}

#[derive(Debug)]
enum Engine {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// Numbers that grow with every commit that takes some, and never come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sequence {
    /// Lines of timelines.
    History,
    /// Effects.
    Outbox,
    /// Resource versions.
    Change,
    /// Rows of the audit log.
    Audit,
    /// Visible changes of what hosts are told, and of what they say.
    Assignment,
}

impl Db {
    /// Begins a writing transaction, and waits for the one before.
    pub(crate) async fn begin(&self) -> Result<Tx, sqlx::Error> {
        let engine = match self {
            Self::Sqlite { write, .. } => Engine::Sqlite(write.begin_with("BEGIN IMMEDIATE").await?),
            Self::Postgres { write, .. } => Engine::Postgres(write.begin().await?),
        };
        let mut tx = Tx { engine, taken: BTreeMap::new() };
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
        Ok(Tx { engine, taken: BTreeMap::new() })
    }
}

impl Tx {
    pub(super) fn on(&mut self) -> On<'_> {
        match &mut self.engine {
            Engine::Sqlite(tx) => On::SqliteTx(tx),
            Engine::Postgres(tx) => On::PostgresTx(tx),
        }
    }

    /// The last number of a sequence that was taken, by whomever.
    pub(crate) async fn last(&mut self, sequence: Sequence) -> Result<i64, ReadError> {
        if let Some(last) = self.taken.get(&sequence) {
            return Ok(*last);
        }
        let read = sql("SELECT last FROM sequence WHERE name = $1").bind(sequence.name());
        row::number(&read.fetch_one(self).await?, "last")
    }

    /// Takes the next `count` numbers; the last of them. Nobody else takes any until the transaction ends.
    pub(crate) async fn take(&mut self, sequence: Sequence, count: i64) -> Result<i64, ReadError> {
        let last = self.last(sequence).await?.saturating_add(count);
        self.taken.insert(sequence, last);
        Ok(last)
    }

    /// Makes it durable, and tells other provisioners if there is news.
    pub(crate) async fn commit(mut self) -> Result<News, sqlx::Error> {
        let taken = std::mem::take(&mut self.taken);
        let last = |sequence| taken.get(&sequence).copied();
        let news = News {
            history: last(Sequence::History),
            change: last(Sequence::Change),
            assignment: last(Sequence::Assignment),
        };
        for (sequence, last) in &taken {
            self.write_back(*sequence, *last).await?;
        }
        if !taken.is_empty() && matches!(self.engine, Engine::Postgres(_)) {
            sql("SELECT 1 FROM pg_notify($1, '')").bind(CHANNEL).execute(&mut self).await?;
        }
        match self.engine {
            Engine::Sqlite(tx) => tx.commit().await?,
            Engine::Postgres(tx) => tx.commit().await?,
        }
        Ok(news)
    }

    async fn write_back(&mut self, sequence: Sequence, last: i64) -> Result<(), sqlx::Error> {
        let written = sql("UPDATE sequence SET last = $1 WHERE name = $2").bind(last).bind(sequence.name());
        written.execute(self).await.map(|_| ())
    }

    /// It waits for a disk now and then: PostgreSQL does not end it for that.
    pub(crate) async fn be_patient(&mut self) -> Result<(), sqlx::Error> {
        if matches!(self.engine, Engine::Postgres(_)) {
            sql("SET LOCAL idle_in_transaction_session_timeout = 0").execute(self).await?;
        }
        Ok(())
    }

    /// Begins a part that can be undone by itself.
    pub(crate) async fn savepoint(&mut self) -> Result<(), sqlx::Error> {
        sql("SAVEPOINT part").execute(self).await.map(|_| ())
    }

    /// Ends the part; what it wrote stays.
    pub(crate) async fn release(&mut self) -> Result<(), sqlx::Error> {
        sql("RELEASE SAVEPOINT part").execute(self).await.map(|_| ())
    }

    /// Ends the part, and undoes it. Numbers that it took are left out for good.
    pub(crate) async fn undo_part(&mut self) -> Result<(), sqlx::Error> {
        sql("ROLLBACK TO SAVEPOINT part").execute(&mut *self).await?;
        self.release().await
    }
}

impl Sequence {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::History => "history",
            Self::Outbox => "outbox",
            Self::Change => "change",
            Self::Audit => "audit",
            Self::Assignment => "assignment",
        }
    }
}
