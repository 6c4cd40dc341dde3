//! Who gets which address, told as stories, and held against random sequences of messages.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use cairn_contract::Timestamp;
use cairn_netboot::lease::{
    Ask, Decision, Key, KeyBy, Plan, PlanError, Reserved, Subnet, Table, Terms, decide,
};
use cairn_netproto::Mac;
use cairn_netproto::dhcp::Request;
use proptest::prelude::*;
use support::wire::Packet;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

fn subnet(third: u8, pool: Option<(u8, u8)>) -> Subnet {
    let at = |last| Ipv4Addr::new(10, third, 0, last);
    Subnet {
        network: at(0),
        prefix: 24,
        pool: pool.map(|(first, last)| (at(first), at(last))),
        routers: vec![at(1)],
        dns: vec![],
        domain: None,
    }
}

fn plan(key_by: KeyBy) -> Plan {
    let terms = Terms { boot: 900, os: 3600, offer: 60, quarantine: 600 };
    Plan::new(SERVER, vec![subnet(77, Some((100, 102))), subnet(88, Some((10, 11)))], terms, key_by).unwrap()
}

fn mac(name: char) -> Mac {
    Mac([0x52, 0x54, 0, 0, 0, u8::try_from(name).unwrap()])
}

struct World {
    plan: Plan,
    table: Table,
    reserved: Reserved,
    now: Timestamp,
}

impl World {
    fn new(key_by: KeyBy) -> Self {
        let reserved = Reserved::new([
            (Key::Hardware(mac('R')), Ipv4Addr::new(10, 77, 0, 50)),
            (Key::Hardware(mac('S')), Ipv4Addr::new(10, 77, 0, 101)),
        ]);
        Self { plan: plan(key_by), table: Table::default(), reserved, now: Timestamp(1_000_000) }
    }

    fn tell(&mut self, packet: &Packet) -> Decision {
        let (request, _) = Request::parse(&packet.bytes()).unwrap();
        let ask = Ask { request: &request, reserved: &self.reserved, now: self.now };
        let decision = decide(&self.plan, &self.table, &ask);
        self.table.apply(&decision);
        decision
    }

    fn line(&mut self, words: &[&str]) -> String {
        if let Some(seconds) = words[0].strip_prefix('+') {
            self.now = self.now.after_seconds(seconds.parse().unwrap());
            return String::new();
        }
        let decision = self.tell(&packet(words));
        match decision {
            Decision::Offer(lease) => format!("offer {}", lease.address),
            Decision::Ack(lease) => format!("ack {} {}s", lease.address, (lease.until.0 - self.now.0) / 1000),
            Decision::Inform => "settings".into(),
            Decision::Nak(why) => format!("nak: {why}"),
            Decision::Withdraw { held, chosen } => {
                format!("withdraw {}, it chose {chosen}", held.map_or("nothing".into(), |a| a.to_string()))
            }
            Decision::Free(address) => format!("free {address}"),
            Decision::Quarantine { address, .. } => format!("quarantine {address}"),
            Decision::Ignore(why) => format!("silence: {why}"),
        }
    }
}

/// `verb machine [address] [key=value]…`
fn packet(words: &[&str]) -> Packet {
    let value = |key: &str| words.iter().find_map(|w| w.strip_prefix(key)?.strip_prefix('='));
    let ip = |text: &str| text.parse::<Ipv4Addr>().unwrap().octets();
    let address = words.get(2).filter(|w| !w.contains('=')).map(|w| ip(w));
    let server = ip(value("server").unwrap_or("10.77.0.1"));
    let kind = |kind: u8| if value("as") == Some("os") { Packet::new(kind) } else { Packet::pxe(kind, 7) };
    let mut packet = match words[0] {
        "discover" => kind(1),
        "take" => kind(3).with(54, &server).with(50, &address.unwrap()),
        "reboot" => kind(3).with(50, &address.unwrap()),
        "renew" => kind(3),
        "decline" => kind(4).with(54, &server).with(50, &address.unwrap()),
        "release" => kind(7).with(54, &server),
        "inform" => kind(8),
        other => panic!("no verb {other}"),
    };
    if matches!(words[0], "renew" | "release" | "inform") {
        packet.ciaddr = address.unwrap();
    }
    if words[0] == "discover" {
        packet = address.map_or(packet.clone(), |address| packet.with(50, &address));
    }
    packet.chaddr = mac(words[1].chars().next().unwrap()).0;
    if let Some(relay) = value("relay") {
        packet.giaddr = ip(relay);
    }
    if let Some(link) = value("link") {
        packet = packet.with(82, &[&[5, 4][..], &ip(link)].concat());
    }
    if let Some(uuid) = value("uuid") {
        let byte: u8 = uuid.parse().unwrap();
        packet = packet.with(97, &[&[0][..], &[byte; 16]].concat());
    }
    packet
}

/// Plays a story and compares each `-> answer`.
#[track_caller]
fn check(story: &str) {
    check_with(KeyBy::Hardware, story);
}

#[track_caller]
fn check_with(key_by: KeyBy, story: &str) {
    let mut world = World::new(key_by);
    for line in story.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (ask, expected) = line.split_once("->").unwrap_or((line, ""));
        let words: Vec<&str> = ask.split_whitespace().collect();
        assert_eq!(world.line(&words), expected.trim(), "at: {line}");
    }
}

#[test]
fn two_machines_that_start_together_never_get_one_address() {
    check(
        "discover A -> offer 10.77.0.100
         discover B -> offer 10.77.0.102
         discover A -> offer 10.77.0.100
         discover C -> silence: the address pool is used up
         take B 10.77.0.100 -> nak: 10.77.0.100 is not free
         take A 10.77.0.100 -> ack 10.77.0.100 900s
         take B 10.77.0.102 -> ack 10.77.0.102 900s
         +61
         discover C -> silence: the address pool is used up
         +900
         discover C -> offer 10.77.0.100",
    );
}

#[test]
fn an_offer_that_is_not_taken_is_free_after_its_hold() {
    check(
        "discover A -> offer 10.77.0.100
         discover B -> offer 10.77.0.102
         +59
         discover C -> silence: the address pool is used up
         +2
         discover C -> offer 10.77.0.100
         take A 10.77.0.100 -> nak: 10.77.0.100 is not free",
    );
}

#[test]
fn rule_20_rom_ipxe_and_os_keep_one_address_and_the_os_keeps_it_longer() {
    check(
        "discover A -> offer 10.77.0.100
         take A 10.77.0.100 -> ack 10.77.0.100 900s
         discover A as=os -> offer 10.77.0.100
         take A 10.77.0.100 as=os -> ack 10.77.0.100 3600s",
    );
    check_with(
        KeyBy::Machine,
        "discover A uuid=7 -> offer 10.77.0.100
         take A 10.77.0.100 uuid=7 -> ack 10.77.0.100 900s
         discover B uuid=7 -> offer 10.77.0.100
         discover C uuid=8 -> offer 10.77.0.102",
    );
}

#[test]
fn a_returning_machine_gets_what_it_had() {
    check(
        "discover A -> offer 10.77.0.100
         take A 10.77.0.100 -> ack 10.77.0.100 900s
         +5000
         discover B -> offer 10.77.0.102
         discover A -> offer 10.77.0.100",
    );
}

#[test]
fn reservations_hold_against_all_others() {
    check(
        "discover R -> offer 10.77.0.50
         take R 10.77.0.50 -> ack 10.77.0.50 900s
         discover A 10.77.0.101 -> offer 10.77.0.100
         take A 10.77.0.101 -> nak: 10.77.0.101 is not free
         take A 10.77.0.50 -> nak: 10.77.0.50 is not free
         discover S -> offer 10.77.0.101",
    );
}

#[test]
fn a_wish_is_granted_when_it_is_free() {
    check(
        "discover A 10.77.0.102 -> offer 10.77.0.102
         discover B 10.77.0.102 -> offer 10.77.0.100
         discover C 192.168.1.5 -> silence: the address pool is used up",
    );
}

#[test]
fn rfc_2131_a_machine_that_keeps_its_address_is_answered_only_by_who_knows_it() {
    check(
        "reboot A 192.168.1.5 -> nak: 192.168.1.5 does not belong to this network
         reboot A 10.77.0.100 -> silence: nothing is known here of the address that it wants to keep
         renew A 10.77.0.100 -> silence: nothing is known here of the address that it wants to keep
         discover A -> offer 10.77.0.100
         take A 10.77.0.100 -> ack 10.77.0.100 900s
         +100
         renew A 10.77.0.100 -> ack 10.77.0.100 900s
         reboot A 10.77.0.100 -> ack 10.77.0.100 900s
         reboot A 10.77.0.102 -> nak: 10.77.0.102 was asked for, but 10.77.0.100 is its address
         renew B 10.77.0.100 -> nak: 10.77.0.100 is not free
         reboot A 10.77.0.255 -> nak: 10.77.0.255 does not belong to this network",
    );
}

#[test]
fn rule_22_a_machine_that_chose_another_server_frees_its_offer() {
    check(
        "discover A -> offer 10.77.0.100
         take A 10.77.0.200 server=10.77.0.9 -> withdraw 10.77.0.100, it chose 10.77.0.9
         discover B -> offer 10.77.0.100
         take C 10.77.0.200 server=10.77.0.9 -> withdraw nothing, it chose 10.77.0.9",
    );
}

#[test]
fn a_restart_between_offer_and_request_costs_nothing() {
    check("take A 10.77.0.100 -> ack 10.77.0.100 900s");
}

#[test]
fn rule_19_decline_quarantines_and_release_frees_but_only_for_the_holder() {
    check(
        "discover A -> offer 10.77.0.100
         take A 10.77.0.100 -> ack 10.77.0.100 900s
         decline B 10.77.0.100 -> silence: it gave back or declined an address that is not its own
         release B 10.77.0.100 -> silence: it gave back or declined an address that is not its own
         release A 10.77.0.100 server=10.77.0.9 -> silence: it speaks to the DHCP server 10.77.0.9
         decline A 10.77.0.100 -> quarantine 10.77.0.100
         discover A -> offer 10.77.0.102
         take B 10.77.0.100 -> nak: 10.77.0.100 is not free
         +601
         discover B -> offer 10.77.0.102
         take B 10.77.0.102 -> ack 10.77.0.102 900s
         discover C -> offer 10.77.0.100
         release B 10.77.0.102 -> free 10.77.0.102
         discover D -> offer 10.77.0.102",
    );
}

#[test]
fn rule_19_relayed_machines_get_addresses_of_their_own_subnet() {
    check(
        "discover A relay=10.88.0.1 -> offer 10.88.0.10
         discover A -> offer 10.77.0.100
         discover B relay=10.99.0.1 -> silence: its subnet is not served here
         discover B relay=10.99.0.1 link=10.88.0.0 -> offer 10.88.0.11
         take A 10.88.0.10 relay=10.88.0.1 -> ack 10.88.0.10 900s
         renew A 10.88.0.10 -> ack 10.88.0.10 900s
         discover C link=10.88.0.0 -> offer 10.77.0.102
         inform A 10.88.0.10 -> settings
         inform A 0.0.0.0 -> silence: the message does not say which address it is about",
    );
}

#[test]
fn plans_that_cannot_be_served_are_refused() {
    let new =
        |subnet: Subnet| Plan::new(SERVER, vec![subnet], Terms::default(), KeyBy::Hardware).unwrap_err();
    let at = |last| Ipv4Addr::new(10, 77, 0, last);
    assert!(matches!(new(subnet(77, Some((200, 100)))), PlanError::Pool(..)));
    assert!(matches!(new(subnet(77, Some((0, 100)))), PlanError::Pool(..)));
    assert!(matches!(new(subnet(77, Some((100, 255)))), PlanError::Pool(..)));
    assert_eq!(new(subnet(77, Some((1, 100)))), PlanError::PoolHolds(at(1), at(100), at(1)));
    assert!(matches!(new(Subnet { prefix: 31, ..subnet(77, None) }), PlanError::Prefix(..)));
    assert!(matches!(new(Subnet { prefix: 0, ..subnet(77, None) }), PlanError::Prefix(..)));
    let large = Subnet { prefix: 8, pool: Some((at(2), Ipv4Addr::new(10, 200, 0, 1))), ..subnet(77, None) };
    assert!(matches!(new(large), PlanError::PoolTooLarge(..)));
    let twice =
        Plan::new(SERVER, vec![subnet(77, None), subnet(77, None)], Terms::default(), KeyBy::Hardware);
    assert!(matches!(twice, Err(PlanError::Overlap(..))));
    let zero = Terms { boot: 0, ..Terms::default() };
    assert_eq!(Plan::new(SERVER, vec![], zero, KeyBy::Hardware), Err(PlanError::ZeroTerm));
}

#[derive(Debug, Clone)]
enum Act {
    Wait(u32),
    Say { verb: &'static str, who: char, last: u8, foreign: u8 },
}

fn act() -> impl Strategy<Value = Act> {
    let verbs = prop::sample::select(vec!["discover", "take", "reboot", "renew", "decline", "release"]);
    let who = prop::sample::select(vec!['A', 'B', 'C', 'D', 'R', 'S']);
    prop_oneof![
        1 => (1..2000_u32).prop_map(Act::Wait),
        6 => (verbs, who, prop_oneof![Just(50_u8), 99..104_u8], 0..8_u8)
            .prop_map(|(verb, who, last, foreign)| Act::Say { verb, who, last, foreign }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn one_address_is_never_promised_to_two(acts in prop::collection::vec(act(), 1..120)) {
        let mut world = World::new(KeyBy::Hardware);
        let mut promised: BTreeMap<Ipv4Addr, (Key, Timestamp)> = BTreeMap::new();
        let mut quarantined: BTreeMap<Ipv4Addr, Timestamp> = BTreeMap::new();
        for act in acts {
            let (verb, who, last, foreign) = match act {
                Act::Wait(seconds) => {
                    world.now = world.now.after_seconds(seconds);
                    continue;
                }
                Act::Say { verb, who, last, foreign } => (verb, who, last, foreign),
            };
            let server = if foreign == 0 { "server=10.77.0.9" } else { "server=10.77.0.1" };
            let (who_text, address) = (who.to_string(), format!("10.77.0.{last}"));
            let decision = world.tell(&packet(&[verb, &who_text, &address, server]));
            match decision {
                Decision::Offer(lease) | Decision::Ack(lease) => {
                    prop_assert!(lease.until > world.now);
                    prop_assert!(lease.address != SERVER);
                    if let Some((key, until)) = promised.get(&lease.address) {
                        prop_assert!(*key == lease.key || *until <= world.now, "{} is {key}'s", lease.address);
                    }
                    let set_aside = quarantined.get(&lease.address).is_some_and(|until| *until > world.now);
                    prop_assert!(!set_aside, "{} is set aside", lease.address);
                    let is_reserved = lease.address == Ipv4Addr::new(10, 77, 0, 50);
                    prop_assert_eq!(is_reserved, is_reserved && who == 'R');
                    if lease.address == Ipv4Addr::new(10, 77, 0, 101) {
                        prop_assert_eq!(who, 'S');
                    }
                    promised.insert(lease.address, (lease.key, lease.until));
                }
                Decision::Quarantine { address, until } => {
                    promised.remove(&address);
                    quarantined.insert(address, until);
                }
                Decision::Free(address) => {
                    promised.remove(&address);
                }
                // A withdrawn hold may be given to another; a lease may not, and then the table still has its holder.
                Decision::Withdraw { held: Some(address), .. } if world.table.holder(address, world.now).is_none() => {
                    promised.remove(&address);
                }
                _ => {}
            }
            prop_assert!(world.table.in_use(world.now) <= 4, "the table is bounded by pool and reservations");
        }
    }
}
