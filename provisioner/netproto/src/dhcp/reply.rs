//! What the server answers, and where to (netboot.md B and D). [`Reply::to_bytes`] alone knows the wire's habits:
//! header and options both filled, texts NUL-terminated, 97 and 82 echoed, at least 300 bytes, never above option 57.

use std::net::Ipv4Addr;

use super::client::BootItem;
use super::message::BROADCAST;
use super::options;
use super::request::{Kind, Request};

/// Shortest reply: older relays and ROMs drop less (RFC 1542 2.1).
const SHORTEST: usize = 300;
/// Fixed part with cookie.
const FIXED: usize = 240;
/// IP and UDP headers, which option 57 counts (RFC 2132 9.10).
const HEADERS: u16 = 28;
/// Largest message that every client takes, and the most that we send: one Ethernet frame.
const SMALL_MESSAGE: u16 = 576;
const LARGE_MESSAGE: u16 = 1500;

/// The kind of answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyKind {
    /// An address is held for you.
    Offer,
    /// It is yours.
    Ack,
    /// It is not.
    Nak,
}

/// What the client needs to know of its network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Prefix length, 0 to 32.
    pub prefix: u8,
    /// Routers.
    pub routers: Vec<Ipv4Addr>,
    /// DNS servers.
    pub dns: Vec<Ipv4Addr>,
    /// Search domain.
    pub domain: Option<String>,
}

/// Option 43 for PXE firmware.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Menu {
    /// No option 43: for UEFI through a proxy, which then asks on port 4011 (rule 7).
    None,
    /// Discovery control 8: take the file of this offer, ask no boot server, show no menu. In an offer that holds
    /// the address too, UEFI needs it as BIOS does.
    Skip,
    /// What a Raspberry Pi's ROM looks for (rule 23).
    RaspberryPi,
    /// The boot-server request answered, its type and layer echoed (rule 10).
    Item(BootItem),
}

/// The boot part of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Boot {
    /// A file by TFTP for PXE firmware.
    Pxe {
        /// TFTP server.
        server: Ipv4Addr,
        /// File name.
        file: String,
        /// Option 43.
        menu: Menu,
    },
    /// A URI for UEFI HTTP boot.
    Http {
        /// Next server, for `siaddr`.
        server: Ipv4Addr,
        /// `http://…` or `https://…`.
        uri: String,
    },
    /// A URI for iPXE, with its wait for a proxy switched off (rule 13).
    Ipxe {
        /// Next server, for `siaddr`.
        server: Ipv4Addr,
        /// Script or image.
        uri: String,
    },
}

/// An answer to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Offer, ACK or NAK.
    pub kind: ReplyKind,
    /// This server: option 54.
    pub server: Ipv4Addr,
    /// The address; unspecified for INFORM and NAK.
    pub address: Ipv4Addr,
    /// Lease time in seconds; `None` for INFORM and NAK.
    pub lease_secs: Option<u32>,
    /// Network settings; `None` in a NAK.
    pub network: Option<Network>,
    /// What to boot, if anything.
    pub boot: Option<Boot>,
    /// Reason shown by a client for a NAK.
    pub message: Option<&'static str>,
}

/// Where a reply is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// To this relay's server port.
    Relay(Ipv4Addr),
    /// To all on the link, client port.
    Broadcast,
    /// To a client that owns this address.
    Client(Ipv4Addr),
}

/// Why a reply cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// An option's data exceeds 255 bytes.
    #[error("option {code} would need {len} bytes")]
    OptionTooLong {
        /// Option code.
        code: u8,
        /// Bytes needed.
        len: usize,
    },
    /// The reply exceeds what the client accepts.
    #[error("option {code} does not fit into the {limit} bytes that the client accepts")]
    NoRoom {
        /// The option that did not fit.
        code: u8,
        /// The client's limit for the DHCP message.
        limit: usize,
    },
}

impl Reply {
    /// Where to send this reply (RFC 2131 4.1). A client without an address is reached by broadcast whatever its flag
    /// says: that needs no raw socket, and every client accepts it.
    pub fn destination(&self, request: &Request) -> Destination {
        if request.is_relayed() {
            Destination::Relay(request.giaddr)
        } else if request.ciaddr.is_unspecified()
            || self.kind == ReplyKind::Nak
            || request.kind == Kind::Discover
        {
            Destination::Broadcast
        } else {
            Destination::Client(request.ciaddr)
        }
    }

    /// The bytes of this reply to `request`.
    ///
    /// # Errors
    /// [`BuildError`] when something that must be said does not fit; settings that merely help are left out instead.
    pub fn to_bytes(&self, request: &Request) -> Result<Vec<u8>, BuildError> {
        let mut out = Writer::new(message_limit(request), request.relay82.as_deref());
        out.must(options::MESSAGE_TYPE, &[self.kind.code()])?;
        out.must(options::SERVER_ID, &self.server.octets())?;
        if let Some(secs) = self.lease_secs {
            out.must(options::LEASE_TIME, &secs.to_be_bytes())?;
        }
        if let Some(text) = self.message {
            out.may(options::MESSAGE, text.as_bytes());
        }
        if let Some(uuid) = &request.uuid97 {
            out.must(options::MACHINE_UUID, uuid)?;
        }
        if let Some(network) = &self.network {
            out.must(options::SUBNET_MASK, &mask(network.prefix).octets())?;
            out.must_list(options::ROUTER, &network.routers)?;
        }
        if let Some(boot) = &self.boot {
            boot.write(request, &mut out)?;
        }
        if let Some(network) = &self.network {
            network.write_extras(&mut out);
        }
        if let Some(secs) = self.lease_secs {
            // RFC 2131 4.4.5: T1 at half of the lease, T2 at seven eighths.
            out.may(options::RENEWAL, &(secs / 2).to_be_bytes());
            out.may(options::REBINDING, &secs.saturating_sub(secs / 8).to_be_bytes());
        }
        Ok(self.frame(request, &out.finish()))
    }

    fn frame(&self, request: &Request, options: &[u8]) -> Vec<u8> {
        let mut flags = request.flags & BROADCAST;
        if self.kind == ReplyKind::Nak && request.is_relayed() {
            // RFC 2131 4.3.2: the relay must broadcast a NAK to a client that has no address.
            flags |= BROADCAST;
        }
        let ciaddr = if self.kind == ReplyKind::Ack { request.ciaddr } else { Ipv4Addr::UNSPECIFIED };
        let (siaddr, file) = self.boot.as_ref().map_or((Ipv4Addr::UNSPECIFIED, ""), Boot::header);
        let mut out = Vec::with_capacity(SHORTEST);
        out.extend_from_slice(&[2, 1, 6, 0]);
        out.extend_from_slice(&request.xid.to_be_bytes());
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&flags.to_be_bytes());
        for address in [ciaddr, self.address, siaddr, request.giaddr] {
            out.extend_from_slice(&address.octets());
        }
        out.extend_from_slice(&request.chaddr.0);
        out.extend_from_slice(&[0; 10]);
        let sname = if siaddr.is_unspecified() { String::new() } else { siaddr.to_string() };
        put_text(&mut out, &sname, 64);
        put_text(&mut out, file, 128);
        out.extend_from_slice(&[0x63, 0x82, 0x53, 0x63]);
        out.extend_from_slice(options);
        if out.len() < SHORTEST {
            out.resize(SHORTEST, 0);
        }
        out
    }
}

impl ReplyKind {
    fn code(self) -> u8 {
        match self {
            Self::Offer => 2,
            Self::Ack => 5,
            Self::Nak => 6,
        }
    }
}

impl Network {
    fn write_extras(&self, out: &mut Writer) {
        let dns: Vec<u8> = self.dns.iter().flat_map(Ipv4Addr::octets).collect();
        if !dns.is_empty() {
            out.may(options::DNS, &dns);
        }
        if let Some(domain) = &self.domain {
            out.may(options::DOMAIN, domain.as_bytes());
        }
    }
}

impl Boot {
    fn header(&self) -> (Ipv4Addr, &str) {
        match self {
            Self::Pxe { server, file, .. } => (*server, file),
            Self::Http { server, uri } | Self::Ipxe { server, uri } => (*server, uri),
        }
    }

    /// Options 60, 66, 67, 43 and 175, whatever option 55 lists (rule 12).
    fn write(&self, request: &Request, out: &mut Writer) -> Result<(), BuildError> {
        let asked_http = request.client.vendor_class.as_ref().is_some_and(|v| v.starts_with(b"HTTPClient"));
        let class: &[u8] = match self {
            Self::Http { .. } => b"HTTPClient",
            Self::Ipxe { .. } if asked_http => b"HTTPClient",
            Self::Pxe { .. } | Self::Ipxe { .. } => b"PXEClient",
        };
        let (server, file) = self.header();
        out.must(options::VENDOR_CLASS, class)?;
        out.must(options::BOOT_FILE, &terminated(file))?;
        match self {
            Self::Pxe { menu: Menu::Skip, .. } => out.must(options::VENDOR, &[6, 1, 8, 255])?,
            Self::Pxe { menu: Menu::RaspberryPi, .. } => out.must(options::VENDOR, &raspberry_pi_menu())?,
            Self::Pxe { menu: Menu::Item(item), .. } => out.must(options::VENDOR, &item_area(*item))?,
            Self::Ipxe { .. } => out.must(options::IPXE, &[176, 1, 1])?,
            Self::Pxe { menu: Menu::None, .. } | Self::Http { .. } => {}
        }
        out.may(options::SERVER_NAME, &terminated(&server.to_string()));
        Ok(())
    }
}

fn raspberry_pi_menu() -> Vec<u8> {
    let mut area = vec![9, 20, 0, 0, 17];
    area.extend_from_slice(b"Raspberry Pi Boot");
    area.extend_from_slice(&[10, 4, 0]);
    area.extend_from_slice(b"PXE");
    area.push(255);
    area
}

fn item_area(item: BootItem) -> [u8; 7] {
    let ([a, b], [c, d]) = (item.kind.to_be_bytes(), item.layer.to_be_bytes());
    [71, 4, a, b, c, d, 255]
}

/// Some ROMs read options 66 and 67 as C strings; all are bound to accept the NUL (RFC 2132 2).
fn terminated(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.push(0);
    bytes
}

/// A NUL-terminated header field, left empty when the text does not fit.
fn put_text(out: &mut Vec<u8>, text: &str, len: usize) {
    let end = out.len().saturating_add(len);
    if text.len() < len {
        out.extend_from_slice(text.as_bytes());
    }
    out.resize(end, 0);
}

fn mask(prefix: u8) -> Ipv4Addr {
    let bits = u32::MAX.checked_shl(32_u32.saturating_sub(u32::from(prefix))).unwrap_or(0);
    Ipv4Addr::from(bits)
}

/// The client's limit for the DHCP message, without IP and UDP headers. OVMF sends 65280 in a REQUEST (bytes
/// swapped), and some ROMs send 0: both are brought into range.
fn message_limit(request: &Request) -> usize {
    let asked = request.max_size.unwrap_or(SMALL_MESSAGE).clamp(SMALL_MESSAGE, LARGE_MESSAGE);
    usize::from(asked.saturating_sub(HEADERS))
}

struct Writer {
    out: Vec<u8>,
    limit: usize,
    room: usize,
    relay: Vec<u8>,
}

impl Writer {
    fn new(limit: usize, relay: Option<&[u8]>) -> Self {
        // Room is kept for option 82 and the end mark; a relay strips 82 before the client's limit counts (RFC 3046 2.1),
        // but the frame's limit stays.
        let relay = relay.map(relay_option).unwrap_or_default();
        let frame = usize::from(LARGE_MESSAGE.saturating_sub(HEADERS)).saturating_sub(relay.len());
        let room = limit.min(frame).saturating_sub(FIXED).saturating_sub(1);
        Self { out: Vec::new(), limit, room, relay }
    }

    fn must(&mut self, code: u8, data: &[u8]) -> Result<(), BuildError> {
        let len =
            u8::try_from(data.len()).map_err(|_| BuildError::OptionTooLong { code, len: data.len() })?;
        let needed = data.len().saturating_add(2);
        self.room = self.room.checked_sub(needed).ok_or(BuildError::NoRoom { code, limit: self.limit })?;
        self.out.extend_from_slice(&[code, len]);
        self.out.extend_from_slice(data);
        Ok(())
    }

    fn must_list(&mut self, code: u8, addresses: &[Ipv4Addr]) -> Result<(), BuildError> {
        let data: Vec<u8> = addresses.iter().flat_map(Ipv4Addr::octets).collect();
        if data.is_empty() { Ok(()) } else { self.must(code, &data) }
    }

    /// Adds an option that only helps; left out when there is no room.
    fn may(&mut self, code: u8, data: &[u8]) {
        if data.len().saturating_add(2) <= self.room && data.len() <= 255 {
            // It fits, so this cannot fail.
            let _fits = self.must(code, data);
        }
    }

    /// Option 82 stands last (RFC 3046 2.2), then the end mark.
    fn finish(mut self) -> Vec<u8> {
        self.out.append(&mut self.relay);
        self.out.push(255);
        self.out
    }
}

/// Option 82 as it came: empty stays empty, and more than 255 bytes are split as RFC 3396 has it.
fn relay_option(data: &[u8]) -> Vec<u8> {
    let (first, rest) = data.split_at(data.len().min(255));
    let mut out = Vec::new();
    for part in std::iter::once(first).chain(rest.chunks(255)) {
        out.extend_from_slice(&[options::RELAY, u8::try_from(part.len()).unwrap_or(u8::MAX)]);
        out.extend_from_slice(part);
    }
    out
}
