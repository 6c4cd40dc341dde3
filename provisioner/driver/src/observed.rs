//! Observations: many, small, and nobody waits for them. Written in batches.

use std::{collections::HashSet, sync::atomic::Ordering, time::Duration};

use cairn_contract::Mac;
use cairn_domain::{Event, Fact, Level, Note, Subject};
use cairn_store::{Line, ReportError, Whose};
use tokio_util::sync::CancellationToken;

use crate::{Driver, run::chain};

/// How long the first observation of a batch waits for others.
const GATHER: Duration = Duration::from_millis(100);
/// Observations of one batch.
const BATCH: usize = 256;

impl Driver {
    /// Writes observations until `stop`, and then what is left.
    pub(crate) async fn write_observed(&self, stop: &CancellationToken) {
        let mut queue = self.observed.lock().await;
        let mut batch = Vec::with_capacity(BATCH);
        let mut lost = 0;
        loop {
            let last = tokio::select! {
                biased;
                () = stop.cancelled() => true,
                _ = queue.recv_many(&mut batch, BATCH) => false,
            };
            if !last {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(GATHER) => {}
                }
            }
            while batch.len() < BATCH
                && let Ok(fact) = queue.try_recv()
            {
                batch.push(fact);
            }
            let done = last && batch.is_empty();
            if let Err(error) = self.write_batch(std::mem::take(&mut batch)).await {
                tracing::error!(error = chain(&error), "observations are lost");
            }
            lost = self.tell_of_losses(lost).await;
            if done {
                return;
            }
        }
    }

    /// Notes in one transaction; an event cuts the batch, so that the order stays.
    async fn write_batch(&self, facts: Vec<Fact>) -> Result<(), ReportError> {
        let mut lines = Vec::new();
        let mut knocked = HashSet::new();
        for mut fact in facts {
            if is_repeated_knock(&fact, &mut knocked) {
                fact.event = None;
            }
            if fact.event.is_some() || matches!(fact.subject, Subject::Proven(_)) {
                self.store.notes(&std::mem::take(&mut lines)).await?;
                if let Err(error) = self.take_fact(fact, None).await {
                    tracing::error!(error = chain(&error), "an observation is lost");
                }
            } else if let Some(note) = fact.note {
                let whose = self.whose(&fact.subject).await?;
                lines.push(Line { whose, at: self.now(), note, state: None });
            }
        }
        Ok(self.store.notes(&lines).await?)
    }

    async fn tell_of_losses(&self, known: u64) -> u64 {
        let lost = self.dropped.load(Ordering::Relaxed);
        if lost > known {
            let text = format!("{} observations came too fast and were dropped", lost - known);
            tracing::warn!(count = lost - known, "observations dropped");
            let note = Note::new(Level::Warn, "observe.dropped", text);
            if let Err(error) = self.store.note(Whose::Site, self.now(), note).await {
                tracing::error!(error = chain(&error), "cannot note dropped observations");
            }
        }
        lost
    }
}

/// Firmware asks for an address, a boot file and its size within milliseconds: one knock.
fn is_repeated_knock(fact: &Fact, knocked: &mut HashSet<Mac>) -> bool {
    match (&fact.subject, &fact.event) {
        (Subject::Machine { mac, .. }, Some(Event::Knocked)) => !knocked.insert(*mac),
        _ => false,
    }
}
