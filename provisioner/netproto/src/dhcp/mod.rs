//! DHCPv4 (RFC 2131) as network boot uses it: [`Message`] is the lossless view of a packet, [`Request`] what a client
//! asks in typed form, [`Reply`] what the server answers, written to bytes by the rules of netboot.md A, B and D.
//!
//! The codec is our own and not dhcproto's: the rules need the raw bytes (option 82 and 97 echoed byte for byte,
//! option 93 as a list, overload read, malformed options reported and not dropped), and dhcproto 0.15 loses them and
//! panics on option 94 in debug builds. What is needed is smaller than the work around that.
//!
//! ```text
//! bytes --Message::parse--> Message --Request::read--> Request --(policy, lease)--> Reply --to_bytes(&Request)--> bytes
//! ```

mod client;
mod message;
pub mod options;
mod reply;
mod request;

pub use client::{Arch, BootItem, Class, Client, Ipxe};
pub use message::{BROADCAST, Message, Oddity, ParseError};
pub use reply::{Boot, BuildError, Destination, Menu, Network, Reply, ReplyKind};
pub use request::{Kind, Request};
