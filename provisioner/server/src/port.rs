//! The one TLS port: the ClientHello says who is talking, and each gets its own configuration and its own routes.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use axum::Router;
use cairn_netboot::{
    BootEvent, Neighbours, Observer, What,
    http::{BootHttp, Stall},
    tls::{self, Audience, Curves, DheGate},
};
use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use rustls::{ServerConfig, server::Acceptor};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};
use tokio_rustls::{LazyConfigAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;

use crate::{
    descriptors,
    host_side::{HostSide, Peer},
    places::{Place, Places},
};

const HANDSHAKE: Duration = Duration::from_secs(15);
/// Every host keeps one; fewer where the system lets the process open fewer.
const CONNECTIONS: usize = 16_384;
/// Of one address; a browser, or machines behind one router, need fewer.
const OF_ONE_ADDRESS: usize = 256;
/// Longest silence of a machine; agents speak every 10 s, and a slow TPM makes its keys in less.
const SILENCE: Duration = Duration::from_secs(120);
/// Longest silence towards people: the import of a large bundle is quiet.
const PEOPLE_SILENCE: Duration = Duration::from_secs(900);

/// Who gets which certificate and which demands.
pub(crate) struct Configs {
    pub(crate) firmware: Arc<ServerConfig>,
    pub(crate) firmware_without_curves: Arc<ServerConfig>,
    pub(crate) host: Arc<ServerConfig>,
    pub(crate) people: Arc<ServerConfig>,
}

impl Configs {
    fn of(&self, audience: Audience) -> Arc<ServerConfig> {
        Arc::clone(match audience {
            Audience::Firmware { curves: Curves::Has } => &self.firmware,
            Audience::Firmware { curves: Curves::None } => &self.firmware_without_curves,
            Audience::Host => &self.host,
            Audience::People => &self.people,
        })
    }
}

/// What is behind the port.
pub(crate) struct Port {
    pub(crate) configs: Configs,
    pub(crate) boot: BootHttp,
    pub(crate) hosts: HostSide,
    pub(crate) people: Router,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) neighbours: Arc<Neighbours>,
    pub(crate) gate: DheGate,
}

/// Serves until stopped.
pub(crate) async fn run(
    port: Arc<Port>,
    listener: TcpListener,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let room = Arc::new(Semaphore::new(descriptors::room(CONNECTIONS)));
    let places = Places::default();
    let mut tasks = JoinSet::new();
    loop {
        let permit = tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = tasks.join_next(), if !tasks.is_empty() => continue,
            permit = Arc::clone(&room).acquire_owned() => permit.context("the connection limit is gone")?,
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((tcp, from)) => {
                // One too many is closed without a word; a line for each could only flood the timeline.
                let Some(place) = places.take(from.ip(), OF_ONE_ADDRESS) else { continue };
                let (port, stop) = (Arc::clone(&port), stop.child_token());
                tasks.spawn(async move { port.connection(tcp, from, stop, (permit, place)).await });
            }
            // Out of descriptors, or a client that left: neither ends the service.
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    tasks.shutdown().await;
    Ok(())
}

impl Port {
    async fn connection(
        self: Arc<Self>,
        tcp: TcpStream,
        from: SocketAddr,
        stop: CancellationToken,
        _room: (OwnedSemaphorePermit, Place),
    ) {
        let mut audience = None;
        match tokio::time::timeout(HANDSHAKE, self.handshake(tcp, from, &mut audience)).await {
            Ok(Ok((audience, stream))) => {
                self.tell(from, What::TlsAccepted(audience));
                self.serve(audience, stream, from, stop).await;
            }
            // Somebody looked whether the port is open.
            Ok(Err(error)) if audience.is_none() && error.kind() == std::io::ErrorKind::UnexpectedEof => {}
            Ok(Err(error)) => self.tell(from, What::TlsFailed { audience, why: error.to_string() }),
            Err(_) => {
                self.tell(from, What::TlsFailed { audience, why: "no complete handshake within 15 s".into() })
            }
        }
    }

    async fn handshake(
        &self,
        tcp: TcpStream,
        from: SocketAddr,
        audience: &mut Option<Audience>,
    ) -> std::io::Result<(Audience, TlsStream<TcpStream>)> {
        tcp.set_nodelay(true)?;
        let start = LazyConfigAcceptor::new(Acceptor::default(), tcp).await?;
        let who = tls::classify(&start.client_hello());
        *audience = Some(who);
        let _permit = match who {
            Audience::Firmware { curves: Curves::None } => {
                let busy =
                    || std::io::Error::other("too many handshakes of firmware without elliptic curves");
                Some(self.gate.admit(from.ip(), std::time::Instant::now()).ok_or_else(busy)?)
            }
            Audience::Firmware { curves: Curves::Has } | Audience::Host | Audience::People => None,
        };
        Ok((who, start.into_stream(self.configs.of(who)).await?))
    }

    /// Browsers and tools open and close connections all the time; that is no news.
    fn tell(&self, from: SocketAddr, what: What) {
        if matches!(what, What::TlsAccepted(Audience::People | Audience::Host)) {
            return;
        }
        let who = self.neighbours.who(from.ip());
        self.observer.observe(BootEvent { who, what });
    }

    async fn serve(
        self: Arc<Self>,
        audience: Audience,
        stream: TlsStream<TcpStream>,
        from: SocketAddr,
        stop: CancellationToken,
    ) {
        let mut http = auto::Builder::new(TokioExecutor::new());
        http.http1().timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(30));
        http.http2().timer(TokioTimer::new()).max_concurrent_streams(64);
        // Without the look at the first bytes, HTTP/1.1 bounds the wait for them from the start.
        let http = match stream.get_ref().1.alpn_protocol() {
            Some(b"http/1.1") | None => http.http1_only(),
            Some(_) => http,
        };
        let ended = match audience {
            Audience::Firmware { .. } => {
                let service = service_fn(|request| {
                    let port = Arc::clone(&self);
                    async move { Ok::<_, std::convert::Infallible>(port.boot.handle(request, from).await) }
                });
                tokio::select! {
                    ended = http.serve_connection(watched(stream, SILENCE), service) => ended,
                    () = stop.cancelled() => Ok(()),
                }
            }
            Audience::Host => {
                let peer = Arc::new(Peer::of(stream.get_ref().1, from, &self.hosts));
                let gone = peer.gone();
                let service = service_fn(|request| {
                    let (port, peer) = (Arc::clone(&self), Arc::clone(&peer));
                    async move {
                        Ok::<_, std::convert::Infallible>(port.hosts.handle(&peer, &port.boot, request).await)
                    }
                });
                let whole = async {
                    http.serve_connection_with_upgrades(watched(stream, SILENCE), service).await?;
                    self.hosts.after_http(&peer).await;
                    Ok(())
                };
                tokio::select! {
                    ended = whole => ended,
                    () = stop.cancelled() => Ok(()),
                    () = gone.cancelled() => Ok(()),
                }
            }
            Audience::People => {
                let service = TowerToHyperService::new(
                    self.people.clone().layer(axum::Extension(axum::extract::ConnectInfo(from))),
                );
                tokio::select! {
                    ended = http.serve_connection_with_upgrades(watched(stream, PEOPLE_SILENCE), service) => ended,
                    () = stop.cancelled() => Ok(()),
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%from, error, "connection ended");
        }
    }
}

/// A peer that vanished, or that says nothing, does not keep its place.
fn watched(stream: TlsStream<TcpStream>, silence: Duration) -> TokioIo<Stall<TlsStream<TcpStream>>> {
    TokioIo::new(Stall::new(stream, silence))
}
