//! What hosts were told to run, and what they said of it: one row for each host and subject.
//!
//! Not here: what they are to be told (`cairn-workload`), and the form of orders and observations: to the store they are text.
//! Callers: `cairn-fleet`, which writes orders where its provisioner leads, and observations of all hosts.
//!
//! ```text
//! write_orders --+                                      +--> hosts' long polls: touched_after(seq)
//!                +--> row, seq = next number, commit ---+
//! observe -------+    (only when something is visible)  +--> the planner of the leader: assignments_after(seq)
//! ```

use std::{collections::HashMap, fmt, str::FromStr};

use cairn_contract::{Digest, HostId, Timestamp, workload::Phase};
use cairn_domain::model::Uid;
use tokio::sync::watch;

use crate::{
    ReadError, Store, WriteError,
    db::{Row, Sequence, Tx, sql},
    host::Visible,
    row,
};

/// Seconds between two notes that a host still says the same.
const HEARD_EVERY_S: u32 = 60;

/// What a host is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AssignedKind {
    /// Its part of a cluster.
    Cluster,
    /// A release of a deployment.
    Deployment,
}

/// How far an order is, as the host says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It is there, or on its way.
    Said(Phase),
    /// It was to be removed, and nothing of it is left. The row stays until the planner has seen that.
    Gone,
}

/// One order to one host, without its text: see [`Store::orders_of`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Which host.
    pub host: HostId,
    /// Uid of the Cluster or Deployment.
    pub subject: Uid,
    /// Which of both.
    pub kind: AssignedKind,
    /// Of the order: another one is another order.
    pub revision: Digest,
    /// `false`: it is to be removed.
    pub wanted: bool,
    /// What the host said last, JSON.
    pub observed: Option<String>,
    /// Of that.
    pub progress: Progress,
    /// Number of its last visible change.
    pub seq: i64,
    /// When it was ordered.
    pub changed: Timestamp,
    /// When the host spoke of it last, to the minute.
    pub heard: Option<Timestamp>,
}

/// One order with its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FullAssignment {
    /// All else.
    pub row: Assignment,
    /// JSON of the order; absent: to be removed.
    pub body: Option<String>,
}

/// An order as it is kept for its host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptOrder {
    /// Uid of the Cluster or Deployment.
    pub subject: Uid,
    /// Which of both.
    pub kind: AssignedKind,
    /// Of the order.
    pub revision: Digest,
    /// JSON of the order; absent: to be removed.
    pub body: Option<String>,
    /// Whether the host said that nothing of it is left.
    pub progress: Progress,
}

/// One change of orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderWrite {
    /// The host is to run it, in the place of what it was told of the subject before.
    Put {
        /// Which host.
        host: HostId,
        /// Uid of the Cluster or Deployment.
        subject: Uid,
        /// Which of both.
        kind: AssignedKind,
        /// Of the order.
        revision: Digest,
        /// JSON of the order.
        body: String,
    },
    /// The host is to remove it. Nothing happens when it was never told.
    Remove {
        /// Which host.
        host: HostId,
        /// Uid of the Cluster or Deployment.
        subject: Uid,
    },
    /// The row goes: nothing of it is left on the host, or the host begins anew.
    Forget {
        /// Which host.
        host: HostId,
        /// Uid of the Cluster or Deployment.
        subject: Uid,
    },
    /// What the host said of it is void: its disk was written anew. The order stands.
    Void {
        /// Which host.
        host: HostId,
        /// Uid of the Cluster or Deployment.
        subject: Uid,
    },
}

/// What a host says of one subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Uid of the Cluster or Deployment.
    pub subject: Uid,
    /// Which of both.
    pub kind: AssignedKind,
    /// How far.
    pub progress: Progress,
    /// JSON; empty of what is gone.
    pub observed: String,
}

impl Store {
    /// The last number of a visible change: wakes whoever follows. It carries no data: read [`Store::assignments_after`].
    pub fn assignments_changed(&self) -> watch::Receiver<i64> {
        self.assignments.subscribe()
    }

    /// All, in the order of their numbers, and the last number of that moment.
    pub async fn all_assignments(&self) -> Result<(Vec<FullAssignment>, i64), ReadError> {
        let mut tx = self.snapshot().await?;
        let last = tx.last(Sequence::Assignment).await?;
        let (mut all, mut after) = (Vec::new(), 0);
        loop {
            let rows = sql(AFTER).bind(after).bind(PAGE).fetch_all(&mut tx).await?;
            let Some(end) = rows.last() else { break };
            after = row::number(end, "seq")?;
            for row in &rows {
                all.push(full_of(row)?);
            }
        }
        Ok((all, last))
    }

    /// Those with a visible change after `seq`, in the order of the changes. Rows that went are in nobody's answer.
    pub async fn assignments_after(&self, seq: i64, limit: u32) -> Result<Vec<FullAssignment>, ReadError> {
        let rows = sql(AFTER).bind(seq).bind(limit).fetch_all(self.reader()).await?;
        rows.iter().map(full_of).collect()
    }

    /// The same, but only whose rows they are.
    pub async fn touched_after(&self, seq: i64, limit: u32) -> Result<Vec<(i64, HostId)>, ReadError> {
        let rows = sql(TOUCHED).bind(seq).bind(limit).fetch_all(self.reader()).await?;
        rows.iter().map(|row| Ok((row::number(row, "seq")?, row::parsed(row, "host")?))).collect()
    }

    /// Of one host, by subject.
    pub async fn assignments_of(&self, host: HostId) -> Result<Vec<Assignment>, ReadError> {
        let rows = sql(OF_HOST).bind(host.to_string()).fetch_all(self.reader()).await?;
        rows.iter().map(assignment_of).collect()
    }

    /// Of one Cluster or Deployment, by host.
    pub async fn assignments_to(&self, subject: Uid) -> Result<Vec<Assignment>, ReadError> {
        let rows = sql(OF_SUBJECT).bind(subject.to_string()).fetch_all(self.reader()).await?;
        rows.iter().map(assignment_of).collect()
    }

    /// A host's orders with their texts, by subject.
    pub async fn orders_of(&self, host: HostId) -> Result<Vec<KeptOrder>, ReadError> {
        let rows = sql(ORDERS).bind(host.to_string()).fetch_all(self.reader()).await?;
        rows.iter().map(order_of).collect()
    }

    /// One order of one host.
    pub async fn order_to(&self, host: HostId, subject: Uid) -> Result<Option<KeptOrder>, ReadError> {
        let row = sql(ORDER).bind(host.to_string()).bind(subject.to_string());
        row.fetch_optional(self.reader()).await?.as_ref().map(order_of).transpose()
    }

    /// Writes many orders in one transaction; those to hosts that are gone meanwhile are left out.
    pub async fn write_orders(&self, orders: &[OrderWrite], at: Timestamp) -> Result<(), WriteError> {
        if orders.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        for order in orders {
            write(&mut tx, order, at).await?;
        }
        Ok(self.finish(tx, Visible::No).await?)
    }

    /// Keeps what a host says; `rows` are its present ones ([`Store::assignments_of`]). Costs nothing when nothing is new, but a
    /// note of the time once a minute; subjects that the host was never told of are passed over. `true` when something visible
    /// changed.
    pub async fn observe(
        &self,
        host: HostId,
        rows: &[Assignment],
        said: &[Said],
        at: Timestamp,
    ) -> Result<bool, WriteError> {
        let quiet = |row: &Assignment| row.heard.is_none_or(|heard| at >= heard.after_seconds(HEARD_EVERY_S));
        let known: HashMap<Uid, &Assignment> = rows.iter().map(|row| (row.subject, row)).collect();
        let tells = |said: &&Said| {
            known.get(&said.subject).is_some_and(|row| row.kind == said.kind && is_news(row, said))
        };
        let news: Vec<&Said> = said.iter().filter(tells).collect();
        if news.is_empty() {
            if rows.iter().any(quiet) {
                let heard = sql("UPDATE assignment SET heard = $2 WHERE host = $1");
                heard.bind(host.to_string()).bind(at.0).execute(self.writer()).await?;
            }
            return Ok(false);
        }
        let mut tx = self.begin().await?;
        for said in news {
            note(&mut tx, (host, said), at).await?;
        }
        self.finish(tx, Visible::No).await?;
        Ok(true)
    }
}

const PAGE: u32 = 4096;
pub(crate) const AFTER: &str = "SELECT host, subject, kind, revision, \
     CAST(CASE WHEN body IS NULL THEN 0 ELSE 1 END AS BIGINT) AS wanted, observed, phase, seq, changed, heard, body \
     FROM assignment WHERE seq > $1 ORDER BY seq LIMIT $2";
pub(crate) const TOUCHED: &str = "SELECT seq, host FROM assignment WHERE seq > $1 ORDER BY seq LIMIT $2";
pub(crate) const OF_HOST: &str = "SELECT host, subject, kind, revision, \
     CAST(CASE WHEN body IS NULL THEN 0 ELSE 1 END AS BIGINT) AS wanted, observed, phase, seq, changed, heard \
     FROM assignment WHERE host = $1 ORDER BY subject";
pub(crate) const OF_SUBJECT: &str = "SELECT host, subject, kind, revision, \
     CAST(CASE WHEN body IS NULL THEN 0 ELSE 1 END AS BIGINT) AS wanted, observed, phase, seq, changed, heard \
     FROM assignment WHERE subject = $1 ORDER BY host";
pub(crate) const ORDERS: &str =
    "SELECT subject, kind, revision, body, phase FROM assignment WHERE host = $1 ORDER BY subject";
pub(crate) const ORDER: &str =
    "SELECT subject, kind, revision, body, phase FROM assignment WHERE host = $1 AND subject = $2";

fn is_news(row: &Assignment, said: &Said) -> bool {
    match said.progress {
        Progress::Said(_) => {
            row.progress != said.progress || row.observed.as_deref() != Some(said.observed.as_str())
        }
        // What was ordered again meanwhile is not gone.
        Progress::Gone => !row.wanted && row.progress != Progress::Gone,
    }
}

async fn note(tx: &mut Tx, (host, said): (HostId, &Said), at: Timestamp) -> Result<(), WriteError> {
    let text = match said.progress {
        Progress::Said(_) => sql(
            "UPDATE assignment SET observed = $3, phase = $4, seq = $5, heard = $6 WHERE host = $1 AND subject = $2",
        ),
        Progress::Gone => sql("UPDATE assignment SET observed = $3, phase = $4, seq = $5, heard = $6 \
                 WHERE host = $1 AND subject = $2 AND body IS NULL"),
    };
    let observed = matches!(said.progress, Progress::Said(_)).then_some(said.observed.as_str());
    let seq = tx.take(Sequence::Assignment, 1).await?;
    text.bind(host.to_string())
        .bind(said.subject.to_string())
        .bind(observed)
        .bind(word(said.progress)?)
        .bind(seq)
        .bind(at.0)
        .execute(tx)
        .await?;
    Ok(())
}

async fn write(tx: &mut Tx, order: &OrderWrite, at: Timestamp) -> Result<(), WriteError> {
    let seq = tx.take(Sequence::Assignment, 1).await?;
    let (host, subject) = match order {
        OrderWrite::Put { host, subject, kind, revision, body } => {
            let row = (*host, *subject, *kind, *revision);
            return put(tx, row, body, (seq, at)).await;
        }
        OrderWrite::Remove { host, subject }
        | OrderWrite::Forget { host, subject }
        | OrderWrite::Void { host, subject } => (host.to_string(), subject.to_string()),
    };
    let query = match order {
        OrderWrite::Forget { .. } => sql("DELETE FROM assignment WHERE host = $1 AND subject = $2"),
        OrderWrite::Void { .. } => sql("UPDATE assignment SET observed = NULL, phase = 'Waiting', seq = $3 \
             WHERE host = $1 AND subject = $2"),
        OrderWrite::Put { .. } | OrderWrite::Remove { .. } => {
            sql("UPDATE assignment SET body = NULL, seq = $3, changed = $4 \
                 WHERE host = $1 AND subject = $2 AND body IS NOT NULL")
        }
    };
    let query = query.bind(host).bind(subject);
    let query = match order {
        OrderWrite::Forget { .. } => query,
        OrderWrite::Void { .. } => query.bind(seq),
        OrderWrite::Put { .. } | OrderWrite::Remove { .. } => query.bind(seq).bind(at.0),
    };
    query.execute(tx).await?;
    Ok(())
}

async fn put(
    tx: &mut Tx,
    (host, subject, kind, revision): (HostId, Uid, AssignedKind, Digest),
    body: &str,
    (seq, at): (i64, Timestamp),
) -> Result<(), WriteError> {
    sql("INSERT INTO assignment (host, subject, kind, revision, body, phase, seq, changed) \
         SELECT id, $2, $3, $4, $5, 'Waiting', $6, $7 FROM host WHERE id = $1 \
         ON CONFLICT (host, subject) DO UPDATE SET kind = excluded.kind, revision = excluded.revision, \
         body = excluded.body, seq = excluded.seq, changed = excluded.changed, \
         phase = CASE WHEN assignment.phase = 'Gone' THEN 'Waiting' ELSE assignment.phase END")
    .bind(host.to_string())
    .bind(subject.to_string())
    .bind(kind.to_string())
    .bind(revision.to_string())
    .bind(body)
    .bind(seq)
    .bind(at.0)
    .execute(tx)
    .await?;
    Ok(())
}

fn assignment_of(row: &Row) -> Result<Assignment, ReadError> {
    Ok(Assignment {
        host: row::parsed(row, "host")?,
        subject: row::parsed(row, "subject")?,
        kind: row::parsed(row, "kind")?,
        revision: row::parsed(row, "revision")?,
        wanted: row::number(row, "wanted")? != 0,
        observed: row::maybe_text(row, "observed")?,
        progress: progress_of(row)?,
        seq: row::number(row, "seq")?,
        changed: row::time(row, "changed")?,
        heard: row::maybe_time(row, "heard")?,
    })
}

fn full_of(row: &Row) -> Result<FullAssignment, ReadError> {
    Ok(FullAssignment { row: assignment_of(row)?, body: row::maybe_text(row, "body")? })
}

fn order_of(row: &Row) -> Result<KeptOrder, ReadError> {
    Ok(KeptOrder {
        subject: row::parsed(row, "subject")?,
        kind: row::parsed(row, "kind")?,
        revision: row::parsed(row, "revision")?,
        body: row::maybe_text(row, "body")?,
        progress: progress_of(row)?,
    })
}

fn progress_of(row: &Row) -> Result<Progress, ReadError> {
    Ok(match row::text(row, "phase")?.as_str() {
        GONE => Progress::Gone,
        _ => Progress::Said(row::word(row, "phase")?),
    })
}

const GONE: &str = "Gone";

fn word(progress: Progress) -> Result<String, serde_json::Error> {
    match progress {
        Progress::Said(phase) => row::as_word(&phase),
        Progress::Gone => Ok(GONE.to_owned()),
    }
}

impl fmt::Display for AssignedKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cluster => "Cluster",
            Self::Deployment => "Deployment",
        })
    }
}

/// Neither of the two.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is nothing that a host is told of")]
pub struct UnknownAssignment(String);

impl FromStr for AssignedKind {
    type Err = UnknownAssignment;

    fn from_str(text: &str) -> Result<Self, UnknownAssignment> {
        match text {
            "Cluster" => Ok(Self::Cluster),
            "Deployment" => Ok(Self::Deployment),
            other => Err(UnknownAssignment(other.to_owned())),
        }
    }
}
