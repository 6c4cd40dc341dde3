//! What all handlers share, and the limits they keep.

use std::{fmt, ops::Deref, sync::Arc, time::Duration};

use cairn_domain::{
    access::{self, Grants, Sight},
    index::Index,
    policies::Defaults,
};
use cairn_store::{Catalog, Reporter, Store};
use tokio::{
    sync::{Mutex, Semaphore},
    time::Instant,
};

use crate::{
    auth::{Auth, AuthSettings, Caller},
    backups::Backups,
    clusters::Tunnels,
    images::Images,
    limit::Buckets,
    refusal::Refusals,
    replay::UnderWay,
    status::Warnings,
    uploads::Uploads,
};

/// Bounds of the operator side; the defaults fit ten thousand hosts.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// One request, uploads and watches excepted.
    pub request: Duration,
    /// Bytes of a bundle.
    pub upload_bytes: u64,
    /// Between two chunks of an upload.
    pub upload_idle: Duration,
    /// Uploads at once.
    pub uploads: usize,
    /// Open watches at once; one principal may have half of them.
    pub watches: usize,
    /// A watch ends after it, and the client resumes.
    pub watch_lifetime: Duration,
    /// Requests a second of one user, token or (before a login) address, in the long run.
    pub rate: u32,
    /// Requests that it may make at once.
    pub burst: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request: Duration::from_secs(20),
            upload_bytes: 32 << 30,
            upload_idle: Duration::from_secs(30),
            uploads: 2,
            watches: 4096,
            watch_lifetime: Duration::from_secs(15 * 60),
            rate: 200,
            burst: 1000,
        }
    }
}

/// What the operator side works with.
pub struct Services {
    /// Records, history, blobs.
    pub store: Store,
    /// All resources in memory; somebody runs its `follow`.
    pub catalog: Catalog,
    /// The driver.
    pub reporter: Arc<dyn Reporter>,
    /// Takes bundles.
    pub uploads: Arc<dyn Uploads>,
    /// How people come in.
    pub auth: AuthSettings,
    /// What the appliance says where no policy does.
    pub defaults: Arc<Defaults>,
    /// Bounds.
    pub limits: Limits,
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Services").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// What a site may do without.
#[derive(Default)]
pub struct Beyond {
    /// Takes and lists backups.
    pub backups: Option<Arc<dyn Backups>>,
    /// Reaches into hosts.
    pub tunnels: Option<Arc<dyn Tunnels>>,
    /// Keeps images and packages.
    pub images: Option<Arc<dyn Images>>,
}

impl fmt::Debug for Beyond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (backups, tunnels) = (self.backups.is_some(), self.tunnels.is_some());
        let mut beyond = f.debug_struct("Beyond");
        beyond.field("backups", &backups).field("tunnels", &tunnels);
        beyond.field("images", &self.images.is_some()).finish()
    }
}

/// Shared by all handlers; cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) catalog: Catalog,
    pub(crate) reporter: Arc<dyn Reporter>,
    pub(crate) bundles: Arc<dyn Uploads>,
    pub(crate) backups: Option<Arc<dyn Backups>>,
    pub(crate) auth: Auth,
    pub(crate) defaults: Arc<Defaults>,
    pub(crate) warnings: Warnings,
    pub(crate) refusals: Refusals,
    pub(crate) buckets: Buckets,
    pub(crate) under_way: UnderWay,
    pub(crate) told: crate::watch::Told,
    /// Writes that others were quicker than stand in line.
    pub(crate) turns: Mutex<()>,
    pub(crate) limits: Limits,
    pub(crate) started: Instant,
    pub(crate) uploads: Arc<Semaphore>,
    pub(crate) watches: crate::watch::Watches,
    pub(crate) tunnels: Option<Arc<dyn Tunnels>>,
    pub(crate) images: Option<Arc<dyn Images>>,
    pub(crate) opened: crate::clusters::Opened,
    pub(crate) carried: crate::clusters::Carried,
}

/// The tree of one moment, as one caller may see it.
#[derive(Debug)]
pub(crate) struct View<'a> {
    pub(crate) index: &'a Index,
    pub(crate) grants: &'a Grants,
    pub(crate) sight: Sight<'a>,
}

impl App {
    pub(crate) fn new(services: Services, beyond: Beyond) -> Self {
        let Services { store, catalog, reporter, uploads: bundles, auth, defaults, limits } = services;
        Self(Arc::new(Inner {
            store,
            catalog,
            reporter,
            bundles,
            backups: beyond.backups,
            auth: Auth::new(auth),
            defaults,
            warnings: Warnings::default(),
            refusals: Refusals::default(),
            buckets: Buckets::default(),
            under_way: UnderWay::default(),
            told: crate::watch::Told::default(),
            turns: Mutex::default(),
            limits,
            started: Instant::now(),
            uploads: Arc::new(Semaphore::new(limits.uploads)),
            watches: crate::watch::Watches::default(),
            tunnels: beyond.tunnels,
            images: beyond.images,
            opened: crate::clusters::Opened::default(),
            carried: crate::clusters::Carried::default(),
        }))
    }

    /// Reads the tree as it is now. Short: nothing is applied meanwhile.
    pub(crate) fn read<R>(&self, read: impl FnOnce(&Index) -> R) -> R {
        read(&self.catalog.index())
    }

    /// The same, with what `caller` may do.
    pub(crate) fn view<R>(&self, caller: &Caller, read: impl FnOnce(&View<'_>) -> R) -> R {
        self.read(|index| {
            let grants = access::grants(index, &caller.principal);
            let sight = grants.over(index);
            read(&View { index, grants: &grants, sight })
        })
    }
}

impl Deref for App {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}
