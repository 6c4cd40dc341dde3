//! Failed logins: how many one peer may have, and what is told of them. Bounded: nobody fills the disk by guessing.
//!
//! The site's timeline gets the first failure of a peer and the one that closes the door; the audit log gets each, but at most
//! a hundred and then one in ten seconds, with the number of those left out.

use std::time::Duration;

use cairn_domain::{
    Fact, Level, Note, Subject,
    audit::{Actor, ActorKind, Deed, Outcome},
    model::{Kind as Resource, Namespace, Object},
};
use tokio::time::Instant;

use super::{nobody, peer::Peer, throttle};
use crate::{
    app::App,
    problem::{Kind, Problem, sentence},
};

/// Lines at once.
const BURST: u32 = 100;
/// And then one in this time.
const REFILL: Duration = Duration::from_secs(10);

/// How many refusals of strangers may be written now.
#[derive(Debug, Default)]
pub(super) struct Ration {
    spent: u32,
    since: Option<Instant>,
    left_out: u64,
}

impl Ration {
    /// How many were left out before this one; `None` when this one is to be left out too.
    fn take(&mut self, now: Instant) -> Option<u64> {
        let since = *self.since.get_or_insert(now);
        let back = now.duration_since(since).as_secs() / REFILL.as_secs();
        if let Some(back) = u32::try_from(back).ok().filter(|n| *n > 0) {
            self.spent = self.spent.saturating_sub(back);
            self.since = Some(now);
        }
        if self.spent >= BURST {
            self.left_out = self.left_out.saturating_add(1);
            return None;
        }
        self.spent = self.spent.saturating_add(1);
        Some(std::mem::take(&mut self.left_out))
    }
}

/// Whether the peer may try now.
pub(super) fn allowed(app: &App, peer: Peer) -> Result<(), Problem> {
    match app.auth.peers().wait(peer.ip(), Instant::now()) {
        None => Ok(()),
        Some(seconds) => Err(too_many("Too many failed logins from this address.", seconds)),
    }
}

/// The answer to somebody who must wait.
pub(super) fn too_many(detail: &str, seconds: u32) -> Problem {
    Problem::new(Kind::TooMany, detail, format!("Wait {seconds} s.")).after(seconds)
}

/// Counts and notes a failure; `why` is a fragment, for the peer and for the log.
pub(super) async fn failed(app: &App, peer: Peer, user: Option<&Object>, why: &str) -> Problem {
    let failures = app.auth.peers().failed(peer.ip(), Instant::now());
    note(app, peer, failures);
    refused(app, peer, user, why).await;
    nobody(sentence(why))
}

/// Writes a refused login to the audit log. Names that nobody has are not written: they may be passwords.
pub(super) async fn refused(app: &App, peer: Peer, user: Option<&Object>, why: &str) {
    let Some(left_out) = app.auth.ration().take(Instant::now()) else { return };
    let more =
        if left_out > 0 { format!(" (and {left_out} more refusals before this one)") } else { String::new() };
    let deed = Deed {
        actor: Actor { kind: ActorKind::Unknown, name: String::new(), origin: peer.origin() },
        verb: "login".to_owned(),
        kind: user.map(|_| Resource::User),
        uid: user.map(|u| u.metadata.uid),
        namespace: Namespace::Appliance,
        name: user.map(|u| u.metadata.name.clone()).unwrap_or_default(),
        outcome: Outcome::Refused,
        reason: format!("{why}{more}"),
        before: None,
        after: None,
    };
    if let Err(error) = app.store.audit(app.auth.now(), &[deed]).await {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "cannot write a refused login to the audit log"
        );
    }
}

fn note(app: &App, peer: Peer, failures: u32) {
    let source = peer.ip();
    let note = match failures {
        1 => Note::new(Level::Warn, "login.failed", format!("a login from {source} failed")),
        throttle::ALLOWED => {
            let text = format!("{failures} logins from {source} failed; it is not heard for a minute");
            Note::new(Level::Bad, "login.blocked", text)
        }
        _ => return,
    };
    app.reporter.observe(Fact { subject: Subject::Site, event: None, note: Some(note) });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_get_a_hundred_lines_and_then_one_in_ten_seconds() {
        let (mut ration, start) = (Ration::default(), Instant::now());
        for _ in 0..BURST {
            assert_eq!(ration.take(start), Some(0));
        }
        for _ in 0..7 {
            assert_eq!(ration.take(start + Duration::from_secs(9)), None);
        }
        assert_eq!(ration.take(start + Duration::from_secs(10)), Some(7));
        assert_eq!(ration.take(start + Duration::from_secs(11)), None);
        assert_eq!(ration.take(start + Duration::from_secs(100_000)), Some(1));
    }
}
