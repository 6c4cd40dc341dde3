//! Which hosts have a tunnel here, and streams to them ([`cairn_tunnel`] is the wire).
//!
//! ```text
//!  server: 101 to a host's GET /host/v1/tunnel --serve--> held until it ends, another of the host takes its place, or its leash
//!  operator: stream to host X                  --open---> cairn_tunnel::Stream with its place among the host's and all streams
//! ```
//! With several provisioners on one database a tunnel ends at one of them. The others say which one that is ([`place`]): forwarding
//! is a later matter. Not here: who may ask for what (the operator side), HTTP on the streams.

mod cluster;
mod place;
mod stream;

pub use stream::HostStream;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use cairn_contract::{HostId, workload::tunnel::Open};
use cairn_domain::model::Uid;
use cairn_store::{Clock, ReadError, Store};
use cairn_tunnel::{OpenError, Opener};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Semaphore,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use place::Places;

/// Streams of all hosts at once.
const MOST_STREAMS: usize = 4096;
/// The database says within this where a host's tunnel is, or it is said that there is none.
const LOOK: Duration = Duration::from_secs(3);
/// A cluster's control plane stays where it is; a new one is found after this.
const REMEMBERED: Duration = Duration::from_secs(10);

/// Why there is no stream.
#[derive(Debug, thiserror::Error)]
pub enum TunnelError {
    /// No tunnel anywhere.
    #[error(
        "the host is not connected: its agent dials again within a minute when the host runs and reaches this site"
    )]
    NotConnected,
    /// The tunnel is another provisioner's.
    #[error("the host is connected to the provisioner {0}; ask that one")]
    Elsewhere(String),
    /// So many streams are open that no more are opened.
    #[error("this provisioner has {MOST_STREAMS} open streams already; close some, or try again later")]
    Busy,
    /// No host has the API server of this cluster yet.
    #[error("the cluster has no control plane yet; see how far it is: cairn describe cluster NAME")]
    NoControlPlane,
    /// The tunnel is there, the stream is not.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Finding the control plane.
    #[error("cannot look up the cluster's control plane")]
    Read(#[from] ReadError),
}

/// The tunnels that end here.
#[derive(Debug)]
pub struct Tunnels {
    store: Store,
    places: Places,
    held: Mutex<Held>,
    clusters: Mutex<HashMap<Uid, (HostId, Instant)>>,
    room: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Held {
    last: u64,
    by_host: HashMap<HostId, Tunnel>,
}

#[derive(Debug, Clone)]
struct Tunnel {
    number: u64,
    opener: Opener,
    replaced: CancellationToken,
}

impl Tunnels {
    /// `name`: what other provisioners tell people of this one, such as its address and port.
    pub fn new(store: Store, name: String, clock: Arc<dyn Clock>) -> Self {
        Self {
            places: Places::new(store.clone(), name, clock),
            store,
            held: Mutex::default(),
            clusters: Mutex::default(),
            room: Arc::new(Semaphore::new(MOST_STREAMS)),
        }
    }

    /// Holds the tunnel of a proven host until it ends. Dropped, it cuts every stream: the caller drops it when the host loses its
    /// standing.
    pub async fn serve<S: AsyncRead + AsyncWrite + Unpin>(&self, host: HostId, socket: S) {
        let (opener, hub) = cairn_tunnel::hub(socket).await;
        let holding = self.hold(host, opener);
        tracing::info!(host.id = %host, "the host's tunnel is open");
        tokio::select! {
            ended = hub.run() => match ended {
                Ok(()) => tracing::info!(host.id = %host, "the host closed its tunnel"),
                Err(error) => {
                    tracing::info!(host.id = %host, error = &error as &dyn std::error::Error, "the host's tunnel broke");
                }
            },
            () = holding.tunnel.replaced.cancelled() => {
                tracing::info!(host.id = %host, "another tunnel of the host took this one's place");
            }
            () = self.places.keep(host) => {}
        }
        drop(holding);
        self.places.leave(host, || self.has(host)).await;
    }

    /// Whether the host's tunnel ends here.
    pub fn has(&self, host: HostId) -> bool {
        self.held().by_host.get(&host).is_some_and(|t| !t.opener.is_gone())
    }

    /// Opens a stream to a host.
    ///
    /// # Errors
    /// [`TunnelError`], in words for people.
    pub async fn open(&self, host: HostId, open: &Open) -> Result<HostStream, TunnelError> {
        let opener = self.held().by_host.get(&host).map(|t| t.opener.clone());
        let Some(opener) = opener.filter(|o| !o.is_gone()) else { return Err(self.absent(host).await) };
        let room = Arc::clone(&self.room).try_acquire_owned().map_err(|_| TunnelError::Busy)?;
        match opener.open(open).await {
            Ok((stream, place)) => Ok(HostStream::new(stream, [place, room])),
            Err(OpenError::Gone) => Err(TunnelError::NotConnected),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens a stream to the API server of a cluster, for requests as `user` in `groups`.
    ///
    /// # Errors
    /// [`TunnelError`].
    pub async fn open_api_server(
        &self,
        cluster: Uid,
        user: String,
        groups: Vec<String>,
    ) -> Result<HostStream, TunnelError> {
        let host = self.control_plane(cluster).await?;
        self.open(host, &Open::ApiServer { cluster: cluster.0, user, groups }).await
    }

    async fn control_plane(&self, cluster: Uid) -> Result<HostId, TunnelError> {
        let known = self.clusters().get(&cluster).copied();
        if let Some((host, until)) = known
            && Instant::now() < until
        {
            return Ok(host);
        }
        let host = cluster::control_plane(&self.store, cluster).await?.ok_or(TunnelError::NoControlPlane)?;
        let mut clusters = self.clusters();
        clusters.retain(|_, (_, until)| Instant::now() < *until);
        clusters.insert(cluster, (host, Instant::now() + REMEMBERED));
        Ok(host)
    }

    async fn absent(&self, host: HostId) -> TunnelError {
        match timeout(LOOK, self.places.elsewhere(host)).await {
            Ok(Some(name)) => TunnelError::Elsewhere(name),
            Ok(None) | Err(_) => TunnelError::NotConnected,
        }
    }

    fn hold(&self, host: HostId, opener: Opener) -> Holding<'_> {
        let mut held = self.held();
        held.last = held.last.wrapping_add(1);
        let tunnel = Tunnel { number: held.last, opener, replaced: CancellationToken::new() };
        if let Some(before) = held.by_host.insert(host, tunnel.clone()) {
            before.replaced.cancel();
        }
        Holding { tunnels: self, host, tunnel }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn clusters(&self) -> MutexGuard<'_, HashMap<Uid, (HostId, Instant)>> {
        self.clusters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets a tunnel when it ends, however it ends; not the one that took its place.
struct Holding<'a> {
    tunnels: &'a Tunnels,
    host: HostId,
    tunnel: Tunnel,
}

impl Drop for Holding<'_> {
    fn drop(&mut self) {
        let mut held = self.tunnels.held();
        if held.by_host.get(&self.host).is_some_and(|t| t.number == self.tunnel.number) {
            held.by_host.remove(&self.host);
        }
    }
}
