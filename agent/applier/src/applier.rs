//! The loop: waits until something is to be done (another order, a change in the cluster, a deadline), and makes a pass over all
//! releases. The API server may be away for as long as it likes: nothing is forgotten, and the next pass begins where things are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use cairn_contract::workload::{Phase, ReleaseObserved};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::cluster::{Cluster, ConnectError};
use crate::inventory::Inventory;
use crate::keep::{Around, Away, Kept};
use crate::kinds::{Kinds, Resource};
use crate::mirror::Mirror;
use crate::power::{Power, PowerError, switch};
use crate::wanted::Order;
use crate::{store, withdraw};

/// Changes that come close together make one pass.
const TOGETHER: Duration = Duration::from_millis(50);
/// A pass is made at least this often; watches tell of everything before.
const AT_LEAST: Duration = Duration::from_secs(60);
/// Longest pause while the server is away.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

type Orders = Option<Arc<Vec<Arc<Order>>>>;

/// Brings releases into one cluster and keeps them so. The agent makes one, gives it orders and reads what it sees, while
/// [`Applier::run`] runs.
#[derive(Debug)]
pub struct Applier {
    cluster: Cluster,
    orders: watch::Sender<Orders>,
    observed: watch::Sender<Vec<ReleaseObserved>>,
}

impl Applier {
    /// By the text of a kubeconfig of an administrator. Nothing is asked yet.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn connect(kubeconfig: &str) -> Result<Self, ConnectError> {
        let cluster = Cluster::connect(kubeconfig).await?;
        Ok(Self { cluster, orders: watch::Sender::new(None), observed: watch::Sender::new(Vec::new()) })
    }

    /// All releases that the cluster is to have: what it has by an order before and is not among them is removed. Until the first
    /// call nothing is touched.
    pub fn want(&self, orders: Vec<Order>) {
        let orders = orders.into_iter().map(Arc::new).collect();
        self.orders.send_replace(Some(Arc::new(orders)));
    }

    /// How they are, by name of deployment; those that are being removed are among them until they are gone.
    #[must_use]
    pub fn observed(&self) -> watch::Receiver<Vec<ReleaseObserved>> {
        self.observed.subscribe()
    }

    /// Starts, stops or restarts a virtual machine of KubeVirt.
    ///
    /// # Errors
    /// See [`PowerError`].
    pub async fn power(&self, namespace: &str, name: &str, power: Power) -> Result<(), PowerError> {
        switch(&self.cluster, namespace, name, power).await
    }

    /// Runs until `stop`. It may be called again then; what the cluster has stays.
    pub async fn run(&self, stop: CancellationToken) {
        let around = Around {
            cluster: self.cluster.clone(),
            kinds: Kinds::default(),
            mirror: Mirror::new(self.cluster.clone()),
        };
        let mut keeper = Keeper { around, releases: BTreeMap::new(), read: false, away: None };
        let mut orders = self.orders.subscribe();
        loop {
            let wanted = orders.borrow_and_update().clone();
            let wake = keeper.turn(wanted.as_deref(), Instant::now()).await;
            self.observed.send_if_modified(|old| replace(old, keeper.told(wanted.as_deref())));
            tokio::select! {
                () = stop.cancelled() => return,
                changed = orders.changed() => if changed.is_err() { return },
                () = keeper.around.mirror.changed(), if keeper.away.is_none() => tokio::time::sleep(TOGETHER).await,
                () = tokio::time::sleep_until(wake) => {}
            }
        }
    }
}

fn replace(old: &mut Vec<ReleaseObserved>, new: Vec<ReleaseObserved>) -> bool {
    let changed = *old != new;
    *old = new;
    changed
}

/// While the server does not answer.
#[derive(Debug)]
struct Silence {
    since: Instant,
    tries: u32,
    why: String,
}

#[derive(Debug)]
struct Keeper {
    around: Around,
    releases: BTreeMap<Uuid, Kept>,
    /// The inventories were read.
    read: bool,
    away: Option<Silence>,
}

impl Keeper {
    /// One pass over everything; says when the next is due.
    async fn turn(&mut self, orders: Option<&Vec<Arc<Order>>>, now: Instant) -> Instant {
        match self.pass(orders, now).await {
            Ok(()) => {
                if let Some(silence) = self.away.take() {
                    self.back(&silence, now);
                }
                let next = self.releases.values().filter_map(|k| k.next_wake(now)).min();
                let latest = now.checked_add(AT_LEAST).unwrap_or(now);
                next.map_or(latest, |n| n.min(latest)).max(now.checked_add(TOGETHER).unwrap_or(now))
            }
            Err(Away(error)) => self.silent(&error, now),
        }
    }

    fn silent(&mut self, error: &(dyn std::error::Error + 'static), now: Instant) -> Instant {
        let why = chain(error);
        if self.away.is_none() {
            tracing::warn!(error = %why, "the API server is away; what runs goes on");
        }
        let silence = self.away.get_or_insert(Silence { since: now, tries: 0, why: String::new() });
        silence.why = why;
        let pause = Duration::from_millis(500).saturating_mul(2_u32.saturating_pow(silence.tries.min(6)));
        silence.tries = silence.tries.saturating_add(1);
        now.checked_add(pause.min(LONGEST_PAUSE)).unwrap_or(now)
    }

    fn back(&mut self, silence: &Silence, now: Instant) {
        let away = now.duration_since(silence.since);
        tracing::info!(seconds = away.as_secs(), "the API server is back");
        self.releases.values_mut().flat_map(|k| k.parts.iter_mut()).for_each(|p| p.excuse(away));
    }

    async fn pass(&mut self, orders: Option<&Vec<Arc<Order>>>, now: Instant) -> Result<(), Away> {
        let Some(orders) = orders else { return Ok(()) };
        self.around.cluster.ping().await.map_err(Away)?;
        if !self.read {
            let all = store::read(&self.around.cluster).await.map_err(Away)?;
            self.releases = all.into_iter().map(|i| (i.deployment, Kept::new(i))).collect();
            self.read = true;
        }
        self.take(orders);
        let gone = self.leave().await?;
        gone.iter().for_each(|uid| {
            self.releases.remove(uid);
        });
        for kept in self.releases.values_mut().filter(|k| k.order.is_some()) {
            kept.pass(&mut self.around, now).await?;
        }
        let used: BTreeSet<Resource> = self.releases.values().flat_map(Kept::resources).cloned().collect();
        self.around.mirror.follow(&used);
        Ok(())
    }

    fn take(&mut self, orders: &[Arc<Order>]) {
        for order in orders {
            let release = &order.release;
            let fresh = || Kept::new(Inventory::new(release.deployment, &release.name));
            self.releases.entry(release.deployment).or_insert_with(fresh).want(Some(Arc::clone(order)));
        }
        let wanted: BTreeSet<Uuid> = orders.iter().map(|o| o.release.deployment).collect();
        let others = self.releases.iter_mut().filter(|(uid, _)| !wanted.contains(uid));
        others.for_each(|(_, kept)| kept.want(None));
    }

    /// What is no longer wanted goes; those of it that are gone.
    async fn leave(&mut self) -> Result<Vec<Uuid>, Away> {
        let mut gone = Vec::new();
        for (uid, kept) in self.releases.iter_mut().filter(|(_, k)| k.order.is_none()) {
            let entries = kept.inventory.entries.clone();
            let left = withdraw::in_order(&mut self.around, &kept.owner, entries, &mut kept.leaving).await?;
            kept.parts.clear();
            if left.is_empty() {
                store::remove(&self.around.cluster, &kept.inventory).await.map_err(Away)?;
                gone.push(*uid);
            }
        }
        Ok(gone)
    }

    fn told(&self, orders: Option<&Vec<Arc<Order>>>) -> Vec<ReleaseObserved> {
        let mut out: Vec<(String, ReleaseObserved)> =
            self.releases.values().map(|k| (k.owner.name.clone(), k.told())).collect();
        let unknown =
            orders.into_iter().flatten().filter(|o| !self.releases.contains_key(&o.release.deployment));
        out.extend(unknown.map(|o| (o.release.name.clone(), unseen(o))));
        if let Some(silence) = &self.away {
            out.iter_mut().for_each(|(_, told)| overlay(told, silence));
        }
        out.sort_by(|a, b| a.0.cmp(&b.0));
        out.into_iter().map(|(_, told)| told).collect()
    }
}

/// Of a release that was not looked at yet.
fn unseen(order: &Order) -> ReleaseObserved {
    ReleaseObserved {
        deployment: order.release.deployment,
        revision: order.release.revision,
        phase: Phase::Waiting,
        reason: "Waiting".into(),
        message: "not begun".into(),
        corrected: 0,
        applications: Vec::new(),
    }
}

/// What was seen last, and that nothing is known of now.
fn overlay(told: &mut ReleaseObserved, silence: &Silence) {
    if told.phase == Phase::Ready {
        told.phase = Phase::Degraded;
    }
    told.reason = "ClusterUnreachable".into();
    told.message = format!("the API server of the cluster is away, what runs goes on: {}", silence.why);
}

/// An error and what caused it, each said once.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut out = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !out.contains(&said) {
            out = format!("{out}: {said}");
        }
        next = cause.source();
    }
    out.chars().take(400).collect()
}
