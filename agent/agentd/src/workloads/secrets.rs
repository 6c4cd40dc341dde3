//! Values of secrets, fetched when they are needed and held in memory only.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cairn_applier::Values;
use cairn_contract::Digest;
use cairn_contract::workload::{Release, Secrets, SecretsAsk};
use cairn_node::{Tokens, TokensError};
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::calls::{CallError, Calls};
use super::desired::Orders;

const PATH: &str = "/host/v1/secrets";
const LIMIT: Duration = Duration::from_secs(15);
/// Values of many releases are small.
const MOST: usize = 4 << 20;
/// A value may have been set anew under the same order.
const FRESH: Duration = Duration::from_secs(300);
const AGAIN: Duration = Duration::from_secs(5);
/// After a refusal: nobody has set the value yet, for instance.
const REFUSED: Duration = Duration::from_secs(15);

type Key = (Uuid, Digest);
/// Secret halves of tokens by their ids.
type Halves<'a> = BoxFuture<'a, Result<BTreeMap<String, Zeroizing<String>>, TokensError>>;

/// Values by release.
#[derive(Debug)]
pub(super) struct Vault {
    calls: Arc<Calls>,
    held: Mutex<BTreeMap<Key, Held>>,
    /// Counts up when there is something new.
    news: watch::Sender<u64>,
}

#[derive(Debug, Clone)]
struct Held {
    values: Option<Arc<Values>>,
    due: Instant,
}

impl Vault {
    pub(super) fn new(calls: Arc<Calls>) -> Self {
        Self { calls, held: Mutex::default(), news: watch::Sender::new(0) }
    }

    /// What was fetched for a release.
    pub(super) fn of(&self, release: &Release) -> Option<Arc<Values>> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.get(&(release.deployment, release.revision)).and_then(|h| h.values.clone())
    }

    /// Tells of each change.
    pub(super) fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// Fetches what the orders need; forgets the rest.
    pub(super) async fn run(&self, mut orders: Orders) {
        loop {
            let wanted: Vec<Key> = match orders.borrow_and_update().as_ref() {
                Some(desired) => desired.releases.iter().map(|r| (r.deployment, r.revision)).collect(),
                None => Vec::new(),
            };
            self.held.lock().unwrap_or_else(PoisonError::into_inner).retain(|key, _| wanted.contains(key));
            let mut next = Instant::now() + FRESH;
            for key in wanted {
                next = next.min(self.refresh(key).await);
            }
            tokio::select! {
                () = tokio::time::sleep_until(next) => {}
                changed = orders.changed() => if changed.is_err() { return },
            }
        }
    }

    /// When it is due again.
    async fn refresh(&self, key: Key) -> Instant {
        let before = self.held.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        let now = Instant::now();
        if let Some(held) = &before
            && now < held.due
        {
            return held.due;
        }
        let ask = SecretsAsk::Release { deployment: key.0, revision: key.1 };
        let answer: Result<Secrets, CallError> = self.calls.post(PATH, &ask, LIMIT, MOST).await;
        let old = before.and_then(|held| held.values);
        let (values, wait) = match answer {
            Ok(secrets) => (Some(Arc::new(Values::new(secrets))), FRESH),
            Err(error) => {
                let wait = if error.is_refusal() { REFUSED } else { AGAIN };
                tracing::debug!("no secrets: {:#}", anyhow::Error::new(error));
                (old.clone(), wait)
            }
        };
        let due = Instant::now() + wait;
        let is_news = values != old;
        self.held.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Held { values, due });
        if is_news {
            self.news.send_modify(|n| *n = n.wrapping_add(1));
        }
        due
    }
}

impl Tokens for Vault {
    fn ask(&self, cluster: Uuid) -> Halves<'_> {
        Box::pin(async move {
            let ask = SecretsAsk::Bootstrap { cluster };
            let answer: Result<Secrets, CallError> = self.calls.post(PATH, &ask, LIMIT, MOST).await;
            let secrets = answer.map_err(|e| TokensError(e.to_string()))?;
            Ok(secrets.values.into_iter().map(|(id, secret)| (id, Zeroizing::new(secret))).collect())
        })
    }
}
