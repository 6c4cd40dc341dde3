//! What boots what, as of the last change: boot services read it and never wait.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use cairn_contract::Mac;
use cairn_domain::{State, boot};
use cairn_netboot::{BootAnswer, BootClient, BootFiles, Directory, DiskWay};
use cairn_store::{ReadError, Store};
use tokio_util::sync::CancellationToken;

#[derive(Default)]
struct Snapshot {
    by_mac: HashMap<Mac, State>,
    by_uuid: HashMap<String, State>,
    /// Kernel command line of the installer that is served; absent: there is none.
    installer: Option<String>,
}

/// The last snapshot, replaced as a whole.
#[derive(Default)]
pub(crate) struct Current(RwLock<Arc<Snapshot>>);

impl Directory for Current {
    fn answer(&self, client: &BootClient) -> BootAnswer {
        let now = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        let by_mac = client.mac.and_then(|mac| now.by_mac.get(&Mac(mac.0)));
        let state = by_mac.or_else(|| now.by_uuid.get(&client.uuid?.to_string()));
        match (boot::answer(state), &now.installer) {
            (boot::Answer::Installer, Some(cmdline)) => {
                BootAnswer::Installer(BootFiles::usual(cmdline.clone()))
            }
            (boot::Answer::Installer, None) => {
                BootAnswer::AddressOnly(Cow::Borrowed("this site has no installer yet: cairn image add FILE"))
            }
            (boot::Answer::LocalDisk, _) => BootAnswer::LocalDisk(DiskWay::default()),
            (boot::Answer::AddressOnly(why), _) => BootAnswer::AddressOnly(Cow::Owned(why.to_string())),
        }
    }
}

impl Current {
    /// Reads the store again.
    pub(crate) async fn refresh(&self, store: &Store, installer: Option<String>) -> Result<(), ReadError> {
        let mut next = Snapshot { installer, ..Snapshot::default() };
        for host in store.all_states().await? {
            for (mac, _) in host.macs {
                next.by_mac.insert(mac, host.state.clone());
            }
            for (uuid, _) in host.uuids {
                next.by_uuid.insert(uuid, host.state.clone());
            }
        }
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        Ok(())
    }
}

/// Follows the store until stopped.
pub(crate) async fn follow(
    boot: Arc<crate::boot_files::BootShelf>,
    store: Store,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut changed = store.hosts_changed();
    loop {
        if let Err(error) = boot.refresh(&store).await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "boot services keep their last snapshot"
            );
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            alive = changed.changed() => alive?,
        }
    }
}
