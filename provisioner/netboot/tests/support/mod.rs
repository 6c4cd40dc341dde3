//! What the tests of boot services share: a directory by closure, an observer that records, a store in memory.
#![allow(dead_code, unused_imports, reason = "each test binary uses a part")]

#[path = "../../../netproto/tests/pcap/mod.rs"]
pub(crate) mod pcap;
#[path = "../../../netproto/tests/wire/mod.rs"]
pub(crate) mod wire;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cairn_contract::Timestamp;
use cairn_netboot::*;
use cairn_netproto::bootfile::Name;
use futures_util::future::BoxFuture;

/// A directory that is a function.
pub(crate) struct Says<F>(pub(crate) F);

impl<F: Fn(&BootClient) -> BootAnswer + Send + Sync> Directory for Says<F> {
    fn answer(&self, client: &BootClient) -> BootAnswer {
        (self.0)(client)
    }
}

/// Records all events.
#[derive(Default)]
pub(crate) struct Events(Mutex<Vec<BootEvent>>);

impl Observer for Events {
    fn observe(&self, event: BootEvent) {
        self.0.lock().unwrap().push(event);
    }
}

impl Events {
    /// All so far, as `code: words`.
    pub(crate) fn words(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|e| format!("{}: {}", e.what.code(), e.what)).collect()
    }

    pub(crate) fn all(&self) -> Vec<BootEvent> {
        self.0.lock().unwrap().clone()
    }

    /// Waits until an event's words contain the text.
    pub(crate) async fn wait_for(&self, text: &str) -> BootEvent {
        for _ in 0..500 {
            let found = self.0.lock().unwrap().iter().find(|e| e.what.to_string().contains(text)).cloned();
            if let Some(event) = found {
                return event;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no event says {text:?}: {:#?}", self.words());
    }
}

/// A store in memory that counts, and fails or waits on demand.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) records: Mutex<BTreeMap<Ipv4Addr, Record>>,
    pub(crate) commits: Mutex<u32>,
    pub(crate) broken: Mutex<bool>,
}

impl Memory {
    fn put(&self, address: Ipv4Addr, record: Option<Record>) -> BoxFuture<'_, Result<(), LeaseStoreError>> {
        let broken = *self.broken.lock().unwrap();
        if !broken {
            *self.commits.lock().unwrap() += 1;
            let mut records = self.records.lock().unwrap();
            match record {
                Some(record) => records.insert(address, record),
                None => records.remove(&address),
            };
        }
        Box::pin(async move { if broken { Err(LeaseStoreError("disk full".into())) } else { Ok(()) } })
    }
}

impl LeaseStore for Memory {
    fn load_all(&self) -> BoxFuture<'_, Result<Vec<Record>, LeaseStoreError>> {
        Box::pin(async { Ok(self.records.lock().unwrap().values().cloned().collect()) })
    }
    fn commit(&self, lease: Lease) -> BoxFuture<'_, Result<(), LeaseStoreError>> {
        self.put(lease.address, Some(Record::Leased(lease)))
    }
    fn release(&self, address: Ipv4Addr) -> BoxFuture<'_, Result<(), LeaseStoreError>> {
        self.put(address, None)
    }
    fn decline(&self, address: Ipv4Addr, until: Timestamp) -> BoxFuture<'_, Result<(), LeaseStoreError>> {
        self.put(address, Some(Record::Quarantined { address, until }))
    }
}

/// The clock of tests that do not depend on time.
pub(crate) fn noon() -> Timestamp {
    Timestamp(1_000_000_000)
}

/// Bytes that differ at each place.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| u8::try_from((at * 31 + at / 251) % 256).unwrap()).collect()
}

/// A shelf with the usual installer files in memory.
pub(crate) fn shelf() -> BTreeMap<Name, Blob> {
    let files = [("installer.efi", 300_000), ("vmlinuz", 5000), ("initrd", 7000)];
    files.into_iter().map(|(name, len)| (Name::new(name).unwrap(), Blob::memory(pattern(len)))).collect()
}

/// Parts over a site, with the observer that they tell.
pub(crate) fn parts(
    site: Site,
    answer: impl Fn(&BootClient) -> BootAnswer + Send + Sync + 'static,
) -> (Parts, Arc<Events>) {
    let events = Arc::new(Events::default());
    let parts = Parts {
        directory: Arc::new(Says(answer)),
        observer: Arc::clone(&events) as Arc<dyn Observer>,
        neighbours: Arc::default(),
        shelf: Arc::new(Shelf::new(shelf())),
        site: Arc::new(site),
        clock: noon,
    };
    (parts, events)
}

/// Everyone gets the installer.
pub(crate) fn installer(_: &BootClient) -> BootAnswer {
    BootAnswer::Installer(BootFiles::usual("console=ttyS0"))
}
