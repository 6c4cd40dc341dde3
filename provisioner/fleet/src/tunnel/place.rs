//! At which of several provisioners a host's tunnel ends: a lease in the database that they share. With SQLite there is one
//! provisioner, and nothing is written.

use std::{sync::Arc, time::Duration};

use cairn_contract::HostId;
use cairn_store::{Clock, Duty, Sharing, Store, Taken};
use tokio::time::sleep;

/// Between two renewals.
const RENEWED_EVERY: Duration = Duration::from_secs(60);
/// A provisioner that was killed is believed for so long.
const LEASE_S: u32 = 150;

#[derive(Debug)]
pub(super) struct Places {
    store: Store,
    name: String,
    clock: Arc<dyn Clock>,
}

impl Places {
    pub(super) fn new(store: Store, name: String, clock: Arc<dyn Clock>) -> Self {
        Self { store, name, clock }
    }

    /// Says where the host's tunnel is as long as it is here; never done.
    pub(super) async fn keep(&self, host: HostId) {
        if self.store.sharing() == Sharing::Alone {
            return std::future::pending().await;
        }
        loop {
            // Without the database the tunnel works all the same; only others do not know of it.
            if let Err(error) = self.take(host).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "cannot note where a host's tunnel is"
                );
            }
            sleep(RENEWED_EVERY).await;
        }
    }

    async fn take(&self, host: HostId) -> Result<(), cairn_store::WriteError> {
        let (name, now) = (duty_of(host), self.clock.now());
        let duty = Duty { holder: self.name.clone(), until: now.after_seconds(LEASE_S) };
        if self.store.take_duty(&name, &duty, now).await? == Taken::No
            && let Ok(Some(other)) = self.store.duty(&name).await
        {
            // The host has one tunnel, and it came here last.
            self.store.release_duty(&name, &other.holder).await?;
            self.store.take_duty(&name, &duty, now).await?;
        }
        Ok(())
    }

    /// Says that it is here no more, unless there is another.
    pub(super) async fn leave(&self, host: HostId, stays: impl FnOnce() -> bool) {
        if self.store.sharing() == Sharing::Alone || stays() {
            return;
        }
        if let Err(error) = self.store.release_duty(&duty_of(host), &self.name).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "cannot note that a host's tunnel ended"
            );
        }
    }

    /// Which other provisioner has it.
    pub(super) async fn elsewhere(&self, host: HostId) -> Option<String> {
        if self.store.sharing() == Sharing::Alone {
            return None;
        }
        let duty = self.store.duty(&duty_of(host)).await.ok()??;
        (duty.until > self.clock.now() && duty.holder != self.name).then_some(duty.holder)
    }
}

fn duty_of(host: HostId) -> String {
    format!("tunnel/{host}")
}
