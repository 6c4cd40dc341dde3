//! Facts of hosts that are known by their id come by the thousand a second: those that arrive while others are being
//! written are written together, in one transaction.
//!
//! ```text
//! caller -- fact --> waiting -- whoever gets the turn takes all --> load, step --> commit_many --> each caller its answer
//! ```

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, PoisonError},
};

use cairn_contract::HostId;
use cairn_domain::{
    Fact, Host,
    model::{Kind, Uid},
};
use cairn_store::{CommitError, Outcome, ReportError};
use futures_util::future::join_all;
use tokio::sync::oneshot;

use crate::{Driver, draft::Draft};

/// Facts of one transaction.
const BATCH: usize = 256;

/// A fact whose caller waits.
#[derive(Debug)]
pub(crate) struct Waiting {
    id: HostId,
    fact: Fact,
    answer: oneshot::Sender<Result<Outcome, ReportError>>,
}

impl Driver {
    /// A fact of a known host. Its caller may go away at any time; the fact is then written or not.
    pub(crate) async fn take_together(&self, id: HostId, fact: Fact) -> Result<Outcome, ReportError> {
        loop {
            let (answer, mut answered) = oneshot::channel();
            let waiting = Waiting { id, fact: fact.clone(), answer };
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push_back(waiting);
            let done = tokio::select! {
                biased;
                done = &mut answered => done,
                turn = self.turn.lock() => {
                    self.write_waiting().await;
                    drop(turn);
                    answered.await
                }
            };
            // Without an answer, the caller that had the turn went away in the middle: again.
            if let Ok(outcome) = done {
                return outcome;
            }
        }
    }

    /// Writes all that wait. The caller has the turn.
    pub(crate) async fn write_waiting(&self) {
        loop {
            let batch = self.next_batch();
            if batch.is_empty() {
                return;
            }
            self.write_batch_of(batch).await;
        }
    }

    /// Up to the first that is about a host which the batch has already.
    fn next_batch(&self) -> Vec<Waiting> {
        let mut queue = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut batch, mut hosts) = (Vec::new(), HashSet::new());
        while batch.len() < BATCH && queue.front().is_some_and(|next| is_left(next) || hosts.insert(next.id))
        {
            // A database that was away has many of those: their callers ask again, and wait behind none of them.
            batch.extend(queue.pop_front().filter(|next| !is_left(next)));
        }
        batch
    }

    async fn write_batch_of(&self, batch: Vec<Waiting>) {
        let (mut drafts, mut callers) = (Vec::new(), Vec::new());
        // In one go: a database that is away costs the wait for it once, not for each.
        let hosts = self.read_hosts(&batch).await;
        let read = join_all(batch.iter().map(|waiting| self.draft_of(waiting, hosts.get(&waiting.id)))).await;
        for (waiting, draft) in batch.into_iter().zip(read) {
            match draft {
                Ok(draft) if draft.touched => {
                    drafts.push(draft.change);
                    callers.push(waiting);
                }
                Ok(draft) => answer(waiting.answer, self.save(draft).await.map(known)),
                Err(error) => answer(waiting.answer, Err(error)),
            }
        }
        if drafts.is_empty() {
            return;
        }
        let results = self.store.commit_many(&drafts).await;
        self.committed.notify_one();
        for ((result, change), waiting) in results.into_iter().zip(drafts).zip(callers) {
            let outcome = match result {
                Ok(version) => Ok(known(Host { version, ..change.host })),
                // Another provisioner was faster: by itself, and from what is there now.
                Err(CommitError::Stale | CommitError::EkTaken) => self.try_again(&waiting.fact).await,
                Err(error) => Err(error.into()),
            };
            answer(waiting.answer, outcome);
        }
    }

    /// The hosts of a batch as they are stored; none when they cannot be read together.
    async fn read_hosts(&self, batch: &[Waiting]) -> HashMap<HostId, Arc<Host>> {
        let uids: Vec<(Kind, Uid)> = batch.iter().map(|waiting| (Kind::Host, waiting.id.into())).collect();
        let read = self.store.objects(&uids).await.unwrap_or_default();
        read.into_iter().filter_map(|object| object.host.map(|host| (host.id, host))).collect()
    }

    /// One that was not read together with the others is read by itself: its error is then its own.
    async fn draft_of(&self, waiting: &Waiting, read: Option<&Arc<Host>>) -> Result<Draft, ReportError> {
        let host = match read {
            Some(host) => Host::clone(host),
            None => self.store.host(waiting.id).await?.ok_or(ReportError::NoSuchHost(waiting.id))?,
        };
        let mut draft = Draft::of(host, self.now());
        draft.learn_parts(&waiting.fact.subject);
        self.advance(&mut draft, waiting.fact.event.as_ref(), waiting.fact.note.as_ref(), None).await?;
        Ok(draft)
    }
}

/// Its caller went away, and was not told that it was written.
fn is_left(waiting: &Waiting) -> bool {
    waiting.answer.is_closed()
}

fn known(host: Host) -> Outcome {
    Outcome { host: Some(host), recognition: None }
}

/// A caller that went away needs none.
fn answer(to: oneshot::Sender<Result<Outcome, ReportError>>, outcome: Result<Outcome, ReportError>) {
    drop(to.send(outcome));
}
