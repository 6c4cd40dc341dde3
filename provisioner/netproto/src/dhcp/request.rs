//! What a DHCP client asks, in typed form.

use std::net::Ipv4Addr;

use super::client::{Client, is_unicast};
use super::message::{BROADCAST, Message, Oddity, ParseError};
use super::options::{self, sub_options};
use crate::Mac;

/// The messages a client sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Who is there?
    Discover,
    /// I take this address, or keep it.
    Request,
    /// That address is in use by another.
    Decline,
    /// I give my address back.
    Release,
    /// I have an address; tell me the rest.
    Inform,
}

/// A client's message. Only [`Request::parse`] makes one, so its kind and hardware address are sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Message type.
    pub kind: Kind,
    /// Transaction.
    pub xid: u32,
    /// Flags as sent; echoed.
    pub flags: u16,
    /// Relay, or 0.0.0.0.
    pub giaddr: Ipv4Addr,
    /// The client's address, if it has one that it can answer ARP for.
    pub ciaddr: Ipv4Addr,
    /// Hardware address.
    pub chaddr: Mac,
    /// What the client is.
    pub client: Client,
    /// Option 50.
    pub requested_ip: Option<Ipv4Addr>,
    /// Option 54: the server that the client chose.
    pub server_id: Option<Ipv4Addr>,
    /// Option 61, for the log; leases are not keyed by it (rule 20).
    pub client_id: Option<Vec<u8>>,
    /// Option 12 as sent.
    pub host_name: Option<Vec<u8>>,
    /// Option 57.
    pub max_size: Option<u16>,
    /// Option 97 as sent, to be echoed.
    pub uuid97: Option<Vec<u8>>,
    /// Option 82 as sent, to be echoed.
    pub relay82: Option<Vec<u8>>,
    /// Option 82 sub-option 5 (RFC 3527): the subnet that the relay names.
    pub link_selection: Option<Ipv4Addr>,
}

impl Request {
    /// Reads a client's packet.
    ///
    /// # Errors
    /// [`ParseError`] when it is not a client's DHCP message over Ethernet; malformed options are [`Oddity`]s.
    pub fn parse(bytes: &[u8]) -> Result<(Self, Vec<Oddity>), ParseError> {
        let (message, mut oddities) = Message::parse(bytes)?;
        let request = Self::read(&message, &mut oddities)?;
        Ok((request, oddities))
    }

    fn read(message: &Message, oddities: &mut Vec<Oddity>) -> Result<Self, ParseError> {
        if message.op != 1 {
            return Err(ParseError::NotARequest(message.op));
        }
        if !is_unicast(message.chaddr) {
            return Err(ParseError::BadAddress(message.chaddr));
        }
        let kind = match message.kind().ok_or(ParseError::NoKind)? {
            1 => Kind::Discover,
            3 => Kind::Request,
            4 => Kind::Decline,
            7 => Kind::Release,
            8 => Kind::Inform,
            other => return Err(ParseError::BadKind(other)),
        };
        let owned = |code: u8| message.option(code).map(<[u8]>::to_vec);
        let relay82 = owned(options::RELAY);
        Ok(Self {
            kind,
            xid: message.xid,
            flags: message.flags,
            giaddr: message.giaddr,
            ciaddr: message.ciaddr,
            chaddr: message.chaddr,
            client: Client::read(message, oddities),
            requested_ip: message.address(options::REQUESTED_IP),
            server_id: message.address(options::SERVER_ID),
            client_id: owned(options::CLIENT_ID),
            host_name: owned(options::HOST_NAME),
            max_size: max_size(message, oddities),
            uuid97: owned(options::MACHINE_UUID),
            link_selection: relay82.as_deref().and_then(link_selection),
            relay82,
        })
    }

    /// True when a relay sent it.
    pub fn is_relayed(&self) -> bool {
        !self.giaddr.is_unspecified()
    }

    /// True when the client cannot yet receive unicast.
    pub fn wants_broadcast(&self) -> bool {
        self.flags & BROADCAST != 0
    }
}

fn max_size(message: &Message, oddities: &mut Vec<Oddity>) -> Option<u16> {
    let data = message.option(options::MAX_SIZE)?;
    let size = data.try_into().ok().map(u16::from_be_bytes);
    if size.is_none() {
        oddities.push(Oddity::BadLength { code: options::MAX_SIZE, len: data.len() });
    }
    size
}

fn link_selection(relay: &[u8]) -> Option<Ipv4Addr> {
    let (_, data) = sub_options(relay).into_iter().find(|(code, _)| *code == 5)?;
    let bytes: [u8; 4] = data.try_into().ok()?;
    Some(Ipv4Addr::from(bytes))
}
