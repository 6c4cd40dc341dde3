//! Streams inwards over the one connection that a host dialled ([`cairn_contract::workload::tunnel`]): both ends of the wire.
//!
//! ```text
//!  agent    GET /host/v1/tunnel, Upgrade: websocket  -->  101      [`upgrade`]
//!           binary messages = one stream of bytes                  [`Wire`], with pings and a limit on silence
//!           yamux in it: the provisioner opens, the agent serves   [`hub`], [`Inward`]
//!           first a line of JSON each way, then bytes              [`Stream`], [`line`]
//! ```
//! Not here: which hosts have a tunnel (`cairn-fleet`), what the agent does with a stream (`cairn-agentd`), TLS and HTTP. Both
//! ends believe nothing: lines, messages, windows and streams are bounded, and a peer that says nothing for a minute is gone.

mod hub;
mod inward;
pub mod line;
mod stream;
pub mod upgrade;
mod wire;

pub use hub::{Hub, OpenError, Opener, hub};
pub use inward::Inward;
pub use line::LineError;
pub use stream::Stream;
pub use wire::{End, Wire};

/// Streams of one tunnel at once.
pub const MOST_STREAMS: usize = 64;

/// yamux with windows that stay at their first 256 KiB: `MOST_STREAMS` of them, 16 MiB, are the most that one peer makes us keep.
fn settings() -> yamux::Config {
    let mut settings = yamux::Config::default();
    settings.set_max_num_streams(MOST_STREAMS);
    let window = usize::try_from(yamux::DEFAULT_CREDIT).unwrap_or(usize::MAX);
    settings.set_max_connection_receive_window(Some(window.saturating_mul(MOST_STREAMS)));
    settings
}
