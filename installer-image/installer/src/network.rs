//! From cables to a connection: the first interface through which the provisioner proves itself.

use std::time::Duration;

use anyhow::Context as _;
use cairn_contract::inventory::NicInfo;
use cairn_contract::report::FailureKind;
use cairn_contract::{Mac, SiteTrust};
use cairn_machine::link::{Link, Protocol, Trust};
use cairn_machine::net::{self, Lease, dhcp};
use cairn_machine::start::CommandLine;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep};

use crate::failure::Failure;
use crate::report;

/// One interface's turn: three DISCOVERs.
const LEASE_LIMIT: Duration = Duration::from_secs(5);
const CARRIER_LIMIT: Duration = Duration::from_secs(10);
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// All interfaces, over and over: switches with spanning tree forward after half a minute.
const LIMIT: Duration = Duration::from_secs(180);

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// The way to the provisioner.
#[derive(Debug)]
pub(crate) struct Network {
    /// The interface that reached it.
    pub(crate) mac: Mac,
    pub(crate) trust: Trust,
    /// The connection that showed it; taken by the first who needs one.
    pub(crate) link: Option<Link>,
    /// Keeps the lease.
    _renewal: JoinSet<()>,
}

impl Network {
    /// A connection: the first one, or a new one.
    pub(crate) async fn link(&mut self, site: &SiteTrust) -> Result<Link, cairn_machine::link::LinkError> {
        match self.link.take() {
            Some(link) => Ok(link),
            None => Link::connect(site.server, &self.trust, Protocol::Http1, CONNECT_LIMIT).await,
        }
    }
}

/// Tries the interfaces in order until one reaches the provisioner.
pub(crate) async fn connect(site: &SiteTrust) -> Result<Network, Failure> {
    let trust = Trust::new(&site.ca.0, site.not_before, None)
        .map_err(|e| Failure::internal(anyhow::Error::new(e).context("the site's CA is unusable")))?;
    let boot = CommandLine::read().ok().and_then(|c| c.get("BOOTIF").and_then(net::parse_bootif));
    let end = Instant::now() + LIMIT;
    for nic in net::list() {
        if let Err(error) = net::link_up(&nic.name) {
            tracing::warn!("{:#}", anyhow::Error::new(error));
        }
    }
    let mut pause = FIRST_PAUSE;
    let mut last = anyhow::anyhow!("this machine shows no network interface with a carrier");
    loop {
        let nics = spawn_blocking(|| net::wait_for_carrier(CARRIER_LIMIT)).await.ok().flatten();
        for nic in net::order(nics.unwrap_or_default(), boot).into_iter().filter(|n| n.carrier) {
            match reach(site, &trust, &nic).await {
                Ok(network) => return Ok(network),
                Err(error) => {
                    tracing::warn!("{}: {error:#}", nic.name);
                    last = error;
                    // Its address must not stand in the way of the next interface's.
                    let _ = net::clear(&nic.name);
                }
            }
        }
        if Instant::now() >= end {
            return Err(Failure::new(FailureKind::Internal, last.context("the provisioner was not reached")));
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn reach(site: &SiteTrust, trust: &Trust, nic: &NicInfo) -> anyhow::Result<Network> {
    let (name, mac) = (nic.name.clone(), nic.mac);
    let lease = spawn_blocking(move || dhcp::acquire(&name, mac, LEASE_LIMIT)).await??;
    tracing::info!("{} has {}/{} from {}", nic.name, lease.address, lease.prefix, lease.server);
    net::apply(&nic.name, &lease)?;
    let link = Link::connect(site.server, trust, Protocol::Http1, CONNECT_LIMIT).await;
    let link = link.context("no connection to the provisioner")?;
    tracing::info!("connected to {} through {}", site.server, nic.name);
    report::reachable(mac);
    let mut renewal = JoinSet::new();
    renewal.spawn(keep(nic.clone(), lease));
    Ok(Network { mac, trust: trust.clone(), link: Some(link), _renewal: renewal })
}

/// Renews at half of the lease. A refusal leaves the address: an installation is shorter than any address's reuse.
async fn keep(nic: NicInfo, mut lease: Lease) {
    loop {
        let half = Duration::from_secs(u64::from(lease.seconds / 2).max(10));
        sleep(half).await;
        let (name, mac, held) = (nic.name.clone(), nic.mac, lease.clone());
        match spawn_blocking(move || dhcp::renew(&name, mac, &held, half / 2)).await {
            Ok(Ok(renewed)) => lease = renewed,
            Ok(Err(error)) => tracing::warn!("the lease was not renewed: {error}"),
            Err(_) => return,
        }
    }
}
