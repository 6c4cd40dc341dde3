//! What this host is to run: asked for by long polls, kept, passed on. Before the first answer the kept one counts.

use std::sync::Arc;
use std::time::Duration;

use cairn_contract::workload::{Ask, Desired, MAX_DESIRED};
use tokio::sync::watch;

use super::access::{Accesses, first};
use super::calls::Calls;
use super::kept::Kept;
use crate::service::pace::Pace;

/// The provisioner waits for 25 s.
const LIMIT: Duration = Duration::from_secs(45);
const SLOWEST: Duration = Duration::from_secs(15);

/// The newest; `None` until anything is known: then nothing is touched.
pub type Orders = watch::Receiver<Option<Arc<Desired>>>;

/// Follows the provisioner; done when `accesses` ends.
pub(super) async fn run(
    calls: Arc<Calls>,
    mut accesses: Accesses,
    kept: Kept,
    orders: watch::Sender<Option<Arc<Desired>>>,
) {
    let mut pace = Pace::new(SLOWEST);
    while first(&mut accesses).await.is_some() {
        let have = orders.borrow().as_ref().map(|d| d.revision);
        let answer = calls.post("/host/v1/desired", &Ask { have }, LIMIT, MAX_DESIRED).await;
        match answer {
            Ok(None) => pace.succeeded(),
            Ok(Some(desired)) => {
                pace.succeeded();
                take(desired, &kept, &orders);
            }
            Err(error) => {
                tracing::debug!("what to run is not known: {:#}", anyhow::Error::new(error));
                pace.failed().await;
            }
        }
    }
}

fn take(desired: Desired, kept: &Kept, orders: &watch::Sender<Option<Arc<Desired>>>) {
    if orders.borrow().as_ref().is_some_and(|d| d.revision == desired.revision) {
        return;
    }
    tracing::info!(revision = %desired.revision, releases = desired.releases.len(), "new orders");
    // On a full disk it is carried out all the same: only a restart without the provisioner would go back.
    if let Err(error) = kept.save(&desired) {
        tracing::warn!(%error, "the orders cannot be kept");
    }
    orders.send_replace(Some(Arc::new(desired)));
}
