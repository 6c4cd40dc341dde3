//! Interfaces below /sys/class/net, and what the kernel is told about them.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use cairn_contract::Mac;
use cairn_contract::inventory::NicInfo;

use nix::ifaddrs::getifaddrs;

use super::Lease;
use crate::inventory::text;
use crate::sys;

const CLASS: &str = "/sys/class/net";
/// ARPHRD_ETHER.
const ETHERNET: &str = "1";

/// Why the kernel would not set up an interface.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// Bringing the link up failed.
    #[error("cannot bring {nic} up")]
    Link {
        /// Interface.
        nic: String,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// Setting the address failed.
    #[error("cannot give {nic} its address")]
    Address {
        /// Interface.
        nic: String,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// Setting the default route failed.
    #[error("cannot route through {nic}")]
    Route {
        /// Interface.
        nic: String,
        /// Cause.
        #[source]
        source: io::Error,
    },
}

/// The Ethernet interfaces that are devices (no loopback, bridge or tunnel), by name.
#[must_use]
pub fn list() -> Vec<NicInfo> {
    list_in(Path::new(CLASS))
}

fn list_in(class: &Path) -> Vec<NicInfo> {
    let mut nics: Vec<NicInfo> = fs::read_dir(class)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|e| e.path().join("device").exists() && text(&e.path().join("type")) == ETHERNET)
        .filter_map(|e| read(&e.path(), e.file_name().into_string().ok()?))
        .collect();
    nics.sort_by(|a, b| a.name.cmp(&b.name));
    nics
}

fn read(folder: &Path, name: String) -> Option<NicInfo> {
    let driver = fs::read_link(folder.join("device/driver")).ok();
    let driver = driver.and_then(|d| d.file_name()?.to_str().map(str::to_owned));
    Some(NicInfo {
        mac: text(&folder.join("address")).parse::<Mac>().ok()?,
        driver: driver.unwrap_or_default(),
        // The file reads -1, or not at all, while the link is down.
        speed_mbps: text(&folder.join("speed")).parse().ok(),
        carrier: text(&folder.join("carrier")) == "1",
        name,
    })
}

/// The order in which to try interfaces: the one that booted, then those with a carrier, then by name.
#[must_use]
pub fn order(mut nics: Vec<NicInfo>, boot: Option<Mac>) -> Vec<NicInfo> {
    nics.sort_by_key(|n| (Some(n.mac) != boot, !n.carrier, n.name.clone()));
    nics
}

/// Reads `BOOTIF=01-52-54-00-12-34-56` (PXELINUX's form: hardware type, then the address).
#[must_use]
pub fn parse_bootif(value: &str) -> Option<Mac> {
    value.strip_prefix("01-").unwrap_or(value).parse().ok()
}

/// The interface that has this address.
#[must_use]
pub fn with_address(ip: IpAddr) -> Option<NicInfo> {
    let name = getifaddrs().ok()?.find_map(|entry| {
        let address = entry.address?;
        let found = match ip {
            IpAddr::V4(v4) => address.as_sockaddr_in().is_some_and(|a| a.ip() == v4),
            IpAddr::V6(v6) => address.as_sockaddr_in6().is_some_and(|a| a.ip() == v6),
        };
        found.then_some(entry.interface_name)
    })?;
    list().into_iter().find(|n| n.name == name)
}

/// Brings an interface up.
///
/// # Errors
/// [`NetError::Link`].
pub fn link_up(nic: &str) -> Result<(), NetError> {
    sys::net::set_up(nic).map_err(|source| NetError::Link { nic: nic.to_owned(), source })
}

/// Waits until one of the interfaces has a carrier, or `limit` passes. Returns whether one has.
#[must_use]
pub fn wait_for_carrier(limit: Duration) -> Option<Vec<NicInfo>> {
    let end = Instant::now() + limit;
    loop {
        let nics = list();
        if nics.iter().any(|n| n.carrier) {
            return Some(nics);
        }
        if Instant::now() >= end {
            return None;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Gives the interface the lease's address and, if there is one, its default route.
///
/// # Errors
/// [`NetError::Address`] or [`NetError::Route`].
pub fn apply(nic: &str, lease: &Lease) -> Result<(), NetError> {
    let name = || nic.to_owned();
    sys::net::set_address(nic, lease.address, lease.netmask())
        .map_err(|source| NetError::Address { nic: name(), source })?;
    if let Some(router) = lease.router {
        sys::net::add_default_route(nic, router).map_err(|source| NetError::Route { nic: name(), source })?;
    }
    Ok(())
}

/// Takes the address (and with it the routes) away again.
///
/// # Errors
/// [`NetError::Address`].
pub fn clear(nic: &str) -> Result<(), NetError> {
    sys::net::set_address(nic, std::net::Ipv4Addr::UNSPECIFIED, std::net::Ipv4Addr::UNSPECIFIED)
        .map_err(|source| NetError::Address { nic: nic.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nic(name: &str, last: u8, carrier: bool) -> NicInfo {
        let mac = Mac([2, 0, 0, 0, 0, last]);
        NicInfo { name: name.into(), mac, driver: String::new(), speed_mbps: None, carrier }
    }

    #[test]
    fn the_boot_interface_goes_first_then_those_with_a_carrier() {
        let nics = vec![nic("a", 1, false), nic("b", 2, true), nic("c", 3, false)];
        let names = |boot| order(nics.clone(), boot).into_iter().map(|n| n.name).collect::<Vec<_>>();
        assert_eq!(names(Some(Mac([2, 0, 0, 0, 0, 3]))), ["c", "b", "a"]);
        assert_eq!(names(None), ["b", "a", "c"]);
    }

    #[test]
    fn bootif_is_read_with_and_without_hardware_type() {
        let mac = Some(Mac([0x52, 0x54, 0, 0x12, 0x34, 0x56]));
        assert_eq!(parse_bootif("01-52-54-00-12-34-56"), mac);
        assert_eq!(parse_bootif("52:54:00:12:34:56"), mac);
        assert_eq!(parse_bootif("01-52"), None);
    }

    #[test]
    fn loopback_is_no_interface() {
        assert!(list().iter().all(|n| n.name != "lo"));
    }
}
