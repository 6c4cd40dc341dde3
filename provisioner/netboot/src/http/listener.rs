//! Plain HTTP/1.x on its own port, with limits for each client and in total.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::handler::BootHttp;
use super::stall::Stall;
use crate::Parts;
use crate::event::{BootEvent, Service, What};

/// Bounds of the listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections in total.
    pub connections: usize,
    /// Connections from one address.
    pub per_client: usize,
    /// Time for a request's headers, and for the next request on a kept connection.
    pub headers: Duration,
    /// Longest silence of a client while it takes a file.
    pub silence: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            per_client: 16,
            headers: Duration::from_secs(30),
            silence: Duration::from_secs(60),
        }
    }
}

/// What the listener is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// Address and port.
    pub listen: SocketAddr,
    /// Bounds.
    pub limits: Limits,
}

/// Why the listener cannot start.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The port cannot be had.
    #[error("cannot listen for HTTP on {addr}")]
    Listen {
        /// Address.
        addr: SocketAddr,
        /// Cause.
        #[source]
        source: io::Error,
    },
}

/// Why the listener ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// No connection can be accepted any more.
    #[error("the HTTP socket failed")]
    Accept(#[source] io::Error),
}

/// A bound listener.
#[derive(Debug)]
pub struct Http {
    listener: TcpListener,
    limits: Limits,
    parts: Parts,
    open: Arc<Open>,
}

impl Config {
    /// Takes the port.
    ///
    /// # Errors
    /// [`BindError`].
    pub async fn bind(self, parts: Parts) -> Result<Http, BindError> {
        let listener = TcpListener::bind(self.listen)
            .await
            .map_err(|source| BindError::Listen { addr: self.listen, source })?;
        Ok(Http { listener, limits: self.limits, parts, open: Arc::default() })
    }
}

impl Http {
    /// The address it listens on.
    ///
    /// # Errors
    /// When the socket cannot say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop`; open transfers are then cut, because firmware asks again.
    ///
    /// # Errors
    /// [`ServeError`] when no connection can be accepted any more.
    pub async fn run(self, stop: CancellationToken) -> Result<(), ServeError> {
        let handler = BootHttp::new(self.parts.clone());
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                Some(_) = connections.join_next() => {}
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) => self.admit(stream, peer, &handler, &mut connections),
                    Err(error) if is_passing(&error) => tokio::time::sleep(Duration::from_millis(100)).await,
                    Err(error) => return Err(ServeError::Accept(error)),
                },
            }
        }
    }

    fn admit(&self, stream: TcpStream, peer: SocketAddr, handler: &BootHttp, connections: &mut JoinSet<()>) {
        let Some(place) = Open::take(&self.open, peer.ip(), &self.limits) else {
            let who = self.parts.neighbours.who(peer.ip());
            let what = What::Busy { service: Service::Http, limit: "connections" };
            self.parts.observer.observe(BootEvent { who, what });
            return;
        };
        let (handler, limits) = (handler.clone(), self.limits);
        connections.spawn(async move {
            let _place = place;
            serve(stream, peer, handler, limits).await;
        });
    }
}

async fn serve(stream: TcpStream, peer: SocketAddr, handler: BootHttp, limits: Limits) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "no TCP_NODELAY");
    }
    let io = TokioIo::new(Stall::new(stream, limits.silence));
    let service = service_fn(|request| {
        let handler = handler.clone();
        async move { Ok::<_, Infallible>(handler.handle(request, peer).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.headers)
        .max_buf_size(64 * 1024)
        .serve_connection(io, service);
    // EDK2 resets the connection after its GET and iPXE closes it: an end is not an error here. What was cut short is
    // reported by the body.
    if let Err(error) = connection.await {
        tracing::debug!(%peer, %error, "HTTP connection ended");
    }
}

/// Errors of `accept` that concern one connection or a shortage that passes.
fn is_passing(error: &io::Error) -> bool {
    use nix::libc;
    let connection =
        matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset);
    let shortage = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM];
    connection || error.raw_os_error().is_some_and(|code| shortage.contains(&code))
}

/// Connections that are open, by client.
#[derive(Debug, Default)]
struct Open(Mutex<HashMap<IpAddr, usize>>);

/// One connection's place; given back when dropped.
struct Place {
    open: Arc<Open>,
    peer: IpAddr,
}

impl Open {
    fn take(open: &Arc<Self>, peer: IpAddr, limits: &Limits) -> Option<Place> {
        let mut map = open.0.lock().unwrap_or_else(PoisonError::into_inner);
        let total: usize = map.values().sum();
        let own = map.get(&peer).copied().unwrap_or(0);
        if total >= limits.connections || own >= limits.per_client {
            return None;
        }
        map.insert(peer, own.saturating_add(1));
        Some(Place { open: Arc::clone(open), peer })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut map = self.open.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = map.get_mut(&self.peer) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                map.remove(&self.peer);
            }
        }
    }
}
