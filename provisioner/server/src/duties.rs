//! What is tidied up once an hour, by the one provisioner that leads: the old end of the audit log, sessions and logins that have
//! expired, answers that nobody will ask for again.

use std::{sync::Arc, time::Duration};

use cairn_contract::Timestamp;
use cairn_driver::Driver;
use cairn_operator::{AuditLimits, prune_audit};
use cairn_registry::{Collected, Registry};
use cairn_store::{Clock, Store, WriteError};
use tokio_util::sync::CancellationToken;

use crate::in_words;

/// Between two rounds, at least.
const HOUR_S: u64 = 3600;
/// As much longer at most: several that were started at once do not stay in step.
const JITTER_S: u64 = 600;
/// The first round comes soon: whoever restarts often must not never tidy.
const FIRST_S: u64 = 60;
/// What a push has begun and not named yet stays so long.
const UNUSED: Duration = Duration::from_secs(86_400);
/// Answers to requests with an idempotency key are kept for a day.
const ANSWERS_S: i64 = 86_400;

/// Who tidies up what.
pub(crate) struct Duties {
    pub(crate) store: Store,
    pub(crate) driver: Arc<Driver>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) audit: AuditLimits,
    pub(crate) registry: Registry,
}

impl Duties {
    /// Until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let jitter =
            Duration::from_secs(uuid::Uuid::new_v4().as_u64_pair().0.checked_rem(JITTER_S).unwrap_or(0));
        let mut wait = Duration::from_secs(FIRST_S);
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(wait) => {}
            }
            wait = Duration::from_secs(HOUR_S).saturating_add(jitter);
            if !self.driver.leads() {
                continue;
            }
            match tidy(&self.store, self.clock.now(), self.audit).await {
                Ok(Tidied { audit: 0, sessions: 0, answers: 0, tickets: 0 }) => {}
                Ok(tidied) => tracing::info!(?tidied, "tidied up"),
                Err(error) => tracing::warn!(error = in_words(&error), "cannot tidy up; again in an hour"),
            }
            self.collect().await;
        }
    }
}

impl Duties {
    /// Images that nothing names any more.
    async fn collect(&self) {
        let now = u64::try_from(self.clock.now().0).unwrap_or_default();
        let now = std::time::UNIX_EPOCH + Duration::from_millis(now);
        match self.registry.collect(now, UNUSED).await {
            Ok(collected) if collected == Collected::default() => {}
            Ok(collected) => tracing::info!(?collected, "collected what the registry does not use"),
            Err(error) => {
                tracing::warn!(error = in_words(&error), "cannot tidy up the registry; again in an hour");
            }
        }
    }
}

/// How much of what went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tidied {
    audit: u64,
    sessions: u64,
    answers: u64,
    tickets: u64,
}

async fn tidy(store: &Store, now: Timestamp, limits: AuditLimits) -> Result<Tidied, WriteError> {
    let yesterday = Timestamp(now.0.saturating_sub(ANSWERS_S.saturating_mul(1000)));
    Ok(Tidied {
        audit: prune_audit(store, now, limits).await?,
        sessions: store.forget_sessions(now).await?,
        answers: store.forget_answers(yesterday).await?,
        tickets: store.forget_tickets(now).await?,
    })
}

#[cfg(test)]
mod tests {
    use cairn_contract::Digest;
    use cairn_domain::{
        audit::{Actor, Deed, Outcome},
        model::{Namespace, Uid},
    };
    use cairn_store::{AuditFilter, Session};

    use super::*;

    const DAY_MS: i64 = 86_400_000;

    #[tokio::test]
    async fn what_is_old_goes_and_what_is_not_stays() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        let now = Timestamp(100 * DAY_MS);
        let deed = |name: &str| Deed {
            actor: Actor::system("test"),
            verb: "get".into(),
            kind: None,
            uid: None,
            namespace: Namespace::Appliance,
            name: name.into(),
            outcome: Outcome::Done,
            reason: String::new(),
            before: None,
            after: None,
        };
        store.audit(Timestamp(0), &[deed("old")]).await.unwrap();
        store.audit(now, &[deed("new")]).await.unwrap();
        for (n, expires) in [(1, now), (2, Timestamp(now.0 + 1))] {
            let session = Session {
                sha256: Digest([n; 32]),
                user: Uid(uuid::Uuid::nil()),
                principal: "{}".into(),
                created: Timestamp(0),
                expires,
                last_seen: Timestamp(0),
            };
            store.begin_session(&session, &[]).await.unwrap();
            store.put_ticket(&format!("t{n}"), "x", expires).await.unwrap();
        }
        let limits = AuditLimits { keep_days: 30 };
        let gone = tidy(&store, now, limits).await.unwrap();
        assert_eq!(gone, Tidied { audit: 1, sessions: 1, answers: 0, tickets: 1 });
        assert!(store.session(&Digest([2; 32])).await.unwrap().is_some());
        let left = store.audit_after(0, &AuditFilter::default(), 10).await.unwrap();
        assert_eq!(left.iter().map(|e| e.deed.name.as_str()).collect::<Vec<_>>(), ["new"]);
        assert_eq!(store.verify_audit().await.unwrap().flaw, None);
    }
}
