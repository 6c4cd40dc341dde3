//! The answer to each DHCP message, by RFC 2131 4.3 and netboot.md D. Total and pure: the time is an argument, and
//! nothing changes until [`Table::apply`].

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use cairn_contract::Timestamp;
use cairn_netproto::dhcp::{Kind, Request};

use super::plan::{Plan, Subnet};
use super::{Key, Lease, Table};

/// Addresses kept for machines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reserved {
    by_key: BTreeMap<Key, Ipv4Addr>,
}

impl Reserved {
    /// Reservations; of two for one address the later is dropped, and its key gets one from the pool.
    pub fn new(pairs: impl IntoIterator<Item = (Key, Ipv4Addr)>) -> Self {
        let mut by_key = BTreeMap::new();
        let mut taken = std::collections::BTreeSet::new();
        for (key, address) in pairs {
            if taken.insert(address) {
                by_key.insert(key, address);
            }
        }
        Self { by_key }
    }

    fn of(&self, keys: [Option<Key>; 2]) -> Option<Ipv4Addr> {
        keys.into_iter().flatten().find_map(|key| self.by_key.get(&key).copied())
    }

    fn is_for_another(&self, address: Ipv4Addr, mine: Option<Ipv4Addr>) -> bool {
        mine != Some(address) && self.by_key.values().any(|reserved| *reserved == address)
    }
}

/// One message with all that its answer depends on.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The message.
    pub request: &'a Request,
    /// Reservations.
    pub reserved: &'a Reserved,
    /// The time.
    pub now: Timestamp,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Hold this address until the lease's `until`, and offer it.
    Offer(Lease),
    /// Make this lease durable, then ACK it.
    Ack(Lease),
    /// ACK with settings and without an address.
    Inform,
    /// Refuse.
    Nak(NakWhy),
    /// The client chose another server: end the hold.
    Withdraw {
        /// The address that was held for it.
        held: Option<Ipv4Addr>,
        /// The server it chose.
        chosen: Ipv4Addr,
    },
    /// The client gave this address back.
    Free(Ipv4Addr),
    /// Another machine uses this address.
    Quarantine {
        /// The address.
        address: Ipv4Addr,
        /// Until then nobody gets it.
        until: Timestamp,
    },
    /// No answer.
    Ignore(IgnoreWhy),
}

/// Why an address is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NakWhy {
    /// It is not of the subnet the client is in.
    #[error("{0} does not belong to this network")]
    WrongNetwork(Ipv4Addr),
    /// It is another's, or set aside.
    #[error("{0} is not free")]
    Taken(Ipv4Addr),
    /// Another address is this client's.
    #[error("{asked} was asked for, but {yours} is its address")]
    NotYours {
        /// Asked for.
        asked: Ipv4Addr,
        /// On record.
        yours: Ipv4Addr,
    },
}

/// Why a message gets no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IgnoreWhy {
    /// It comes from a subnet that is not configured.
    #[error("its subnet is not served here")]
    NoSubnet,
    /// No address is free.
    #[error("the address pool is used up")]
    PoolEmpty,
    /// It asks to keep an address of which nothing is known here; the RFC wants silence.
    #[error("nothing is known here of the address that it wants to keep")]
    NoRecord,
    /// It is addressed to another server.
    #[error("it speaks to the DHCP server {0}")]
    OtherServer(Ipv4Addr),
    /// It gives back or declines an address that is not its own.
    #[error("it gave back or declined an address that is not its own")]
    NotHolder,
    /// It lacks the address that this kind of message must hold.
    #[error("the message does not say which address it is about")]
    NoAddress,
}

/// Decides the answer to one message.
pub fn decide(plan: &Plan, table: &Table, ask: &Ask<'_>) -> Decision {
    let Some(subnet) = plan.subnet_for(ask.request) else { return Decision::Ignore(IgnoreWhy::NoSubnet) };
    let cx = Cx { plan, table, ask, subnet, key: plan.key(ask.request) };
    match ask.request.kind {
        Kind::Discover => cx.discover(),
        Kind::Request => cx.request(),
        Kind::Inform if ask.request.ciaddr.is_unspecified() => Decision::Ignore(IgnoreWhy::NoAddress),
        Kind::Inform => Decision::Inform,
        Kind::Decline => cx.decline(),
        Kind::Release => cx.release(),
    }
}

struct Cx<'a> {
    plan: &'a Plan,
    table: &'a Table,
    ask: &'a Ask<'a>,
    subnet: &'a Subnet,
    key: Key,
}

impl Cx<'_> {
    fn discover(&self) -> Decision {
        match self.pick() {
            Some(address) => Decision::Offer(self.lease(address, self.plan.terms().offer)),
            None => Decision::Ignore(IgnoreWhy::PoolEmpty),
        }
    }

    fn request(&self) -> Decision {
        let request = self.ask.request;
        let wanted = request.requested_ip.filter(|address| !address.is_unspecified());
        match (request.server_id, wanted, request.ciaddr) {
            // SELECTING, another server's offer.
            (Some(chosen), ..) if chosen != self.plan.server() => {
                Decision::Withdraw { held: self.table.last_of(&self.key, self.subnet), chosen }
            }
            // SELECTING, ours: the client may take what is free for it, also when a restart forgot the hold.
            (Some(_), Some(wanted), _) => self.grant(wanted),
            // RENEWING and REBINDING.
            (_, None, own) if !own.is_unspecified() => self.keep(own),
            // INIT-REBOOT.
            (None, Some(wanted), _) => self.keep(wanted),
            (_, None, _) => Decision::Ignore(IgnoreWhy::NoAddress),
        }
    }

    fn grant(&self, wanted: Ipv4Addr) -> Decision {
        if !self.subnet.is_host(wanted) {
            return Decision::Nak(NakWhy::WrongNetwork(wanted));
        }
        if self.may_have(wanted) {
            return Decision::Ack(self.lease(wanted, self.plan.seconds(self.ask.request.client.class)));
        }
        Decision::Nak(NakWhy::Taken(wanted))
    }

    /// A client that has an address already, by its own account.
    fn keep(&self, own: Ipv4Addr) -> Decision {
        if !self.subnet.is_host(own) {
            return Decision::Nak(NakWhy::WrongNetwork(own));
        }
        if self.table.has_lease(own, &self.key) {
            return self.grant(own);
        }
        match self.table.last_of(&self.key, self.subnet) {
            Some(yours) if yours != own => Decision::Nak(NakWhy::NotYours { asked: own, yours }),
            _ if !self.table.is_free_for(own, &self.key, self.ask.now) => Decision::Nak(NakWhy::Taken(own)),
            _ => Decision::Ignore(IgnoreWhy::NoRecord),
        }
    }

    fn decline(&self) -> Decision {
        let Some(address) = self.ask.request.requested_ip else {
            return Decision::Ignore(IgnoreWhy::NoAddress);
        };
        match self.not_ours(address) {
            Some(ignored) => ignored,
            None => {
                let until = self.ask.now.after_seconds(self.plan.terms().quarantine);
                Decision::Quarantine { address, until }
            }
        }
    }

    fn release(&self) -> Decision {
        let address = self.ask.request.ciaddr;
        self.not_ours(address).unwrap_or(Decision::Free(address))
    }

    /// Only its holder may give an address back or decline it, and only to us: else one host could empty the pool.
    fn not_ours(&self, address: Ipv4Addr) -> Option<Decision> {
        match self.ask.request.server_id {
            Some(other) if other != self.plan.server() => {
                return Some(Decision::Ignore(IgnoreWhy::OtherServer(other)));
            }
            _ => {}
        }
        let holds = self.table.holder(address, self.ask.now) == Some(self.key);
        (!holds).then_some(Decision::Ignore(IgnoreWhy::NotHolder))
    }

    /// Reservation, then what it has or had, then what it wishes, then an untouched address, then the oldest.
    fn pick(&self) -> Option<Ipv4Addr> {
        let mine = self.reservation().filter(|address| self.may_have(*address));
        let before = || self.table.last_of(&self.key, self.subnet).filter(|address| self.may_have(*address));
        let wished = || self.ask.request.requested_ip.filter(|address| self.may_have(*address));
        let fresh = || self.subnet.pool().find(|a| self.table.is_untouched(*a) && self.may_have(*a));
        let oldest = || self.table.oldest_expired(self.subnet, self.ask.now, |a| self.may_have(a));
        mine.or_else(before).or_else(wished).or_else(fresh).or_else(oldest)
    }

    /// True when the address is this client's to have: reserved for it, or of the pool and reserved for nobody, and in
    /// either case not another's now.
    fn may_have(&self, address: Ipv4Addr) -> bool {
        let reserved = self.reservation();
        let open = reserved == Some(address)
            || (self.subnet.in_pool(address) && !self.ask.reserved.is_for_another(address, reserved));
        open && address != self.plan.server() && self.table.is_free_for(address, &self.key, self.ask.now)
    }

    /// By the lease's key, or by either name of the machine: an operator reserves by what is printed on it.
    fn reservation(&self) -> Option<Ipv4Addr> {
        let request = self.ask.request;
        let keys = [Some(Key::Hardware(request.chaddr)), request.client.machine_uuid.map(Key::Machine)];
        self.ask.reserved.of(keys).filter(|address| self.subnet.is_host(*address))
    }

    fn lease(&self, address: Ipv4Addr, seconds: u32) -> Lease {
        let request = self.ask.request;
        Lease {
            address,
            key: self.key,
            mac: request.chaddr,
            uuid: request.client.machine_uuid,
            class: request.client.class,
            until: self.ask.now.after_seconds(seconds),
        }
    }
}
