//! The addresses that may be given, checked once: subnets, pools and terms.

use std::net::Ipv4Addr;

use cairn_netproto::dhcp::{Class, Network, Request};

use super::Key;

/// Largest pool of one subnet.
const MOST: u32 = 65_536;

/// One subnet that is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subnet {
    /// Any address of it, usually the first.
    pub network: Ipv4Addr,
    /// Prefix length, 8 to 30.
    pub prefix: u8,
    /// First and last address of the pool; `None` serves reservations only.
    pub pool: Option<(Ipv4Addr, Ipv4Addr)>,
    /// Routers.
    pub routers: Vec<Ipv4Addr>,
    /// DNS servers.
    pub dns: Vec<Ipv4Addr>,
    /// Search domain.
    pub domain: Option<String>,
}

impl Subnet {
    fn mask(&self) -> u32 {
        u32::MAX.checked_shl(u32::from(32_u8.saturating_sub(self.prefix))).unwrap_or(0)
    }

    /// True when the address is of this subnet.
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        u32::from(address) & self.mask() == u32::from(self.network) & self.mask()
    }

    /// True when a machine may have it: in the subnet, and neither its first nor its last address.
    pub fn is_host(&self, address: Ipv4Addr) -> bool {
        let host = u32::from(address) & !self.mask();
        self.contains(address) && host != 0 && host != !self.mask()
    }

    /// True when the pool holds it.
    pub fn in_pool(&self, address: Ipv4Addr) -> bool {
        self.pool.is_some_and(|(first, last)| (first..=last).contains(&address))
    }

    /// The pool's addresses in order.
    pub fn pool(&self) -> impl Iterator<Item = Ipv4Addr> + use<> {
        let (first, last) = self.pool.map_or((1, 0), |(first, last)| (u32::from(first), u32::from(last)));
        (first..=last).map(Ipv4Addr::from)
    }

    /// What a client is told of it.
    pub fn settings(&self) -> Network {
        Network {
            prefix: self.prefix,
            routers: self.routers.clone(),
            dns: self.dns.clone(),
            domain: self.domain.clone(),
        }
    }
}

/// For how long things last, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Lease of firmware and iPXE: short, because the OS asks again.
    pub boot: u32,
    /// Lease of an operating system.
    pub os: u32,
    /// How long an offer is held; OVMF takes 4 s to choose, and two exchanges may overlap.
    pub offer: u32,
    /// How long a declined address is set aside.
    pub quarantine: u32,
}

impl Default for Terms {
    fn default() -> Self {
        Self { boot: 900, os: 3600, offer: 60, quarantine: 3600 }
    }
}

/// What a lease belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyBy {
    /// The hardware address.
    #[default]
    Hardware,
    /// Option 97 where it was sent, else the hardware address.
    Machine,
}

/// All that may be given on an interface and by its relays. Only [`Plan::new`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    server: Ipv4Addr,
    subnets: Vec<Subnet>,
    terms: Terms,
    key_by: KeyBy,
}

/// Why a plan cannot be served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A prefix length without room for hosts, or too wide.
    #[error("subnet {0}/{1}: the prefix must be 8 to 30")]
    Prefix(Ipv4Addr, u8),
    /// A pool that is not in its subnet, is reversed, or holds the subnet's own addresses.
    #[error("pool {0} to {1} is not a range of host addresses of its subnet")]
    Pool(Ipv4Addr, Ipv4Addr),
    /// A pool that is too large.
    #[error("pool {0} to {1} has more than 65536 addresses")]
    PoolTooLarge(Ipv4Addr, Ipv4Addr),
    /// A pool that holds this server's or a router's address.
    #[error("pool {0} to {1} holds {2}, which is a router's or this server's address")]
    PoolHolds(Ipv4Addr, Ipv4Addr, Ipv4Addr),
    /// Two subnets overlap.
    #[error("subnets {0} and {1} overlap")]
    Overlap(Ipv4Addr, Ipv4Addr),
    /// A term of zero.
    #[error("a lease time of zero")]
    ZeroTerm,
}

impl Plan {
    /// Checks what the configuration says.
    ///
    /// # Errors
    /// [`PlanError`] names the first thing that cannot be served.
    pub fn new(
        server: Ipv4Addr,
        subnets: Vec<Subnet>,
        terms: Terms,
        key_by: KeyBy,
    ) -> Result<Self, PlanError> {
        if [terms.boot, terms.os, terms.offer, terms.quarantine].contains(&0) {
            return Err(PlanError::ZeroTerm);
        }
        for (at, subnet) in subnets.iter().enumerate() {
            check(subnet, server)?;
            let overlaps = |other: &&Subnet| other.contains(subnet.network) || subnet.contains(other.network);
            if let Some(other) = subnets.iter().take(at).find(overlaps) {
                return Err(PlanError::Overlap(other.network, subnet.network));
            }
        }
        Ok(Self { server, subnets, terms, key_by })
    }

    /// This server's address.
    pub fn server(&self) -> Ipv4Addr {
        self.server
    }

    /// The terms.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The subnet that holds an address.
    pub fn subnet_of(&self, address: Ipv4Addr) -> Option<&Subnet> {
        self.subnets.iter().find(|subnet| subnet.contains(address))
    }

    /// The subnet that a request comes from (rule 19): as its relay says, else as the client's own address shows when it
    /// renews, else the one this server is in.
    pub fn subnet_for(&self, request: &Request) -> Option<&Subnet> {
        if let Some(link) = request.link_selection.filter(|_| request.is_relayed()) {
            return self.subnet_of(link);
        }
        if request.is_relayed() {
            return self.subnet_of(request.giaddr);
        }
        let own = Some(request.ciaddr).filter(|address| !address.is_unspecified());
        own.and_then(|address| self.subnet_of(address)).or_else(|| self.subnet_of(self.server))
    }

    /// To whom a lease for this request belongs.
    pub fn key(&self, request: &Request) -> Key {
        match (self.key_by, request.client.machine_uuid) {
            (KeyBy::Machine, Some(uuid)) => Key::Machine(uuid),
            (KeyBy::Machine, None) | (KeyBy::Hardware, _) => Key::Hardware(request.chaddr),
        }
    }

    /// Lease time in seconds.
    pub fn seconds(&self, class: Class) -> u32 {
        if class == Class::Os { self.terms.os } else { self.terms.boot }
    }
}

fn check(subnet: &Subnet, server: Ipv4Addr) -> Result<(), PlanError> {
    if !(8..=30).contains(&subnet.prefix) {
        return Err(PlanError::Prefix(subnet.network, subnet.prefix));
    }
    let Some((first, last)) = subnet.pool else { return Ok(()) };
    if first > last || !subnet.is_host(first) || !subnet.is_host(last) {
        return Err(PlanError::Pool(first, last));
    }
    if u32::from(last).saturating_sub(u32::from(first)) >= MOST {
        return Err(PlanError::PoolTooLarge(first, last));
    }
    match subnet.routers.iter().chain([&server]).find(|address| subnet.in_pool(**address)) {
        Some(taken) => Err(PlanError::PoolHolds(first, last, *taken)),
        None => Ok(()),
    }
}
