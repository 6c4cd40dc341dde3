//! The machine's network: interfaces, links, an IPv4 address by DHCP.
//!
//! IPv4 only, one interface at a time: the installer tries them in [`order`] until one reaches the provisioner. Not a
//! resolver: the C library's does not work in static programs, and the provisioner is an IP literal.

pub mod dhcp;
mod nic;
mod packet;

pub use dhcp::{DhcpError, Lease};
pub use nic::{NetError, apply, clear, link_up, list, order, parse_bootif, wait_for_carrier, with_address};
