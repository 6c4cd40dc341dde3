//! Deadlines, effects and reactions are the duty of one provisioner at a time. Alone on its database, it is always this one;
//! of several, the one with the lease. A leader that cannot renew stops before another may begin.

use std::sync::atomic::Ordering;
use std::time::Duration;

use cairn_contract::Timestamp;
use cairn_store::{Duty, Sharing, Taken};
use tokio_util::sync::CancellationToken;

use crate::{Driver, run::chain};

/// Name of the lease.
const DUTY: &str = "driver";
/// Seconds that a lease lasts: the longest that deadlines stand still when a provisioner dies.
const LEASE_S: u32 = 10;
/// Between renewals.
const RENEW: Duration = Duration::from_secs(3);
/// Milliseconds that the clocks of two provisioners may differ.
const MARGIN: i64 = 2000;

impl Driver {
    /// Whether the duty is this provisioner's now.
    pub fn leads(&self) -> bool {
        self.now().0 < self.leads_until.load(Ordering::Relaxed)
    }

    /// Takes the duty when it is free and keeps it, until `stop`.
    pub(crate) async fn lead(&self, stop: &CancellationToken) {
        if self.store.sharing() == Sharing::Alone {
            self.leads_until.store(i64::MAX, Ordering::Relaxed);
            return stop.cancelled().await;
        }
        loop {
            let until = self.now().after_seconds(LEASE_S);
            self.renew(until).await;
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(RENEW) => {}
            }
        }
        self.leads_until.store(0, Ordering::Relaxed);
        if let Err(error) = self.store.release_duty(DUTY, &self.name).await {
            tracing::warn!(error = chain(&error), "the duty is not given up; it runs out by itself");
        }
    }

    async fn renew(&self, until: Timestamp) {
        let led = self.leads();
        let duty = Duty { holder: self.name.clone(), until };
        match self.store.take_duty(DUTY, &duty, self.now()).await {
            Ok(Taken::Yes) => {
                self.leads_until.store(until.0.saturating_sub(MARGIN), Ordering::Relaxed);
                if !led {
                    tracing::info!(provisioner = self.name, "this provisioner leads now");
                }
            }
            Ok(Taken::No) => self.leads_until.store(0, Ordering::Relaxed),
            Err(error) => tracing::error!(error = chain(&error), "cannot renew the duty to lead"),
        }
    }
}
