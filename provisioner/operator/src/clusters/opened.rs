//! Who opened which cluster lately: the audit log is told at the first request, and again after a while, not at each.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use cairn_domain::{audit::ActorKind, model::Uid};
use tokio::time::Instant;

use crate::auth::Caller;

/// The same is told again after it.
const QUIET: Duration = Duration::from_secs(600);
/// Remembered at once.
const MOST: usize = 4096;

type Seen = (ActorKind, String, std::net::IpAddr, Uid);

/// What was told lately, and when.
#[derive(Debug, Default)]
pub(crate) struct Opened(Mutex<HashMap<Seen, Instant>>);

impl Opened {
    /// Whether this one is to be told.
    pub(super) fn is_news(&self, caller: &Caller, cluster: Uid, now: Instant) -> bool {
        let seen = (caller.actor.kind, caller.actor.name.clone(), caller.peer().ip(), cluster);
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.get(&seen).is_some_and(|at| now.saturating_duration_since(*at) < QUIET) {
            return false;
        }
        if told.len() >= MOST {
            told.retain(|_, at| now.saturating_duration_since(*at) < QUIET);
        }
        if told.len() < MOST {
            told.insert(seen, now);
        }
        // Too many to remember are all told.
        true
    }
}
