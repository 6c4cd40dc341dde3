//! What boots what, as of the last change: boot services read it and never wait.

use std::{
    borrow::Cow,
    collections::HashMap,
    hash::Hash,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use cairn_contract::{HostId, Mac};
use cairn_domain::{
    State, boot,
    model::Network,
    policies::{self, Defaults},
};
use cairn_netboot::{BootAnswer, BootClient, BootFiles, Directory, DiskWay};
use cairn_store::{Catalog, KeySource, ReadError, Sharing, Standing, Store};
use tokio_util::sync::CancellationToken;

/// The database failed: it is read again after this.
const AGAIN: Duration = Duration::from_secs(1);

/// Between two looks for what another provisioner got.
const LOOK: Duration = Duration::from_secs(10);

/// What decides a boot.
#[derive(Debug, Clone, PartialEq)]
struct Held {
    state: State,
    network: Network,
}

#[derive(Default)]
struct Snapshot {
    by_mac: HashMap<Mac, Held>,
    by_uuid: HashMap<String, Held>,
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
        let held = by_mac.or_else(|| now.by_uuid.get(&client.uuid?.to_string()));
        let network = held.map_or(Network::Allow, |h| h.network);
        match (boot::answer(held.map(|h| &h.state), network), &now.installer) {
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
    fn of(hosts: Vec<Standing>, network: impl Fn(HostId) -> Network) -> Self {
        let (mut by_mac, mut by_uuid) = (HashMap::new(), HashMap::new());
        for Standing { id, state, macs, uuids, .. } in hosts {
            let held = Held { state, network: network(id) };
            macs.into_iter().for_each(|(mac, source)| place(&mut by_mac, mac, source, &held));
            uuids.into_iter().for_each(|(uuid, source)| place(&mut by_uuid, uuid, source, &held));
        }
        Self { by_mac: best(by_mac), by_uuid: best(by_uuid), installer: None }
    }
}

/// Hosts come oldest first, and the first of equals stays.
fn place<K: Eq + Hash>(map: &mut HashMap<K, (KeySource, Held)>, key: K, source: KeySource, own: &Held) {
    let new = || (source, own.clone());
    let held = map.entry(key).or_insert_with(new);
    if source.rank(&own.state) < held.0.rank(&held.1.state) {
        *held = new();
    }
}

fn best<K: Eq + Hash>(map: HashMap<K, (KeySource, Held)>) -> HashMap<K, Held> {
    map.into_iter().map(|(key, (_, held))| (key, held)).collect()
}

impl Current {
    /// Reads the store again.
    pub(crate) async fn refresh(&self, what: &Read, installer: Option<String>) -> Result<(), ReadError> {
        let hosts = what.store.all_states().await?;
        // The index host by host: held for all, it would keep the follower waiting, and everybody behind it.
        let network =
            |host: HostId| policies::effective(&what.catalog.index(), host.into(), &what.defaults).network;
        let next = Snapshot { installer, ..Snapshot::of(hosts, network) };
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        Ok(())
    }
}

/// What a snapshot is made from.
#[derive(Debug, Clone)]
pub(crate) struct Read {
    pub(crate) store: Store,
    pub(crate) catalog: Catalog,
    pub(crate) defaults: Arc<Defaults>,
}

/// Follows the store until stopped. A large site is read again less often: for at most a fifth of the time.
pub(crate) async fn follow(
    boot: Arc<crate::boot_files::BootShelf>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut hosts = boot.read.store.hosts_changed();
    let mut resources = boot.read.catalog.revisions();
    loop {
        hosts.mark_unchanged();
        resources.mark_unchanged();
        let began = tokio::time::Instant::now();
        let pause = match boot.refresh().await {
            Ok(()) => began.elapsed() * 4,
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "boot services keep their last snapshot"
                );
                // The change that woke this has not been read yet, and no other may follow.
                hosts.mark_changed();
                AGAIN
            }
        };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            alive = hosts.changed() => alive?,
            alive = resources.changed() => alive?,
            () = elsewhere(&boot.read.store) => {}
        }
    }
}

/// Another provisioner may have got an installer: no resource changes with it.
async fn elsewhere(store: &Store) {
    match store.sharing() {
        Sharing::Alone => std::future::pending().await,
        Sharing::Shared => tokio::time::sleep(LOOK).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
                assert_eq!(
                    Snapshot::of(hosts, |_| Network::Allow).by_mac[&Mac([2; 6])].state,
                    State::Registered,
                    "{source:?}"
                );
            }
        }
    }
}
