//! A real server over TLS on loopback: the operator's router with a real store and driver.
#![allow(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod tls;

use std::{net::SocketAddr, sync::Arc};

use cairn_contract::Digest;
use cairn_domain::{Effect, Policy};
use cairn_driver::{Driver, Execute, ExecuteError};
use cairn_operator::{Added, BundleKind, Chunks, Limits, UploadError, Uploads};
use cairn_store::{Store, SystemClock};
use futures_util::{StreamExt as _, future::BoxFuture};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

pub(crate) const TOKEN: &str = "0123456789abcdef";

pub(crate) struct Site {
    pub(crate) addr: SocketAddr,
    /// PEM.
    pub(crate) ca: String,
    pub(crate) store: Store,
    _tasks: JoinSet<()>,
    _dir: tempfile::TempDir,
}

/// There are no connections to end in these tests.
#[derive(Debug)]
struct NoHosts;

impl Execute for NoHosts {
    fn execute(&self, _: Effect) -> BoxFuture<'_, Result<(), ExecuteError>> {
        Box::pin(async { Ok(()) })
    }
}

/// Reads a bundle to its end and tells its digest: keeping it is not these tests' matter.
struct Reader;

impl Uploads for Reader {
    fn add(&self, mut chunks: Chunks) -> BoxFuture<'_, Result<Added, UploadError>> {
        Box::pin(async move {
            let mut all = Vec::new();
            while let Some(chunk) = chunks.next().await {
                all.extend_from_slice(&chunk.map_err(UploadError::Broken)?);
            }
            if !all.starts_with(b"bundle") {
                return Err(UploadError::Malformed("it does not begin with its mark".into()));
            }
            let (name, size) = ("tiny".to_owned(), all.len() as u64);
            Ok(Added { kind: BundleKind::Image, name, version: "1".into(), size, sha256: Digest::of(&all) })
        })
    }
}

pub(crate) async fn site() -> Site {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (listener, ca) = tls::Tls::new(listener);
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let clock = Arc::new(SystemClock);
    let driver = Arc::new(Driver::new(store.clone(), Arc::new(Policy::default()), clock, Arc::new(NoHosts)));
    let token = Digest::of(TOKEN.as_bytes()).0;
    let router =
        cairn_operator::router(store.clone(), driver.clone(), Arc::new(Reader), token, Limits::default());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { driver.run(CancellationToken::new()).await });
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    Site { addr, ca, store, _tasks: tasks, _dir: dir }
}
