//! The registry behind a plain HTTP server: what stands beside the peers.

use std::{convert::Infallible, path::Path};

use anyhow::{Context as _, Result};
use cairn_registry::{Limits, Registry, RepositoryName};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::TcpListener, task::JoinSet};

/// Serves until it is killed; the port is the first line that it prints.
pub(crate) fn run(folder: &Path) -> Result<()> {
    let registry = Registry::open(folder, Limits::default())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen")?;
        announce(listener.local_addr()?.port());
        serve(registry, listener).await
    })
}

#[allow(clippy::print_stdout, reason = "the bench reads it")]
fn announce(port: u16) {
    println!("{port}");
}

async fn serve(registry: Registry, listener: TcpListener) -> Result<()> {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let registry = registry.clone();
        let service = service_fn(move |request| {
            let registry = registry.clone();
            let anybody = |_: &RepositoryName, _| true;
            async move { Ok::<_, Infallible>(registry.handle(&anybody, request).await) }
        });
        connections.spawn(async move {
            let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            drop(server.serve_connection(TokioIo::new(stream), service).await);
        });
    }
}
