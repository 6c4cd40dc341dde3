//! Tells the audit log of what was refused for want of a right; the same refusal of the same principal once a minute.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use cairn_domain::{
    audit::{Deed, Outcome},
    fact::plain,
    model::{Kind, Namespace},
};
use tokio::time::Instant;

use crate::{app::App, auth::Caller, problem::Problem};

/// The same is not told again within it.
const QUIET: Duration = Duration::from_secs(60);
/// Refusals remembered at once.
const MOST: usize = 4096;

/// What was told lately, and when.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<HashMap<String, Instant>>);

impl Refusals {
    /// Whether this one is to be told.
    fn is_news(&self, what: String, now: Instant) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.get(&what).is_some_and(|at| now.saturating_duration_since(*at) < QUIET) {
            return false;
        }
        if told.len() >= MOST {
            told.retain(|_, at| now.saturating_duration_since(*at) < QUIET);
        }
        // So many different ones within a minute are a flood: they are not told.
        if told.len() >= MOST {
            return false;
        }
        told.insert(what, now);
        true
    }
}

/// What somebody tried.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt<'a> {
    /// As in the audit log: `update`, `accept`.
    pub(crate) verb: &'a str,
    pub(crate) kind: Option<Kind>,
    /// As it was asked for; may be anything.
    pub(crate) name: &'a str,
}

/// Passes a problem on; tells the audit log when a right was missing.
pub(crate) async fn note(app: &App, caller: &Caller, attempt: Attempt<'_>, problem: Problem) -> Problem {
    if !problem.denied {
        return problem;
    }
    let name = plain(attempt.name, 300);
    let kind = attempt.kind.map_or("", Kind::name);
    let what = format!("{:?}/{}/{}/{kind}/{name}", caller.actor.kind, caller.actor.name, attempt.verb);
    if !app.refusals.is_news(what, Instant::now()) {
        return problem;
    }
    let deed = Deed {
        actor: caller.actor.clone(),
        verb: attempt.verb.to_owned(),
        kind: attempt.kind,
        uid: None,
        namespace: Namespace::Appliance,
        name,
        outcome: Outcome::Refused,
        reason: problem.detail.to_string(),
        before: None,
        after: None,
    };
    if let Err(error) = app.store.audit(app.auth.now(), &[deed]).await {
        tracing::error!(%error, "a refusal is not in the audit log");
    }
    problem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_told_once_a_minute_and_floods_are_not() {
        let (refusals, now) = (Refusals::default(), Instant::now());
        assert!(refusals.is_news("a".into(), now));
        assert!(!refusals.is_news("a".into(), now + Duration::from_secs(59)));
        assert!(refusals.is_news("a".into(), now + Duration::from_secs(60)));
        let told =
            (0..10_000).filter(|i| refusals.is_news(i.to_string(), now + Duration::from_secs(60))).count();
        assert!(told < MOST);
    }
}
