//! All rows in memory, as the planner reads them, while this provisioner leads.

use std::collections::{BTreeSet, HashMap};

use cairn_domain::model::Uid;
use cairn_store::{AssignedKind, BootstrapToken, FullAssignment, Progress, ReadError, Store};
use cairn_workload::{Assignment, Body, Said, Token};

use super::{Orchestrator, lines::Turn};
use crate::desk::kind_of;

/// Rows that are read at a time.
const AT_ONCE: u32 = 4096;

/// Rows, and what else the planner reads beside resources.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) rows: Vec<Assignment>,
    places: HashMap<(Uid, Uid), usize>,
    /// Rows of which nothing is left on the host.
    pub(super) gone: BTreeSet<(Uid, Uid)>,
    pub(super) tokens: Vec<Token>,
    seq: i64,
}

impl Ledger {
    /// Everything, as it is now.
    pub(super) async fn load(store: &Store) -> Result<Self, ReadError> {
        let (rows, seq) = store.all_assignments().await?;
        let mut ledger = Self { seq, ..Self::default() };
        for row in rows {
            ledger.take(row);
        }
        ledger.tokens = tokens(store).await?;
        Ok(ledger)
    }

    /// Takes a row as it is now; what of it is news from its host.
    fn take(&mut self, full: FullAssignment) -> Option<Turn> {
        let FullAssignment { row, body } = full;
        let key = (Uid::from(row.host), row.subject);
        let was_gone = self.gone.remove(&key);
        let old = self.places.get(&key).and_then(|place| self.rows.get(*place)).cloned();
        if row.progress == Progress::Gone {
            self.drop_row(key);
            self.gone.insert(key);
            return (!was_gone).then_some(Turn {
                host: row.host,
                subject: row.subject,
                before: old,
                now: None,
            });
        }
        let next = read(row.kind, &row, body.as_deref());
        let said_before = old.as_ref().and_then(|old| old.observed.as_ref());
        let turn = (said_before != next.observed.as_ref()).then(|| Turn {
            host: row.host,
            subject: row.subject,
            before: old.clone(),
            now: Some(next.clone()),
        });
        self.put(key, next);
        turn
    }

    fn put(&mut self, key: (Uid, Uid), row: Assignment) {
        match self.places.get(&key).and_then(|place| self.rows.get_mut(*place)) {
            Some(old) => *old = row,
            None => {
                self.places.insert(key, self.rows.len());
                self.rows.push(row);
            }
        }
    }

    /// `false` when there is none.
    fn drop_row(&mut self, key: (Uid, Uid)) -> bool {
        let Some(place) = self.places.remove(&key).filter(|place| *place < self.rows.len()) else {
            return false;
        };
        self.rows.swap_remove(place);
        if let Some(moved) = self.rows.get(place) {
            self.places.insert((moved.host, moved.subject), place);
        }
        true
    }

    /// The row of a subject at a host.
    pub(super) fn row(&self, key: (Uid, Uid)) -> Option<&Assignment> {
        self.places.get(&key).and_then(|place| self.rows.get(*place))
    }

    /// It is no longer in the table.
    pub(super) fn forget(&mut self, key: (Uid, Uid)) {
        self.drop_row(key);
        self.gone.remove(&key);
    }

    /// Rows of hosts that are no more went with them.
    pub(super) fn forget_hosts(&mut self, stays: impl Fn(Uid) -> bool) {
        let gone: Vec<_> =
            self.places.keys().chain(&self.gone).filter(|(host, _)| !stays(*host)).copied().collect();
        gone.into_iter().for_each(|key| self.forget(key));
    }
}

/// All tokens, as the planner reads them.
pub(super) async fn tokens(store: &Store) -> Result<Vec<Token>, ReadError> {
    Ok(store.all_tokens().await?.into_iter().map(token).collect())
}

fn token(token: BootstrapToken) -> Token {
    let BootstrapToken { id, cluster, host, node, expires, spent } = token;
    Token { id, cluster, host: host.into(), node, expires, spent: spent.is_some() }
}

fn read(kind: AssignedKind, row: &cairn_store::Assignment, body: Option<&str>) -> Assignment {
    let word = kind_of(kind);
    let unread = |error: cairn_workload::RowError| {
        tracing::error!(host.id = %row.host, subject = %row.subject, error = &error as &dyn std::error::Error, "a row is not understood");
    };
    let body = body.and_then(|text| Body::read(word, text).map_err(unread).ok());
    let observed = row.observed.as_deref().and_then(|text| Said::read(word, text).map_err(unread).ok());
    Assignment {
        host: row.host.into(),
        subject: row.subject,
        kind: word,
        body,
        revision: row.revision,
        observed,
        changed: row.changed,
    }
}

impl Orchestrator {
    /// Reads the rows that changed, and tells timelines what hosts said. Whether any of it is news.
    pub(super) async fn pull(&self, ledger: &mut Ledger) -> Result<bool, super::RoundError> {
        let mut turns = Vec::new();
        loop {
            let rows = self.store.assignments_after(ledger.seq, AT_ONCE).await?;
            let Some(last) = rows.last() else { break };
            ledger.seq = last.row.seq;
            turns.extend(rows.into_iter().filter_map(|row| ledger.take(row)));
        }
        if turns.is_empty() {
            return Ok(false);
        }
        // A control plane says which tokens were used.
        let nodes = turns.iter().any(|turn| turn.is_of_node());
        if nodes {
            ledger.tokens = tokens(&self.store).await?;
        }
        self.tell(turns).await;
        Ok(true)
    }
}
