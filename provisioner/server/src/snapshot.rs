//! What boots what, as of the last change: boot services read it and never wait.

use std::{
    borrow::Cow,
    collections::HashMap,
    hash::Hash,
    sync::{Arc, PoisonError, RwLock},
};

use cairn_contract::Mac;
use cairn_domain::{State, boot};
use cairn_netboot::{BootAnswer, BootClient, BootFiles, Directory, DiskWay};
use cairn_store::{KeySource, ReadError, Standing, Store};
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

impl Snapshot {
    /// Where several hosts have one address or UUID, the one that the store's own search would take.
    fn of(hosts: Vec<Standing>) -> Self {
        let (mut by_mac, mut by_uuid) = (HashMap::new(), HashMap::new());
        for Standing { state, macs, uuids, .. } in hosts {
            macs.into_iter().for_each(|(mac, source)| place(&mut by_mac, mac, source, &state));
            uuids.into_iter().for_each(|(uuid, source)| place(&mut by_uuid, uuid, source, &state));
        }
        Self { by_mac: states(by_mac), by_uuid: states(by_uuid), installer: None }
    }
}

/// Hosts come oldest first, and the first of equals stays.
fn place<K: Eq + Hash>(map: &mut HashMap<K, (KeySource, State)>, key: K, source: KeySource, state: &State) {
    let new = || (source, state.clone());
    let held = map.entry(key).or_insert_with(new);
    if source.rank(state) < held.0.rank(&held.1) {
        *held = new();
    }
}

fn states<K: Eq + Hash>(map: HashMap<K, (KeySource, State)>) -> HashMap<K, State> {
    map.into_iter().map(|(key, (_, state))| (key, state)).collect()
}

impl Current {
    /// Reads the store again.
    pub(crate) async fn refresh(&self, store: &Store, installer: Option<String>) -> Result<(), ReadError> {
        let next = Snapshot { installer, ..Snapshot::of(store.all_states().await?) };
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

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_contract::HostId;
    use cairn_domain::Why;

    fn host(name: &str, state: State, source: KeySource) -> Standing {
        let macs = vec![(Mac([2; 6]), source)];
        Standing { id: HostId(uuid::Uuid::nil()), name: name.into(), state, macs, uuids: Vec::new() }
    }

    #[test]
    fn a_quarantined_machine_with_a_hosts_address_does_not_take_its_boot() {
        let thief = || {
            let why = Why::OtherTpm("edge-1".into());
            host("thief", State::Quarantined { why }, KeySource::Boot)
        };
        for source in [KeySource::Spec, KeySource::Inventory, KeySource::Boot] {
            let own = || host("edge-1", State::Registered, source);
            for hosts in [vec![own(), thief()], vec![thief(), own()]] {
                assert_eq!(Snapshot::of(hosts).by_mac[&Mac([2; 6])], State::Registered, "{source:?}");
            }
        }
    }
}
