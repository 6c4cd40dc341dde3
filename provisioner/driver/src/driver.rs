//! The driver itself and its face to the leaf crates.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use cairn_contract::{HostId, Timestamp};
use cairn_domain::{
    Fact, Host,
    policies::{self, Defaults, HostPolicy},
};
use cairn_store::{By, Catalog, Clock, NewInstall, Order, OrderError, Outcome, ReportError, Reporter, Store};
use futures_util::future::BoxFuture;
use tokio::sync::{Mutex, Notify, mpsc};

use crate::{Execute, together::Waiting};

/// Observations that wait for the next batch; more are dropped.
const OBSERVED: usize = 1024;

/// Changes hosts. One for each store; share it in an [`Arc`].
#[derive(Debug)]
pub struct Driver {
    pub(crate) store: Store,
    pub(crate) catalog: Catalog,
    pub(crate) defaults: Arc<Defaults>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) executor: Arc<dyn Execute>,
    /// Facts and orders take turns: what one has read cannot change before it commits.
    pub(crate) turn: Mutex<()>,
    /// Facts that the next turn takes all at once.
    pub(crate) waiting: std::sync::Mutex<VecDeque<Waiting>>,
    /// Wakes the outbox after a commit.
    pub(crate) committed: Notify,
    observe: mpsc::Sender<Fact>,
    pub(crate) observed: Mutex<mpsc::Receiver<Fact>>,
    pub(crate) dropped: AtomicU64,
    /// Names this provisioner among those on the same database.
    pub(crate) name: String,
    /// Milliseconds since 1970; see [`leads`](Self::leads).
    pub(crate) leads_until: AtomicI64,
}

impl Driver {
    /// A driver at rest: facts and orders work at once, deadlines, observations and effects while
    /// [`run`](Self::run) runs.
    pub fn new(
        (store, catalog): (Store, Catalog),
        defaults: Arc<Defaults>,
        clock: Arc<dyn Clock>,
        executor: Arc<dyn Execute>,
    ) -> Self {
        let (observe, observed) = mpsc::channel(OBSERVED);
        Self {
            store,
            catalog,
            defaults,
            clock,
            executor,
            turn: Mutex::new(()),
            waiting: std::sync::Mutex::default(),
            committed: Notify::new(),
            observe,
            observed: Mutex::new(observed),
            dropped: AtomicU64::new(0),
            name: uuid::Uuid::new_v4().to_string(),
            leads_until: AtomicI64::new(0),
        }
    }

    /// Observations dropped since the start, because more came than could be written.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// What applies to a host now.
    pub(crate) fn host_policy(&self, host: HostId) -> HostPolicy {
        policies::effective(&self.catalog.index(), host.into(), &self.defaults)
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
