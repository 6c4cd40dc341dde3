//! The tiny image's init: what systemd and networkd do elsewhere, for one program.

use std::time::Duration;

use anyhow::Context as _;
use cairn_contract::inventory::NicInfo;
use cairn_machine::net::{self, Lease, dhcp};
use cairn_machine::start;

use crate::service;

const CARRIER_LIMIT: Duration = Duration::from_secs(30);
const LEASE_LIMIT: Duration = Duration::from_secs(10);
/// Time to read the console.
const COUNTDOWN: Duration = Duration::from_secs(10);

/// Brings the network up on a thread that keeps it, and serves.
/// Never returns without an error: PID 1 goes on as the service.
///
/// # Errors
/// When the machine cannot be prepared.
pub fn run() -> anyhow::Result<()> {
    start::mount_basics()?;
    let _ = start::open_console();
    std::thread::Builder::new().name("network".into()).spawn(keep_network).context("no thread")?;
    service::run()
}

/// PID 1 must not end.
pub fn reboot() {
    std::thread::sleep(COUNTDOWN);
    let error = start::reboot();
    tracing::error!("the machine does not reboot: {error}");
}

/// Has one interface with a lease, always: the first that gets one, until its lease is lost.
fn keep_network() {
    for nic in net::list() {
        if let Err(error) = net::link_up(&nic.name) {
            tracing::warn!("{error}");
        }
    }
    loop {
        start::reap();
        for nic in net::wait_for_carrier(CARRIER_LIMIT).unwrap_or_default().into_iter().filter(|n| n.carrier)
        {
            match dhcp::acquire(&nic.name, nic.mac, LEASE_LIMIT) {
                Ok(lease) => hold(&nic, lease),
                Err(error) => tracing::warn!("{error}"),
            }
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// Holds a lease until it is refused or runs out.
fn hold(nic: &NicInfo, mut lease: Lease) {
    loop {
        if let Err(error) = net::apply(&nic.name, &lease) {
            tracing::warn!("{error}");
            return;
        }
        tracing::info!("{} has {}/{}", nic.name, lease.address, lease.prefix);
        let half = Duration::from_secs(u64::from(lease.seconds / 2).max(10));
        std::thread::sleep(half);
        match dhcp::renew(&nic.name, nic.mac, &lease, half) {
            Ok(renewed) => lease = renewed,
            Err(error) => {
                tracing::warn!("the lease is lost: {error}");
                let _ = net::clear(&nic.name);
                return;
            }
        }
    }
}
