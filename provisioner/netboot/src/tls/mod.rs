//! TLS for firmware: who is calling ([`classify`]), the key exchange for firmware without elliptic curves ([`ffdhe`]),
//! and the server configuration that all known boot clients accept ([`firmware_config`]). The port itself is the server
//! crate's; [`DheGate`] bounds what one client may cost there. Facts: lab/https.md.

mod audience;
mod config;
pub mod ffdhe;
mod gate;

pub use audience::{Audience, Curves, Offer, classify};
pub use config::{ConfigError, Dhe, firmware_config};
pub use gate::{DheGate, DhePermit};
