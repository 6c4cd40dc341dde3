//! Lines on hosts' timelines: what a host was told, when it was ready, why it is not. Only changes, and nothing that a host only
//! repeats in other words.

use cairn_contract::{HostId, workload::Phase};
use cairn_domain::{Level, Note, index::Index, model::Uid};
use cairn_store::{Line, Whose};
use cairn_workload::{Assignment, Body, Order, Said};

use super::Orchestrator;

/// Lines of one transaction.
const BATCH: usize = 256;

/// What a host said anew of one row.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) host: HostId,
    pub(super) subject: Uid,
    pub(super) before: Option<Assignment>,
    /// `None`: nothing of it is left on the host.
    pub(super) now: Option<Assignment>,
}

impl Turn {
    pub(super) fn is_of_node(&self) -> bool {
        self.now.as_ref().is_some_and(|now| matches!(now.observed, Some(Said::Node(_))))
    }

    /// For people; `None` when it is on its way as before.
    fn note(&self, index: &Index) -> Option<Note> {
        let what = name(index, self.subject, self.now.as_ref().or(self.before.as_ref()));
        let Some(now) = &self.now else {
            return Some(Note::new(Level::Good, "workload.removed", format!("{what} is removed")));
        };
        let said = now.observed.as_ref()?;
        if self.before.as_ref().is_some_and(|before| stage(before) == stage(now)) || !is_of_order(now) {
            return None;
        }
        let (reason, message) = why(said);
        let because = if message.is_empty() { reason.to_owned() } else { format!("{message} ({reason})") };
        Some(match said.phase() {
            Phase::Ready => Note::new(Level::Good, "workload.ready", format!("{what} is ready")),
            Phase::Failed => Note::new(Level::Bad, "workload.failed", format!("{what} failed: {because}")),
            Phase::Degraded => {
                Note::new(Level::Warn, "workload.degraded", format!("{what} is no longer ready: {because}"))
            }
            Phase::Waiting | Phase::Progressing | Phase::Removing => return None,
        })
    }
}

impl Orchestrator {
    /// What hosts said.
    pub(super) async fn tell(&self, turns: Vec<Turn>) {
        let at = self.now();
        let lines: Vec<Line> = {
            let index = self.catalog.index();
            let line = |turn: Turn| {
                let note = turn.note(&index)?;
                Some(Line { whose: Whose::Host(turn.host), at, note, state: None })
            };
            turns.into_iter().filter_map(line).collect()
        };
        self.write_lines(lines).await;
    }

    /// What hosts were told.
    pub(super) fn told(&self, orders: &[Order], ledger: &super::Ledger) -> Vec<Line> {
        let index = self.catalog.index();
        let at = self.now();
        let line = |order: &Order| {
            let (host, text) = match order {
                Order::Put { host, subject, body, .. } => {
                    let what = of_body(body).unwrap_or_else(|| name(&index, *subject, None));
                    let again = if ledger.row((*host, *subject)).is_some_and(|row| row.body.is_some()) {
                        "is told to change"
                    } else {
                        "is told to run"
                    };
                    (*host, format!("{again} {what}"))
                }
                Order::Remove { host, subject } => {
                    let what = name(&index, *subject, ledger.row((*host, *subject)));
                    (*host, format!("is told to remove {what}"))
                }
            };
            let note = Note::new(Level::Info, "workload.ordered", text);
            Line { whose: Whose::Host(host.into()), at, note, state: None }
        };
        orders.iter().map(line).collect()
    }

    pub(super) async fn write_lines(&self, lines: Vec<Line>) {
        for lines in lines.chunks(BATCH) {
            if let Err(error) = self.store.notes(lines).await {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "cannot tell timelines of workloads"
                );
            }
        }
    }
}

/// How far, and of which order.
fn stage(row: &Assignment) -> Option<(Phase, Option<cairn_contract::Digest>)> {
    match row.observed.as_ref()? {
        Said::Node(node) => Some((node.phase, None)),
        Said::Release(release) => Some((release.phase, Some(release.revision))),
    }
}

/// What is said of an order before is no news of this one.
fn is_of_order(row: &Assignment) -> bool {
    match &row.observed {
        Some(Said::Release(release)) => release.revision == row.revision,
        Some(Said::Node(_)) | None => true,
    }
}

fn why(said: &Said) -> (&str, &str) {
    match said {
        Said::Node(node) => (&node.reason, &node.message),
        Said::Release(release) => (&release.reason, &release.message),
    }
}

fn of_body(body: &Body) -> Option<String> {
    Some(match body {
        Body::Node(node) => format!("its part of cluster {}", node.cluster_name),
        Body::Release(release) => format!("deployment {}", release.name),
    })
}

fn name(index: &Index, subject: Uid, row: Option<&Assignment>) -> String {
    if let Some(name) = row.and_then(|row| row.body.as_ref()).and_then(of_body) {
        return name;
    }
    match index.get(subject) {
        Some(object) => format!("{} {}", object.kind().name().to_lowercase(), object.full_name()),
        None => "what it was told before".to_owned(),
    }
}
