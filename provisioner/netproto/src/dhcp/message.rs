//! One DHCPv4 packet, taken apart without loss and without judgement (RFC 2131 2). Requests of clients and answers of
//! other servers are both read by it.

use std::net::Ipv4Addr;

use super::options::{self, Options};
use crate::Mac;

/// Longest packet looked at; jumbo frames hold 9,000 bytes and no client sends that.
const LONGEST: usize = 4096;
/// Bytes from the start to the options, magic cookie included.
const FIXED: usize = 240;
const COOKIE: [u8; 4] = [0x63, 0x82, 0x53, 0x63];
/// The broadcast bit of `flags`.
pub const BROADCAST: u16 = 0x8000;

/// A DHCP packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// 1 from a client, 2 from a server.
    pub op: u8,
    /// Relay hops so far.
    pub hops: u8,
    /// Transaction.
    pub xid: u32,
    /// Seconds since the client began.
    pub secs: u16,
    /// [`BROADCAST`] or 0.
    pub flags: u16,
    /// The client's own address.
    pub ciaddr: Ipv4Addr,
    /// The address given.
    pub yiaddr: Ipv4Addr,
    /// Next server.
    pub siaddr: Ipv4Addr,
    /// Relay.
    pub giaddr: Ipv4Addr,
    /// Hardware address.
    pub chaddr: Mac,
    /// `sname` up to its first NUL; empty when overloaded.
    pub sname: Vec<u8>,
    /// `file` up to its first NUL; empty when overloaded.
    pub file: Vec<u8>,
    options: Options,
}

/// Why bytes are not a DHCP packet that we can answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Shorter than the fixed part.
    #[error("{0} bytes are too short for a DHCP packet")]
    TooShort(usize),
    /// Longer than any client sends.
    #[error("{0} bytes are too long for a DHCP packet")]
    TooLong(usize),
    /// The magic cookie is missing: BOOTP or garbage.
    #[error("no DHCP magic cookie")]
    NoCookie,
    /// Hardware type and length are not Ethernet's.
    #[error("hardware type {htype} with {hlen} address bytes is not Ethernet")]
    NotEthernet {
        /// `htype`
        htype: u8,
        /// `hlen`
        hlen: u8,
    },
    /// The hardware address is all zeros or a group address.
    #[error("hardware address {0} cannot belong to a machine")]
    BadAddress(Mac),
    /// `op` says that a server sent it.
    #[error("op {0} is not a client's request")]
    NotARequest(u8),
    /// Option 53 is missing.
    #[error("no message type")]
    NoKind,
    /// Option 53 names a type that clients do not send.
    #[error("message type {0} is not a client's")]
    BadKind(u8),
}

/// A peer's slip that does not stop us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Oddity {
    /// An option runs past the end of its area.
    #[error("option {0} is cut short")]
    CutShort(u8),
    /// An option's length does not fit its meaning; it is ignored.
    #[error("option {code} has {len} bytes")]
    BadLength {
        /// Option code.
        code: u8,
        /// Its length.
        len: usize,
    },
    /// A PXE boot-server request with the credentials bit, which we do not serve.
    #[error("boot server request with layer {0:#06x} asks for credentials")]
    Credentials(u16),
}

/// A bounded walk over the fixed fields.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk::<N>()?;
        self.0 = tail;
        Some(*head)
    }

    fn addr(&mut self) -> Option<Ipv4Addr> {
        self.take::<4>().map(Ipv4Addr::from)
    }

    fn short(&mut self) -> Option<u16> {
        self.take::<2>().map(u16::from_be_bytes)
    }

    fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(len)?;
        self.0 = tail;
        Some(head)
    }
}

impl Message {
    /// Reads a packet of at least 240 bytes, from a client or a server. Malformed options are reported, not fatal.
    ///
    /// # Errors
    /// [`ParseError`], one of its first five variants.
    pub fn parse(bytes: &[u8]) -> Result<(Self, Vec<Oddity>), ParseError> {
        if bytes.len() > LONGEST {
            return Err(ParseError::TooLong(bytes.len()));
        }
        if bytes.len() < FIXED {
            return Err(ParseError::TooShort(bytes.len()));
        }
        Self::fields(bytes).ok_or(ParseError::TooShort(bytes.len()))?
    }

    fn fields(bytes: &[u8]) -> Option<Result<(Self, Vec<Oddity>), ParseError>> {
        let mut at = Fields(bytes);
        let [op, htype, hlen, hops] = at.take()?;
        let xid = u32::from_be_bytes(at.take()?);
        let (secs, flags) = (at.short()?, at.short()?);
        let (ciaddr, yiaddr, siaddr, giaddr) = (at.addr()?, at.addr()?, at.addr()?, at.addr()?);
        let chaddr = Mac(at.take::<6>()?);
        at.bytes(10)?;
        let (sname, file) = (at.bytes(64)?, at.bytes(128)?);
        if at.take::<4>()? != COOKIE {
            return Some(Err(ParseError::NoCookie));
        }
        if (htype, hlen) != (1, 6) {
            return Some(Err(ParseError::NotEthernet { htype, hlen }));
        }
        let mut oddities = Vec::new();
        let mut options = Options::default();
        options.read_area(at.0, &mut oddities);
        let overload = options.get(options::OVERLOAD).and_then(|o| o.first().copied()).unwrap_or(0);
        // RFC 3396 5: the options field first, then file, then sname.
        let (file_is_options, sname_is_options) = (overload & 1 != 0, overload & 2 != 0);
        if file_is_options {
            options.read_area(file, &mut oddities);
        }
        if sname_is_options {
            options.read_area(sname, &mut oddities);
        }
        let sname = if sname_is_options { Vec::new() } else { until_nul(sname) };
        let file = if file_is_options { Vec::new() } else { until_nul(file) };
        let message =
            Self { op, hops, xid, secs, flags, ciaddr, yiaddr, siaddr, giaddr, chaddr, sname, file, options };
        Some(Ok((message, oddities)))
    }

    /// The data of an option, its parts joined when it was split.
    pub fn option(&self, code: u8) -> Option<&[u8]> {
        self.options.get(code)
    }

    /// An option that holds one address.
    pub fn address(&self, code: u8) -> Option<Ipv4Addr> {
        let bytes: [u8; 4] = self.option(code)?.try_into().ok()?;
        Some(Ipv4Addr::from(bytes))
    }

    /// Option 53, as a number.
    pub fn kind(&self) -> Option<u8> {
        self.option(options::MESSAGE_TYPE).and_then(|data| data.first().copied())
    }
}

fn until_nul(field: &[u8]) -> Vec<u8> {
    field.iter().copied().take_while(|byte| *byte != 0).collect()
}
