//! Units: programs that a host keeps running. Not containers, and not who wants them: the node and the runtime of virtual
//! machines call it.
//!
//! ```text
//! ensure --> Waiting (probes) --> Running --ended--> Pausing (1 s .. 60 s) --> Waiting
//!                                    |                  `- Ended: its order says not again
//!                                    `- another order: TERM, KILL after the grace, Waiting
//! ```
//!
//! Units outlive the agent: one that starts again finds them (same pid and start time, same order) and goes on with them.

mod children;
mod keeper;
mod record;
mod systemd;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use cairn_contract::Digest;
use cairn_contract::workload::{Restart, Unit};

use crate::log::Log;
use crate::probe;

pub use children::Children;
pub use systemd::Systemd;

/// What a [`Units`] answers, once.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, UnitError>> + Send + 'a>>;

/// Keeps programs running.
pub trait Units: Send + Sync + Debug {
    /// Sees to it that the unit is kept running as ordered: started if it is not known, started anew if it was ordered otherwise,
    /// left alone if not. Returns when the order is taken, not when the unit runs: see [`Units::status`].
    fn ensure<'a>(&'a self, order: &'a Order) -> Answer<'a, ()>;

    /// Starts a unit anew that runs, or that has ended and was not to be started again. An unknown one is an error.
    fn restart<'a>(&'a self, name: &'a str) -> Answer<'a, ()>;

    /// Ends it (SIGTERM, after `grace` SIGKILL), and forgets it, its log included. Returns when nothing of it runs. An unknown
    /// one is no error. With `leave_children` its children stay.
    fn stop<'a>(&'a self, name: &'a str, grace: Duration) -> Answer<'a, ()>;

    /// How it is; none when there is none of this name.
    fn status<'a>(&'a self, name: &'a str) -> Answer<'a, Option<UnitStatus>>;

    /// Names of all units, also of those that an earlier agent left and nobody ordered since.
    fn names(&self) -> Answer<'_, BTreeSet<String>>;

    /// Where it writes: standard output and error.
    fn log(&self, name: &str) -> Log;
}

/// A unit, and what the contract's form does not say of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Order {
    /// What is run. Its environment may hold secrets: it is never written to a disk by [`Children`], and into `/run` by systemd.
    pub unit: Unit,
    /// What follows when it ends.
    pub restart: Restart,
    /// As whom; absent: as the agent.
    pub user: Option<RunAs>,
    /// Between SIGTERM and SIGKILL when it is started anew because of another order.
    pub grace: Duration,
}

/// Whom a unit runs as; it has no other groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunAs {
    /// Number of the user.
    pub uid: u32,
    /// Number of the group.
    pub gid: u32,
}

impl Order {
    /// The usual order for a unit: always started again, as the agent's user, 30 s to end.
    #[must_use]
    pub fn of(unit: &Unit) -> Self {
        Self { unit: unit.clone(), restart: Restart::Always, user: None, grace: Duration::from_secs(30) }
    }

    /// Another one is another process. What follows its end may change while it runs.
    fn fingerprint(&self) -> Digest {
        let user = self.user.map(|u| (u.uid, u.gid));
        let text = serde_json::to_vec(&(&self.unit, user)).unwrap_or_default();
        Digest::of(&text)
    }
}

impl Debug for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Order({}: {})", self.unit.name, self.unit.run.first().map_or("", String::as_str))
    }
}

/// How a unit is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitStatus {
    /// How far.
    pub state: UnitState,
    /// Times that it was started again, since the agent has it.
    pub restarts: u32,
    /// For people: what it waits for, how it ended last. May be empty.
    pub message: String,
}

/// How far a unit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitState {
    /// Something comes first: a probe, or the end of what ran before.
    Waiting,
    /// It runs.
    Running {
        /// Number of its first process.
        pid: i32,
    },
    /// It ended, or could not be started, and is started again after a pause.
    Pausing,
    /// It ended and is not to be started again.
    Ended {
        /// Its exit status; absent: a signal, or it was somebody else's child.
        code: Option<i32>,
    },
}

/// Why a unit could not be taken care of.
#[derive(Debug, thiserror::Error)]
pub enum UnitError {
    /// Not an RFC 1123 label.
    #[error("`{0}` is no name of a unit: letters a-z, digits and `-`, at most 63")]
    Name(String),
    /// No program.
    #[error("unit {0} names no program by an absolute path")]
    Program(String),
    /// It is not known.
    #[error("there is no unit {0}")]
    Unknown(String),
    /// The agent's own files.
    #[error("cannot {what} {}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// systemd did not do it.
    #[error("systemctl {what}: {text}")]
    Systemctl {
        /// Its arguments.
        what: String,
        /// What it said.
        text: String,
    },
    /// It does not end.
    #[error("unit {0} still runs after SIGKILL")]
    Undying(String),
}

/// The supervisor of this host: systemd where it is the init, else the agent itself.
///
/// # Errors
/// The folder cannot be made.
pub fn of_this_host(folder: &Path) -> Result<Arc<dyn Units>, UnitError> {
    if Path::new("/run/systemd/system").is_dir() {
        return Ok(Arc::new(Systemd::system(folder)?));
    }
    Ok(Arc::new(Children::open(folder)?))
}

/// What every implementation asks of an order.
fn checked(order: &Order) -> Result<(), UnitError> {
    check_name(&order.unit.name)?;
    let absolute = order.unit.run.first().is_some_and(|program| program.starts_with('/'));
    let clean = order.unit.run.iter().all(|a| !a.contains('\0'))
        && order.unit.env.iter().all(|(k, v)| !k.is_empty() && !k.contains(['=', '\0']) && !v.contains('\0'));
    if absolute && clean { Ok(()) } else { Err(UnitError::Program(order.unit.name.clone())) }
}

fn check_name(name: &str) -> Result<(), UnitError> {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let good = !name.is_empty() && name.len() <= 63 && name.chars().all(legal) && !name.starts_with('-');
    if good { Ok(()) } else { Err(UnitError::Name(name.to_owned())) }
}

/// Returns when all probes hold; tells meanwhile what is waited for.
async fn all_hold(unit: &Unit, mut waiting: impl FnMut(String)) {
    let started = crate::clock::now();
    for wanted in &unit.after {
        let mut pause = Duration::from_millis(100);
        while let Err(error) = probe::check(&wanted.condition).await {
            let late = started.elapsed().as_secs() > u64::from(wanted.patience_s);
            let word = if late { "still waits" } else { "waits" };
            waiting(format!("{word} for {}: {error}", wanted.name));
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(2));
        }
    }
}

fn file_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> UnitError {
    let path = path.to_owned();
    move |source| UnitError::File { what, path, source }
}
