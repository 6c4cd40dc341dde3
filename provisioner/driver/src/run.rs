//! What the driver does by itself: deadlines, observations, effects.

use std::{error::Error, time::Duration};

use cairn_domain::Event;
use cairn_store::ReportError;
use tokio_util::sync::CancellationToken;

use crate::{Driver, deadline};

/// Hosts looked at in one go.
const BATCH: u32 = 100;

impl Driver {
    /// Runs until `stop`; then writes the observations that wait. Effects that are not done run at the next start.
    pub async fn run(&self, stop: CancellationToken) {
        tokio::join!(
            self.lead(&stop),
            self.watch_deadlines(&stop),
            self.write_observed(&stop),
            self.run_effects(&stop),
            self.react(&stop)
        );
    }

    async fn watch_deadlines(&self, stop: &CancellationToken) {
        let mut every = tokio::time::interval(Duration::from_secs(1));
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                _ = every.tick() => {}
            }
            if !self.leads() {
                continue;
            }
            if let Err(error) = self.tick().await {
                tracing::error!(error = chain(&error), "cannot move hosts whose deadline passed");
            }
        }
    }

    /// Moves every host whose deadline has passed. [`run`](Self::run) does it every second.
    pub async fn tick(&self) -> Result<(), ReportError> {
        loop {
            let due = self.store.due(self.now(), BATCH).await?;
            for host in &due {
                let _turn = self.turn.lock().await;
                // Read again: it may have moved while others had their turn.
                let Some(host) = self.store.host(host.id).await? else { continue };
                if host.state.deadline().is_some_and(|until| until <= self.now()) {
                    let note = deadline::note(&host, &self.host_policy(host.id).policy);
                    self.happen(host, Some(&Event::Tick), note.as_ref(), None).await?;
                }
            }
            if due.len() < BATCH as usize {
                return Ok(());
            }
        }
    }
}

/// An error with its causes, for one line of a log.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
