//! The DHCPv4 server of one interface. One task answers one message after the other, so no two decisions race; the only
//! wait is for the lease store, and it is bounded.
//!
//! It never answers on an interface, or for a subnet, that its [`Config`] does not name.

mod answer;
mod socket;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use cairn_netproto::dhcp::Destination;
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

use crate::Parts;
use crate::event::{BootEvent, Service, What, Who};
use crate::lease::{Key, LeaseStore, LeaseStoreError, Plan, Record, Reserved, Table};
use answer::Answerer;

/// Longest wait for the store; firmware asks again after 4 s.
const STORE_PATIENCE: Duration = Duration::from_secs(3);

/// UDP ports; others than the standard ones are for tests without privileges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// Where this server listens.
    pub server: u16,
    /// Where clients listen.
    pub client: u16,
    /// Where relays listen.
    pub relay: u16,
}

impl Default for Ports {
    fn default() -> Self {
        Self { server: 67, client: 68, relay: 67 }
    }
}

/// What the server is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// The one interface it listens on, such as `eth1`. The plan's server address must be on it.
    pub interface: String,
    /// Addresses and terms.
    pub plan: Plan,
    /// Ports.
    pub ports: Ports,
}

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The interface's addresses cannot be read.
    #[error("cannot read the addresses of this machine")]
    Addresses(#[source] io::Error),
    /// The interface is not there or lacks the address that clients are told.
    #[error("interface {interface} does not have the address {server}")]
    NoAddress {
        /// Interface.
        interface: String,
        /// Address.
        server: Ipv4Addr,
    },
    /// The port cannot be had.
    #[error("cannot listen for DHCP on port {port} of {interface}")]
    Listen {
        /// Interface.
        interface: String,
        /// Port.
        port: u16,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// The stored leases cannot be read.
    #[error("cannot load the leases")]
    Load(#[source] LeaseStoreError),
}

/// Why the server ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The socket failed for good, for instance because its interface is gone.
    #[error("the DHCP socket failed")]
    Socket(#[source] io::Error),
}

/// Reservations that may be replaced while the server runs. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Reservations(Arc<RwLock<Arc<Reserved>>>);

impl Reservations {
    /// Puts these in place of all.
    pub fn replace(&self, pairs: impl IntoIterator<Item = (Key, Ipv4Addr)>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Reserved::new(pairs));
    }

    fn snapshot(&self) -> Arc<Reserved> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A bound server.
#[derive(Debug)]
pub struct Dhcp {
    socket: UdpSocket,
    /// Hears other servers' answers to clients; absent where the port is taken by a DHCP client of this machine.
    watch: Option<UdpSocket>,
    ports: Ports,
    answerer: Answerer,
}

impl Config {
    /// Takes the port and loads the leases.
    ///
    /// # Errors
    /// [`BindError`].
    pub async fn bind(
        self,
        parts: Parts,
        store: Arc<dyn LeaseStore>,
        reservations: Reservations,
    ) -> Result<Dhcp, BindError> {
        let server = self.plan.server();
        if !socket::has_address(&self.interface, server).map_err(BindError::Addresses)? {
            return Err(BindError::NoAddress { interface: self.interface, server });
        }
        let listen = |port| {
            socket::on_interface(&self.interface, port).map_err(|source| BindError::Listen {
                interface: self.interface.clone(),
                port,
                source,
            })
        };
        let socket = listen(self.ports.server)?;
        let watch = listen(self.ports.client)
            .inspect_err(
                |error| tracing::warn!(%error, "other DHCP servers on this segment will not be heard"),
            )
            .ok();
        let records = store.load_all().await.map_err(BindError::Load)?;
        let mut answerer = Answerer::new(self.plan, parts, store, reservations);
        answerer.load(records);
        Ok(Dhcp { socket, watch, ports: self.ports, answerer })
    }
}

impl Dhcp {
    /// The address it listens on; its port is the real one when 0 was asked for.
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
        let mut request = vec![0; 4097];
        let mut heard = vec![0; 4097];
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                got = self.socket.recv_from(&mut request) => {
                    let (len, from) = got.map_err(ServeError::Socket)?;
                    self.answer(request.get(..len).unwrap_or_default(), from).await;
                }
                got = hear(self.watch.as_ref(), &mut heard) => {
                    match got {
                        Ok(len) => self.answerer.hear(heard.get(..len).unwrap_or_default()),
                        Err(error) => {
                            tracing::warn!(%error, "other DHCP servers on this segment are no longer heard");
                            self.watch = None;
                        }
                    }
                }
            }
        }
    }

    async fn answer(&mut self, bytes: &[u8], from: SocketAddr) {
        let Some(reply) = self.answerer.answer(bytes, from).await else { return };
        let to = match reply.to {
            Destination::Relay(relay) => SocketAddrV4::new(relay, self.ports.relay),
            Destination::Broadcast => SocketAddrV4::new(Ipv4Addr::BROADCAST, self.ports.client),
            Destination::Client(address) => SocketAddrV4::new(address, self.ports.client),
        };
        match self.socket.send_to(&reply.bytes, to).await {
            Ok(_) => self.answerer.sent(&reply),
            Err(error) => self.answerer.tell(
                reply.who,
                What::ReplyFailed { service: Service::Dhcp, why: format!("sending to {to}: {error}") },
            ),
        }
    }
}

async fn hear(watch: Option<&UdpSocket>, buffer: &mut [u8]) -> io::Result<usize> {
    match watch {
        Some(socket) => socket.recv(buffer).await,
        None => std::future::pending().await,
    }
}

/// A reply that is ready to be sent, with the event that is told once it was.
#[derive(Debug)]
struct Ready {
    bytes: Vec<u8>,
    to: Destination,
    who: Who,
    event: What,
}

impl Answerer {
    fn tell(&self, who: Who, what: What) {
        self.parts().observer.observe(BootEvent { who, what });
    }

    fn sent(&self, reply: &Ready) {
        self.tell(reply.who, reply.event.clone());
    }

    fn load(&mut self, records: Vec<Record>) {
        for record in &records {
            if let Record::Leased(lease) = record {
                self.note(lease.address, lease.class, (Some(lease.mac), lease.uuid));
            }
        }
        *self.table() = Table::load(records);
    }
}
