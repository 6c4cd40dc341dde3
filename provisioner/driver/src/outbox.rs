//! Runs committed effects, at least once each, also those that a crash left behind.

use std::time::Duration;

use cairn_domain::{Level, Note};
use cairn_store::{PendingEffect, Whose};
use tokio_util::sync::CancellationToken;

use crate::{Driver, ExecuteError, run::chain};

/// Effects read at once.
const BATCH: u32 = 64;
/// An effect that takes longer has failed.
const LIMIT: Duration = Duration::from_secs(30);
/// Longest pause between attempts, in seconds.
const MAX_PAUSE: u32 = 60;
/// Failures after which the site's timeline tells of it.
const TELL_AFTER: u32 = 4;

impl Driver {
    /// Runs effects as they are committed and become due, until `stop`.
    pub(crate) async fn run_effects(&self, stop: &CancellationToken) {
        let mut every = tokio::time::interval(Duration::from_secs(1));
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.committed.notified() => {}
                _ = every.tick() => {}
            }
            if self.leads() {
                self.run_due_effects().await;
            }
        }
    }

    /// Runs every effect that is due now. [`run`](Self::run) does it after each commit and every second.
    pub async fn run_due_effects(&self) {
        loop {
            let pending = match self.store.pending_effects(self.now(), BATCH).await {
                Ok(pending) if pending.is_empty() => return,
                Ok(pending) => pending,
                Err(error) => {
                    tracing::error!(error = chain(&error), "cannot read the outbox");
                    return;
                }
            };
            for effect in pending {
                if !self.run_effect(effect).await {
                    return;
                }
            }
        }
    }

    /// False when the outbox itself failed: then there is no use in going on now.
    async fn run_effect(&self, pending: PendingEffect) -> bool {
        let done = tokio::time::timeout(LIMIT, self.executor.execute(pending.effect.clone()));
        let result = done.await.unwrap_or_else(|late| Err(ExecuteError::new(late)));
        let written = match result {
            Ok(()) => self.store.effect_done(pending.id).await,
            Err(error) => {
                tracing::warn!(effect = ?pending.effect, error = chain(&error), "an effect failed");
                self.tell_of_failure(&pending, &error).await;
                let pause = pause(pending.attempts);
                self.store.effect_failed(pending.id, self.now().after_seconds(pause)).await
            }
        };
        if let Err(error) = &written {
            tracing::error!(error = chain(error), "cannot write the outbox");
        }
        written.is_ok()
    }

    async fn tell_of_failure(&self, pending: &PendingEffect, error: &ExecuteError) {
        if pending.attempts != TELL_AFTER {
            return;
        }
        let text = format!("an effect keeps failing and is tried again: {}", chain(error));
        let note = Note::new(Level::Bad, "effect.failing", text);
        if let Err(error) = self.store.note(Whose::Site, self.now(), note).await {
            tracing::error!(error = chain(&error), "cannot note a failing effect");
        }
    }
}

/// Seconds until the next attempt after `failures` earlier ones: 1, 2, 4, up to a minute.
fn pause(failures: u32) -> u32 {
    1_u32.checked_shl(failures.min(16)).unwrap_or(MAX_PAUSE).min(MAX_PAUSE)
}
