//! `POST /host/v1/desired`: the host's orders, as soon as they are other ones than it has.

use std::{collections::HashSet, sync::Arc, time::Duration};

use cairn_contract::{
    Digest, HostId,
    workload::{Ask, Body, Desired},
};
use cairn_domain::model::{Kind, Uid};
use cairn_store::{AssignedKind, KeptOrder, Progress};

use super::{Desk, DeskError, seats::Brief};

/// How long a host waits for other orders.
const PATIENCE: Duration = Duration::from_secs(25);

impl Desk {
    /// Its orders; `None` when they are after 25 s the ones that it has.
    pub async fn desired(&self, host: HostId, ask: &Ask) -> Result<Option<Desired>, DeskError> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            self.admit(host)?;
            let seat = self.seats.look(host);
            let woken = seat.notify.notified();
            tokio::pin!(woken);
            // Before the look at the orders: what comes after it wakes.
            woken.as_mut().enable();
            let known = seat.brief.as_ref().map(|brief| brief.revision);
            if known.is_none() || known != ask.have {
                let desired = self.assemble(host).await?;
                self.seats.remember(host, seat.turn, &Arc::new(brief(&desired)));
                if ask.have != Some(desired.revision) {
                    return Ok(Some(desired));
                }
            }
            if tokio::time::timeout_at(deadline, woken).await.is_err() {
                return Ok(None);
            }
        }
    }

    /// What the host is told now.
    pub(super) async fn assemble(&self, host: HostId) -> Result<Desired, DeskError> {
        let orders = self.store.orders_of(host).await?;
        let rows = rows(host, &orders);
        Ok(cairn_workload::desired(&self.catalog.index(), &rows, self.registry.as_ref()))
    }

    /// In short; from memory when nothing changed since it was read.
    pub(super) async fn brief(&self, host: HostId) -> Result<Arc<Brief>, DeskError> {
        let seat = self.seats.look(host);
        if let Some(brief) = seat.brief {
            return Ok(brief);
        }
        let brief = Arc::new(brief(&self.assemble(host).await?));
        self.seats.remember(host, seat.turn, &brief);
        Ok(brief)
    }
}

/// A host's rows as the planner reads them.
pub(super) fn rows(host: HostId, orders: &[KeptOrder]) -> Vec<cairn_workload::Assignment> {
    orders.iter().filter_map(|order| row(host, order)).collect()
}

/// A row as the planner reads it. What this version does not understand is left out, and said.
fn row(host: HostId, order: &KeptOrder) -> Option<cairn_workload::Assignment> {
    let kind = kind_of(order.kind);
    let body = order.body.as_deref().map(|text| cairn_workload::Body::read(kind, text)).transpose();
    if let Err(error) = &body {
        tracing::error!(host.id = %host, subject = %order.subject, error = error as &dyn std::error::Error, "an order is left out");
    }
    let is_gone = order.progress == Progress::Gone;
    let body = body.ok().filter(|_| !is_gone)?;
    Some(cairn_workload::Assignment {
        host: Uid::from(host),
        subject: order.subject,
        kind,
        body,
        revision: order.revision,
        observed: None,
        changed: cairn_contract::Timestamp(0),
    })
}

pub(crate) fn kind_of(kind: AssignedKind) -> Kind {
    match kind {
        AssignedKind::Cluster => Kind::Cluster,
        AssignedKind::Deployment => Kind::Deployment,
    }
}

fn brief(desired: &Desired) -> Brief {
    Brief { revision: desired.revision, blobs: blobs(desired) }
}

/// The artifacts that the host may fetch.
fn blobs(desired: &Desired) -> HashSet<Digest> {
    let artifacts = desired.node.iter().flat_map(|node| node.distribution.artifacts.iter().map(|a| a.digest));
    let applications = desired.releases.iter().flat_map(|release| &release.applications);
    let manifests = applications.filter_map(|application| match &application.body {
        Body::Manifests { digest, .. } => Some(*digest),
        Body::Container(_) | Body::Vm(_) => None,
    });
    artifacts.chain(manifests).collect()
}
