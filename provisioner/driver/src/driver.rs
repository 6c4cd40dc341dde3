//! The driver itself and its face to the leaf crates.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use cairn_contract::{HostId, Timestamp};
use cairn_domain::{
    Fact, Host,
    policies::{self, Defaults, HostPolicy},
};
use cairn_store::{By, Clock, NewInstall, Order, OrderError, Outcome, ReportError, Reporter, Store};
use futures_util::future::BoxFuture;
use tokio::sync::{Mutex, Notify, mpsc};

use crate::Execute;

/// Observations that wait for the next batch; more are dropped.
const OBSERVED: usize = 1024;

/// Changes hosts. One for each store; share it in an [`Arc`].
#[derive(Debug)]
pub struct Driver {
    pub(crate) store: Store,
    pub(crate) defaults: Arc<Defaults>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) executor: Arc<dyn Execute>,
    /// Facts and orders take turns: what one has read cannot change before it commits.
    pub(crate) turn: Mutex<()>,
    /// Wakes the outbox after a commit.
    pub(crate) committed: Notify,
    observe: mpsc::Sender<Fact>,
    pub(crate) observed: Mutex<mpsc::Receiver<Fact>>,
    pub(crate) dropped: AtomicU64,
}

impl Driver {
    /// A driver at rest: facts and orders work at once, deadlines, observations and effects while
    /// [`run`](Self::run) runs.
    pub fn new(
        store: Store,
        defaults: Arc<Defaults>,
        clock: Arc<dyn Clock>,
        executor: Arc<dyn Execute>,
    ) -> Self {
        let (observe, observed) = mpsc::channel(OBSERVED);
        Self {
            store,
            defaults,
            clock,
            executor,
            turn: Mutex::new(()),
            committed: Notify::new(),
            observe,
            observed: Mutex::new(observed),
            dropped: AtomicU64::new(0),
        }
    }

    /// Observations dropped since the start, because more came than could be written.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// What applies to a host now.
    pub(crate) fn host_policy(&self, host: HostId) -> HostPolicy {
        self.store.catalog().read(|index| policies::effective(index, host.into(), &self.defaults))
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl Reporter for Driver {
    fn report(&self, fact: Fact) -> BoxFuture<'_, Result<Outcome, ReportError>> {
        Box::pin(self.take_fact(fact, None))
    }

    fn report_install(&self, fact: Fact, install: NewInstall) -> BoxFuture<'_, Result<Outcome, ReportError>> {
        Box::pin(self.take_fact(fact, Some(install)))
    }

    fn observe(&self, fact: Fact) {
        if self.observe.try_send(fact).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn order(&self, order: Order, by: By) -> BoxFuture<'_, Result<Host, OrderError>> {
        Box::pin(self.take_order(order, by))
    }
}
