//! The TFTP server: one well-known port for requests, a port of its own for each transfer. The protocol is
//! [`cairn_netproto::tftp::Transfer`]; here are sockets, files, timers and the bounds.

mod reader;
mod session;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use cairn_netproto::bootfile::Name;
use cairn_netproto::printable;
use cairn_netproto::tftp::{ErrorCode, Limits, ReadRequest, error};
use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::Parts;
use crate::choice::DISK;
use crate::event::{BootEvent, Service, What};
use crate::scripts::{self, Via};
use crate::shelf::Blob;
use session::{Ended, Session};

/// IPv4, UDP and TFTP headers.
const HEADERS: u16 = 32;

/// What the server is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// Address and port; the address must be this server's own, because transfers are sent from it.
    pub listen: SocketAddr,
    /// MTU of the interface, see [`interface_mtu`]. Blocks are never larger than fits it.
    pub mtu: u16,
    /// Largest window in blocks.
    pub window: u16,
    /// First wait for a silent client.
    pub timeout: Duration,
    /// Silences in a row that end a transfer.
    pub attempts: u8,
    /// Transfers in total.
    pub transfers: usize,
    /// Transfers for one address.
    pub per_client: usize,
}

impl Config {
    /// The usual bounds: 16 blocks in flight, 64 transfers, 4 for one address.
    pub fn usual(listen: SocketAddr) -> Self {
        Self {
            listen,
            mtu: 1500,
            window: 16,
            timeout: Duration::from_secs(1),
            attempts: 8,
            transfers: 64,
            per_client: 4,
        }
    }
}

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The port cannot be had.
    #[error("cannot listen for TFTP on {addr}")]
    Listen {
        /// Address.
        addr: SocketAddr,
        /// Cause.
        #[source]
        source: io::Error,
    },
}

/// Why the server ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The socket failed for good.
    #[error("the TFTP socket failed")]
    Socket(#[source] io::Error),
}

/// The MTU of an interface, for [`Config::mtu`].
///
/// # Errors
/// When there is no such interface.
pub fn interface_mtu(interface: &str) -> io::Result<u16> {
    let text = std::fs::read_to_string(format!("/sys/class/net/{interface}/mtu"))?;
    let mtu: u32 = text.trim().parse().map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    Ok(u16::try_from(mtu).unwrap_or(u16::MAX))
}

/// A bound server.
#[derive(Debug)]
pub struct Tftp {
    socket: UdpSocket,
    config: Config,
    parts: Parts,
    running: HashMap<SocketAddr, Running>,
}

/// A transfer in progress: told apart from a later one of the same client by its request.
#[derive(Debug)]
struct Running {
    request: Vec<u8>,
    stop: CancellationToken,
    number: u64,
}

impl Config {
    /// Takes the port.
    ///
    /// # Errors
    /// [`BindError`].
    pub async fn bind(self, parts: Parts) -> Result<Tftp, BindError> {
        let socket = UdpSocket::bind(self.listen)
            .await
            .map_err(|source| BindError::Listen { addr: self.listen, source })?;
        Ok(Tftp { socket, config: self, parts, running: HashMap::new() })
    }

    fn limits(&self) -> Limits {
        Limits {
            blksize: self.mtu.saturating_sub(HEADERS).max(512),
            windowsize: self.window,
            timeout: self.timeout,
            attempts: self.attempts,
        }
    }
}

impl Tftp {
    /// The address it listens on.
    ///
    /// # Errors
    /// When the socket cannot say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves until `stop`.
    ///
    /// # Errors
    /// [`ServeError`] when the socket fails for good.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), ServeError> {
        let mut transfers: JoinSet<Ended> = JoinSet::new();
        let mut buffer = vec![0; 1024];
        let mut number: u64 = 0;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                Some(ended) = transfers.join_next() => {
                    if let Ok(ended) = ended {
                        self.forget(ended);
                    }
                }
                got = self.socket.recv_from(&mut buffer) => {
                    let (len, peer) = got.map_err(ServeError::Socket)?;
                    number = number.wrapping_add(1);
                    let bytes = buffer.get(..len).unwrap_or_default();
                    if let Some(session) = self.request(bytes, peer, number).await {
                        transfers.spawn(session.run());
                    }
                }
            }
        }
    }

    fn forget(&mut self, ended: Ended) {
        if self.running.get(&ended.peer).is_some_and(|running| running.number == ended.number) {
            self.running.remove(&ended.peer);
        }
    }

    /// The session that a packet to the well-known port begins, if it begins one.
    async fn request(&mut self, bytes: &[u8], peer: SocketAddr, number: u64) -> Option<Session> {
        let request = match ReadRequest::parse(bytes) {
            Ok(request) => request,
            Err(refused) => {
                let refusal = refused.refusal();
                self.refuse(peer, refusal.as_deref(), refused.to_string()).await;
                return None;
            }
        };
        if let Some(running) = self.running.get(&peer) {
            if running.request == bytes {
                // The client repeats itself because its answer is late: the same transfer (rule 29).
                return None;
            }
            running.stop.cancel();
            self.running.remove(&peer);
        }
        if !self.has_room(peer) {
            // Silence: the client asks again in a second or two. An ERROR would end its boot.
            self.tell(peer, What::Busy { service: Service::Tftp, limit: "transfers" });
            return None;
        }
        let Some((name, blob)) = self.find(&request.name, peer) else {
            self.send(peer, &error(ErrorCode::NotFound, "no such file")).await;
            let is_disk = Name::from_wire(&request.name).is_some_and(|name| name.as_str() == DISK);
            let name = printable(&request.name);
            let missing = What::FileMissing { service: Service::Tftp, name };
            self.tell(peer, if is_disk { What::LedToDisk } else { missing });
            return None;
        };
        let stop = CancellationToken::new();
        let session = self.open(&request, (name, blob), peer, (number, stop.clone())).await?;
        self.running.insert(peer, Running { request: bytes.to_vec(), stop, number });
        Some(session)
    }

    async fn open(
        &self,
        request: &ReadRequest,
        (name, blob): (String, Blob),
        peer: SocketAddr,
        (number, stop): (u64, CancellationToken),
    ) -> Option<Session> {
        let local = SocketAddr::new(self.config.listen.ip(), 0);
        let socket = match UdpSocket::bind(local).await {
            Ok(socket) => socket.connect(peer).await.map(|()| socket),
            Err(error) => Err(error),
        };
        match socket {
            Ok(socket) => {
                let limits = self.config.limits();
                Some(Session::new(
                    request,
                    (name, blob),
                    (socket, peer),
                    limits,
                    (self.parts.clone(), number, stop),
                ))
            }
            Err(error) => {
                let why = format!("no port for the transfer: {error}");
                self.tell(peer, What::ReplyFailed { service: Service::Tftp, why });
                None
            }
        }
    }

    fn has_room(&self, peer: SocketAddr) -> bool {
        let own = self.running.keys().filter(|other| other.ip() == peer.ip()).count();
        self.running.len() < self.config.transfers && own < self.config.per_client
    }

    fn find(&self, wire: &[u8], peer: SocketAddr) -> Option<(String, Blob)> {
        let name = Name::from_wire(wire)?;
        let client = self.parts.neighbours.client(peer.ip());
        if let Some(script) = scripts::script(&self.parts, &client, name.as_str(), Via::Tftp) {
            self.tell(peer, script.event);
            return Some((name.to_string(), Blob::memory(Bytes::from(script.text))));
        }
        Some((name.to_string(), self.parts.shelf.get(name.as_str())?))
    }

    async fn refuse(&self, peer: SocketAddr, refusal: Option<&[u8]>, why: String) {
        match refusal {
            Some(refusal) => {
                self.send(peer, refusal).await;
                self.tell(peer, What::FileRefused { service: Service::Tftp, why });
            }
            None => self.tell(peer, What::Malformed { service: Service::Tftp, why }),
        }
    }

    async fn send(&self, peer: SocketAddr, bytes: &[u8]) {
        if let Err(error) = self.socket.send_to(bytes, peer).await {
            self.tell(peer, What::ReplyFailed { service: Service::Tftp, why: error.to_string() });
        }
    }

    fn tell(&self, peer: SocketAddr, what: What) {
        self.parts.observer.observe(BootEvent { who: self.parts.neighbours.who(peer.ip()), what });
    }
}
