//! From a packet to a reply: parse, decide, make durable, choose the boot part, build. No socket here.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use cairn_contract::Timestamp;
use cairn_netproto::dhcp::{Arch, Boot, Class, Kind, Message, Oddity, Reply, ReplyKind, Request, options};
use cairn_netproto::{Mac, MachineUuid};

use super::{Ready, Reservations, STORE_PATIENCE};
use crate::Parts;
use crate::choice;
use crate::directory::{BootAnswer, BootClient};
use crate::event::{BootEvent, BootPart, NoFile, OtherServer, Service, What, Who};
use crate::lease::{Ask, Decision, Lease, LeaseStore, LeaseStoreError, NakWhy, Plan, Table, decide};

/// The server without its sockets.
pub(super) struct Answerer {
    plan: Plan,
    parts: Parts,
    store: Arc<dyn LeaseStore>,
    reservations: Reservations,
    table: Table,
    /// Other servers that were told of, and when.
    others: BTreeMap<Ipv4Addr, Timestamp>,
}

/// A second server is told of once in this time: it answers as often as we do.
const TOLD_AGAIN_SECS: u32 = 60;
/// Most other servers kept; more than one is trouble enough.
const MOST_OTHERS: usize = 64;

impl std::fmt::Debug for Answerer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answerer")
            .field("plan", &self.plan)
            .field("table", &self.table)
            .finish_non_exhaustive()
    }
}

impl Answerer {
    pub(super) fn new(
        plan: Plan,
        parts: Parts,
        store: Arc<dyn LeaseStore>,
        reservations: Reservations,
    ) -> Self {
        Self { plan, parts, store, reservations, table: Table::default(), others: BTreeMap::new() }
    }

    pub(super) fn parts(&self) -> &Parts {
        &self.parts
    }

    pub(super) fn table(&mut self) -> &mut Table {
        &mut self.table
    }

    /// The reply to a packet, if it gets one. Everything that happens is told to the observer, except that the reply
    /// left: that is the caller's to know.
    pub(super) async fn answer(&mut self, bytes: &[u8], from: SocketAddr) -> Option<Ready> {
        let (request, oddities) = match Request::parse(bytes) {
            Ok(parsed) => parsed,
            Err(error) => {
                let who = Who { peer: Some(from.ip()), ..Who::default() };
                self.observe(who, What::Malformed { service: Service::Dhcp, why: error.to_string() });
                return None;
            }
        };
        let who = who(&request, from);
        self.observe(who, asked(&request, &oddities));
        let reserved = self.reservations.snapshot();
        let now = (self.parts.clock)();
        let decision = decide(&self.plan, &self.table, &Ask { request: &request, reserved: &reserved, now });
        if let Err(why) = self.make_durable(&decision).await {
            self.observe(who, What::LeaseNotDurable(why));
            return None;
        }
        self.table.apply(&decision);
        self.reply(&request, decision, who)
    }

    /// A packet that a server sent to a client (rule 22).
    pub(super) fn hear(&mut self, bytes: &[u8]) {
        let Ok((message, _)) = Message::parse(bytes) else { return };
        let Some(address) = message.address(options::SERVER_ID) else { return };
        let is_grant = matches!(message.kind(), Some(2 | 5));
        if message.op == 2 && is_grant && address != self.plan.server() && self.is_news(address) {
            let who = Who { mac: Some(message.chaddr), ..Who::default() };
            self.observe(who, What::OtherServer { address, how: OtherServer::Heard });
        }
    }

    fn is_news(&mut self, server: Ipv4Addr) -> bool {
        let now = (self.parts.clock)();
        self.others.retain(|_, told| told.after_seconds(TOLD_AGAIN_SECS) > now);
        if self.others.contains_key(&server) || self.others.len() >= MOST_OTHERS {
            return false;
        }
        self.others.insert(server, now);
        true
    }

    /// Remembers who has an address, for the services that see addresses only.
    pub(super) fn note(
        &self,
        address: Ipv4Addr,
        class: Class,
        (mac, uuid): (Option<Mac>, Option<MachineUuid>),
    ) {
        let client = BootClient { mac, uuid, class, arch: None, peer: Some(IpAddr::V4(address)) };
        self.parts.neighbours.note(address, client);
    }

    fn observe(&self, who: Who, what: What) {
        self.parts.observer.observe(BootEvent { who, what });
    }

    /// Nothing is answered before this returns (rule 21).
    async fn make_durable(&self, decision: &Decision) -> Result<(), String> {
        let work = match decision {
            Decision::Ack(lease) => self.store.commit(lease.clone()),
            Decision::Free(address) => self.store.release(*address),
            Decision::Quarantine { address, until } => self.store.decline(*address, *until),
            Decision::Offer(_)
            | Decision::Inform
            | Decision::Nak(_)
            | Decision::Withdraw { .. }
            | Decision::Ignore(_) => return Ok(()),
        };
        match tokio::time::timeout(STORE_PATIENCE, work).await {
            Ok(done) => done.map_err(|error| in_words(&error)),
            Err(_) => Err(format!("the store did not answer within {} s", STORE_PATIENCE.as_secs())),
        }
    }

    fn reply(&self, request: &Request, decision: Decision, who: Who) -> Option<Ready> {
        match decision {
            Decision::Offer(lease) => self.grant(request, &lease, ReplyKind::Offer, who),
            Decision::Ack(lease) => {
                self.remember(request, lease.address);
                self.grant(request, &lease, ReplyKind::Ack, who)
            }
            // The address is the client's own word, so it does not name the machine for the other services.
            Decision::Inform => self.inform(request, who),
            Decision::Nak(why) => self.nak(request, why, who),
            Decision::Withdraw { chosen, .. } => {
                self.observe(who, What::OtherServer { address: chosen, how: OtherServer::Chosen });
                None
            }
            Decision::Free(address) => self.silent(who, What::Released(address)),
            Decision::Quarantine { address, .. } => self.silent(who, What::Declined(address)),
            Decision::Ignore(why) => self.silent(who, What::Ignored(why)),
        }
    }

    fn silent(&self, who: Who, what: What) -> Option<Ready> {
        self.observe(who, what);
        None
    }

    fn grant(&self, request: &Request, lease: &Lease, kind: ReplyKind, who: Who) -> Option<Ready> {
        let (boot, part) = self.boot(request, lease.address);
        let seconds = self.plan.seconds(request.client.class);
        let event = match kind {
            ReplyKind::Offer => What::Offered { address: lease.address, boot: part },
            ReplyKind::Ack | ReplyKind::Nak => {
                What::Acked { address: lease.address, seconds: Some(seconds), boot: part }
            }
        };
        let reply = Reply {
            kind,
            server: self.plan.server(),
            address: lease.address,
            lease_secs: Some(seconds),
            network: self.plan.subnet_for(request).map(crate::lease::Subnet::settings),
            boot,
            message: None,
        };
        self.ready(request, &reply, event, who)
    }

    fn inform(&self, request: &Request, who: Who) -> Option<Ready> {
        let (boot, part) = self.boot(request, request.ciaddr);
        // A boot-server request is answered with the client's address in yiaddr (rule 10), a plain INFORM without.
        let is_item = request.client.boot_item.is_some();
        let reply = Reply {
            kind: ReplyKind::Ack,
            server: self.plan.server(),
            address: if is_item { request.ciaddr } else { Ipv4Addr::UNSPECIFIED },
            lease_secs: None,
            network: self.plan.subnet_for(request).map(crate::lease::Subnet::settings),
            boot,
            message: None,
        };
        let event = What::Acked { address: request.ciaddr, seconds: None, boot: part };
        self.ready(request, &reply, event, who)
    }

    fn nak(&self, request: &Request, why: NakWhy, who: Who) -> Option<Ready> {
        let reply = Reply {
            kind: ReplyKind::Nak,
            server: self.plan.server(),
            address: Ipv4Addr::UNSPECIFIED,
            lease_secs: None,
            network: None,
            boot: None,
            message: Some("address not available here"),
        };
        self.ready(request, &reply, What::Nakked(why), who)
    }

    fn ready(&self, request: &Request, reply: &Reply, event: What, who: Who) -> Option<Ready> {
        match reply.to_bytes(request) {
            Ok(bytes) => Some(Ready { bytes, to: reply.destination(request), who, event }),
            Err(error) => {
                self.observe(who, What::ReplyFailed { service: Service::Dhcp, why: error.to_string() });
                None
            }
        }
    }

    /// Policy's answer as this client's firmware understands it.
    fn boot(&self, request: &Request, address: Ipv4Addr) -> (Option<Boot>, BootPart) {
        let client = boot_client(request, address);
        let answer = self.parts.directory.answer(&client);
        let on_shelf = |name: &cairn_netproto::bootfile::Name| self.parts.shelf.get(name.as_str()).is_some();
        match choice::choose(&self.parts.site, &request.client, &answer, &on_shelf) {
            None => (None, BootPart::NotAsked),
            Some(Err(why)) => (None, BootPart::Nothing(why)),
            // The name it gets has no file, or a script that leaves: in substance there is none.
            Some(Ok(boot)) if matches!(answer, BootAnswer::LocalDisk(_)) => {
                (Some(boot), BootPart::Nothing(NoFile::LocalDisk))
            }
            Some(Ok(boot)) => {
                let file = match &boot {
                    Boot::Pxe { file, .. } => file.clone(),
                    Boot::Http { uri, .. } | Boot::Ipxe { uri, .. } => uri.clone(),
                };
                (Some(boot), BootPart::File(file))
            }
        }
    }

    fn remember(&self, request: &Request, address: Ipv4Addr) {
        self.parts.neighbours.note(address, boot_client(request, address));
    }
}

fn boot_client(request: &Request, address: Ipv4Addr) -> BootClient {
    BootClient {
        mac: Some(request.chaddr),
        uuid: request.client.machine_uuid,
        class: request.client.class,
        arch: first_arch(request),
        peer: Some(IpAddr::V4(address)),
    }
}

fn first_arch(request: &Request) -> Option<Arch> {
    request.client.arch(|arch| !matches!(arch, Arch::Other(_)))
}

fn who(request: &Request, from: SocketAddr) -> Who {
    let peer = Some(from.ip()).filter(|ip| !ip.is_unspecified());
    Who { mac: Some(request.chaddr), uuid: request.client.machine_uuid, peer }
}

fn asked(request: &Request, oddities: &[Oddity]) -> What {
    let kind: Kind = request.kind;
    let oddities = oddities.iter().map(ToString::to_string).collect();
    What::Asked { kind, class: request.client.class, arch: first_arch(request), oddities }
}

/// An error with its causes on one line.
fn in_words(error: &LeaseStoreError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
