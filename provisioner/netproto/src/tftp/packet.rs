//! TFTP packets: what a client sends is parsed, what the server sends is written.

use crate::printable;

/// Longest request read; RFC 2347 allows 512 bytes.
const LONGEST_REQUEST: usize = 512;

/// TFTP's error codes (RFC 1350 5, RFC 2347).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorCode {
    /// 0, see the message.
    Other,
    /// 1
    NotFound,
    /// 2
    AccessViolation,
    /// 4
    IllegalOperation,
    /// 8: options refused; sent by clients that only wanted the size.
    OptionsRefused,
}

impl ErrorCode {
    fn number(self) -> u16 {
        match self {
            Self::Other => 0,
            Self::NotFound => 1,
            Self::AccessViolation => 2,
            Self::IllegalOperation => 4,
            Self::OptionsRefused => 8,
        }
    }
}

/// The options we understand, as asked for. Unknown ones and senseless values are ignored (RFC 2347).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asked {
    /// Block size, 8 to 65464.
    pub blksize: Option<u16>,
    /// The client wants to know the file's size.
    pub tsize: Option<u64>,
    /// Seconds, 1 to 255.
    pub timeout: Option<u8>,
    /// Blocks for each acknowledgement, at least 1.
    pub windowsize: Option<u16>,
}

/// A read request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadRequest {
    /// File name as sent; [`crate::bootfile::Name::from_wire`] reads it.
    pub name: Vec<u8>,
    /// Options.
    pub asked: Asked,
}

/// Why the first packet of a client is not served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// A write request.
    #[error("write request for {0}")]
    Write(String),
    /// A mode other than octet. Netascii would alter binaries; no boot firmware needs it.
    #[error("transfer mode {0}")]
    Mode(String),
    /// A request that cannot be read.
    #[error("malformed request")]
    Malformed,
    /// Not a request at all: a stray packet of an ended transfer, or garbage. It gets no answer.
    #[error("not a request")]
    Stray,
}

impl RequestError {
    /// The ERROR packet to send, if one is due.
    pub fn refusal(&self) -> Option<Vec<u8>> {
        match self {
            Self::Write(_) => Some(error(ErrorCode::AccessViolation, "this server is read only")),
            Self::Mode(_) => Some(error(ErrorCode::Other, "only octet mode is served")),
            Self::Malformed => Some(error(ErrorCode::IllegalOperation, "malformed request")),
            Self::Stray => None,
        }
    }
}

impl ReadRequest {
    /// Reads the packet that a client sends to the server's well-known port.
    ///
    /// # Errors
    /// [`RequestError`], whose `refusal` is the answer.
    pub fn parse(bytes: &[u8]) -> Result<Self, RequestError> {
        let (opcode, body) = bytes.split_first_chunk::<2>().ok_or(RequestError::Stray)?;
        let opcode = u16::from_be_bytes(*opcode);
        if opcode != 1 && opcode != 2 {
            return Err(RequestError::Stray);
        }
        if bytes.len() > LONGEST_REQUEST {
            return Err(RequestError::Malformed);
        }
        let mut fields = Texts(body);
        let name = fields.next().ok_or(RequestError::Malformed)?;
        if opcode == 2 {
            return Err(RequestError::Write(printable(name)));
        }
        let mode = fields.next().ok_or(RequestError::Malformed)?;
        if !mode.eq_ignore_ascii_case(b"octet") {
            return Err(RequestError::Mode(printable(mode)));
        }
        Ok(Self { name: name.to_vec(), asked: Asked::read(fields) })
    }
}

/// The NUL-terminated texts of a request.
struct Texts<'a>(&'a [u8]);

impl<'a> Iterator for Texts<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|b| *b == 0)?;
        let (text, rest) = self.0.split_at_checked(end)?;
        self.0 = rest.get(1..).unwrap_or_default();
        Some(text)
    }
}

impl Asked {
    fn read(mut fields: Texts<'_>) -> Self {
        let mut asked = Self::default();
        while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
            asked.set(&name.to_ascii_lowercase(), value);
        }
        asked
    }

    /// The first of a repeated option counts (RFC 2347 forbids repeating).
    fn set(&mut self, name: &[u8], value: &[u8]) {
        let number = || number(value);
        match name {
            b"blksize" if self.blksize.is_none() => {
                self.blksize =
                    number().and_then(|n| u16::try_from(n).ok()).filter(|n| (8..=65464).contains(n));
            }
            b"tsize" if self.tsize.is_none() => self.tsize = number(),
            b"timeout" if self.timeout.is_none() => {
                self.timeout = number().and_then(|n| u8::try_from(n).ok()).filter(|n| *n > 0);
            }
            b"windowsize" if self.windowsize.is_none() => {
                self.windowsize = number().and_then(|n| u16::try_from(n).ok()).filter(|n| *n > 0);
            }
            _ => {}
        }
    }
}

fn number(value: &[u8]) -> Option<u64> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    if digits { std::str::from_utf8(value).ok()?.parse().ok() } else { None }
}

/// What a client sends during a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// Blocks up to this one arrived.
    Ack(u16),
    /// It gives up, or only wanted the size.
    Error {
        /// Code as sent.
        code: u16,
        /// Message, printable.
        message: String,
    },
}

impl Packet {
    /// Reads a packet within a transfer; `None` for all else.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (head, rest) = bytes.split_first_chunk::<4>()?;
        let [a, b, c, d] = *head;
        let value = u16::from_be_bytes([c, d]);
        match u16::from_be_bytes([a, b]) {
            4 => Some(Self::Ack(value)),
            5 => Some(Self::Error { code: value, message: printable(rest) }),
            _ => None,
        }
    }
}

/// The options that are granted, with their values: what an OACK holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Answer {
    /// Granted block size.
    pub blksize: Option<u16>,
    /// The file's size.
    pub tsize: Option<u64>,
    /// Granted timeout.
    pub timeout: Option<u8>,
    /// Granted window.
    pub windowsize: Option<u16>,
}

impl Answer {
    /// The OACK, or `None` when nothing was granted and the transfer starts with the first block.
    pub fn to_bytes(self) -> Option<Vec<u8>> {
        if self == Self::default() {
            return None;
        }
        let mut out = vec![0, 6];
        let mut put = |name: &str, value: Option<u64>| {
            if let Some(value) = value {
                out.extend_from_slice(format!("{name}\0{value}\0").as_bytes());
            }
        };
        put("blksize", self.blksize.map(u64::from));
        put("tsize", self.tsize);
        put("timeout", self.timeout.map(u64::from));
        put("windowsize", self.windowsize.map(u64::from));
        Some(out)
    }
}

/// An ERROR packet.
pub fn error(code: ErrorCode, message: &str) -> Vec<u8> {
    let mut out = vec![0, 5];
    out.extend_from_slice(&code.number().to_be_bytes());
    out.extend_from_slice(message.as_bytes());
    out.push(0);
    out
}
