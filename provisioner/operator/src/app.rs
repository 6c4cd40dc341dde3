//! What all handlers share, and the limits they keep.

use std::{ops::Deref, sync::Arc, time::Duration};

use cairn_store::{Reporter, Store};
use tokio::{sync::Semaphore, time::Instant};

use crate::{auth::Auth, status::Warnings, uploads::Uploads};

/// Bounds of the operator side; the defaults fit one site.
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
    /// Open watches at once.
    pub watches: usize,
    /// A watch ends after it, and the client resumes: so a session's end is felt.
    pub watch_lifetime: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request: Duration::from_secs(20),
            upload_bytes: 32 << 30,
            upload_idle: Duration::from_secs(30),
            uploads: 2,
            watches: 128,
            watch_lifetime: Duration::from_secs(15 * 60),
        }
    }
}

/// Shared by all handlers; cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) reporter: Arc<dyn Reporter>,
    pub(crate) bundles: Arc<dyn Uploads>,
    pub(crate) auth: Auth,
    pub(crate) warnings: Warnings,
    pub(crate) limits: Limits,
    pub(crate) started: Instant,
    pub(crate) uploads: Arc<Semaphore>,
    pub(crate) watches: Arc<Semaphore>,
}

impl App {
    pub(crate) fn new(
        store: Store,
        reporter: Arc<dyn Reporter>,
        bundles: Arc<dyn Uploads>,
        token_sha256: [u8; 32],
        limits: Limits,
    ) -> Self {
        Self(Arc::new(Inner {
            store,
            reporter,
            bundles,
            auth: Auth::new(token_sha256),
            warnings: Warnings::default(),
            limits,
            started: Instant::now(),
            uploads: Arc::new(Semaphore::new(limits.uploads)),
            watches: Arc::new(Semaphore::new(limits.watches)),
        }))
    }
}

impl Deref for App {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}
