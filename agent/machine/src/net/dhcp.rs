//! The DHCPv4 exchange on one interface: DISCOVER, OFFER, REQUEST, ACK over a UDP socket bound to the device.
//!
//! ```text
//!  Discovering --OFFER--> Requesting --ACK--> Lease
//!       ^                     | NAK, or silence
//!       +---------------------+
//! ```
//! The broadcast flag is set, so that no raw socket is needed. Blocking, with a deadline.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use cairn_contract::Mac;
use socket2::{Domain, Protocol, Socket, Type};

use super::packet::{self, Kind, Reply, Say};

const CLIENT_PORT: u16 = 68;
const SERVER_PORT: u16 = 67;
/// RFC 2131 begins with 4 s; a wired link that just came up loses the first packet often enough to ask sooner.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(4);
/// So many REQUESTs before the offer counts as lost.
const REQUESTS: u32 = 3;

/// What the server granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Ours.
    pub address: Ipv4Addr,
    /// Length of the network's prefix.
    pub prefix: u8,
    /// Default gateway.
    pub router: Option<Ipv4Addr>,
    /// Name servers.
    pub dns: Vec<Ipv4Addr>,
    /// Time servers.
    pub ntp: Vec<Ipv4Addr>,
    /// Host name, if the server has an opinion.
    pub host_name: Option<String>,
    /// Who granted it.
    pub server: Ipv4Addr,
    /// Seconds that it lasts.
    pub seconds: u32,
}

impl Lease {
    /// The prefix as a mask.
    #[must_use]
    pub fn netmask(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(u32::MAX.checked_shl(32 - u32::from(self.prefix.min(32))).unwrap_or(0))
    }

    fn from_ack(ack: Reply) -> Self {
        let mask = ack.netmask.unwrap_or(Ipv4Addr::new(255, 255, 255, 0));
        Self {
            address: ack.address,
            prefix: u8::try_from(mask.to_bits().leading_ones()).unwrap_or(32),
            router: ack.router.filter(|r| !r.is_unspecified()),
            dns: ack.dns,
            ntp: ack.ntp,
            host_name: ack.host_name,
            server: ack.server,
            seconds: ack.lease_s,
        }
    }
}

/// Why there is no lease.
#[derive(Debug, thiserror::Error)]
pub enum DhcpError {
    /// No socket on the interface.
    #[error("cannot open the DHCP port on {nic}")]
    Socket {
        /// Interface.
        nic: String,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// The link does not take packets.
    #[error("cannot send on {nic}")]
    Send {
        /// Interface.
        nic: String,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// Nobody answered in time.
    #[error("no DHCP server answered on {nic}")]
    NoAnswer {
        /// Interface.
        nic: String,
    },
    /// A server answered and took it back (NAK) to the end.
    #[error("the DHCP server on {nic} refuses an address")]
    Refused {
        /// Interface.
        nic: String,
    },
    /// No random transaction id.
    #[error("the kernel gives no random bytes")]
    Random,
}

/// Gets an address on `nic`, whose link is up, until `limit` has passed.
///
/// # Errors
/// [`DhcpError`]; nothing has been configured then, nor has it on success: see [`apply`](super::apply).
pub fn acquire(nic: &str, mac: Mac, limit: Duration) -> Result<Lease, DhcpError> {
    let mut exchange = Exchange::open(nic, mac, limit)?;
    let mut refused = false;
    loop {
        let Some(offer) = exchange.ask(Say::Discover, u32::MAX, Kind::Offer)? else {
            return Err(match refused {
                true => DhcpError::Refused { nic: nic.to_owned() },
                false => DhcpError::NoAnswer { nic: nic.to_owned() },
            });
        };
        let request = Say::Request { server: offer.server, address: offer.address };
        match exchange.ask(request, REQUESTS, Kind::Ack)? {
            Some(ack) if ack.kind == Kind::Ack => return Ok(Lease::from_ack(ack)),
            answer => refused |= answer.is_some(),
        }
    }
}

/// Asks any server for more time on `lease`, by broadcast (REBINDING).
///
/// # Errors
/// [`DhcpError::Refused`] on a NAK: the address must be given up.
pub fn renew(nic: &str, mac: Mac, lease: &Lease, limit: Duration) -> Result<Lease, DhcpError> {
    let mut exchange = Exchange::open(nic, mac, limit)?;
    match exchange.ask(Say::Rebind { address: lease.address }, u32::MAX, Kind::Ack)? {
        Some(ack) if ack.kind == Kind::Ack => Ok(Lease::from_ack(ack)),
        Some(_) => Err(DhcpError::Refused { nic: nic.to_owned() }),
        None => Err(DhcpError::NoAnswer { nic: nic.to_owned() }),
    }
}

struct Exchange {
    nic: String,
    mac: Mac,
    socket: Socket,
    xid: u32,
    begun: Instant,
    end: Instant,
}

impl Exchange {
    fn open(nic: &str, mac: Mac, limit: Duration) -> Result<Self, DhcpError> {
        let socket = open(nic).map_err(|source| DhcpError::Socket { nic: nic.to_owned(), source })?;
        let xid = getrandom::u32().map_err(|_| DhcpError::Random)?;
        let begun = Instant::now();
        Ok(Self { nic: nic.to_owned(), mac, socket, xid, begun, end: begun + limit })
    }

    /// Says it up to `times` times, with growing pauses, until an answer of `kind` (or a NAK) comes.
    fn ask(&mut self, say: Say, times: u32, kind: Kind) -> Result<Option<Reply>, DhcpError> {
        let mut wait = FIRST_WAIT;
        for _ in 0..times {
            let now = Instant::now();
            if now >= self.end {
                break;
            }
            let seconds = u16::try_from(now.duration_since(self.begun).as_secs()).unwrap_or(u16::MAX);
            let bytes = packet::write(say, self.mac, self.xid, seconds);
            let to = SocketAddrV4::new(Ipv4Addr::BROADCAST, SERVER_PORT);
            self.socket
                .send_to(&bytes, &to.into())
                .map_err(|source| DhcpError::Send { nic: self.nic.clone(), source })?;
            if let Some(reply) = self.listen(kind, (now + wait).min(self.end)) {
                return Ok(Some(reply));
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        Ok(None)
    }

    /// The first fitting answer before `until`; everything else is dropped.
    fn listen(&self, kind: Kind, until: Instant) -> Option<Reply> {
        loop {
            let left = until.checked_duration_since(Instant::now()).filter(|d| !d.is_zero())?;
            self.socket.set_read_timeout(Some(left)).ok()?;
            let mut buffer = vec![0_u8; 1500];
            let Ok(n) = io::Read::read(&mut &self.socket, &mut buffer) else { continue };
            match packet::read(buffer.get(..n).unwrap_or_default(), self.mac, self.xid) {
                Some(r) if r.kind == Kind::Nak && kind == Kind::Ack => return Some(r),
                Some(r) if r.kind == kind && usable(&r) => return Some(r),
                _ => {}
            }
        }
    }
}

/// An offer without a server, or of an address that cannot be ours, is no offer.
fn usable(reply: &Reply) -> bool {
    let a = reply.address;
    let ours = !(a.is_unspecified() || a.is_broadcast() || a.is_multicast() || a.is_loopback());
    ours && !reply.server.is_unspecified()
}

fn open(nic: &str) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.bind_device(Some(nic.as_bytes()))?;
    socket.set_reuse_address(true)?;
    socket.set_broadcast(true)?;
    socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, CLIENT_PORT).into())?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_mask() {
        let lease = |prefix| Lease {
            address: Ipv4Addr::LOCALHOST,
            prefix,
            router: None,
            dns: vec![],
            ntp: vec![],
            host_name: None,
            server: Ipv4Addr::LOCALHOST,
            seconds: 0,
        };
        assert_eq!(lease(24).netmask(), Ipv4Addr::new(255, 255, 255, 0));
        assert_eq!(lease(32).netmask(), Ipv4Addr::BROADCAST);
        assert_eq!(lease(0).netmask(), Ipv4Addr::UNSPECIFIED);
    }

    #[test]
    fn an_interface_that_is_not_there_is_an_error() {
        let gone = acquire("cairn-none0", Mac([2; 6]), Duration::from_millis(50));
        assert!(matches!(gone, Err(DhcpError::Socket { .. })), "{gone:?}");
    }
}
