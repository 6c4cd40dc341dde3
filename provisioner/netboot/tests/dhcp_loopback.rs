//! The DHCP service on the loopback interface: the test is a relay, so that no privilege and no broadcast is needed.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use cairn_netboot::dhcp::{Config, Dhcp, Ports, Reservations};
use cairn_netboot::lease::{Key, KeyBy, Plan, Subnet, Terms};
use cairn_netboot::*;
use cairn_netproto::Mac;
use cairn_netproto::dhcp::{Class, Message, options};
use support::wire::Packet;
use support::{Events, Memory, installer, parts};
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

const SERVER: Ipv4Addr = Ipv4Addr::LOCALHOST;

struct Rig {
    relay: UdpSocket,
    server: SocketAddr,
    events: Arc<Events>,
    store: Arc<Memory>,
    reservations: Reservations,
    parts: Parts,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop.cancel();
        self.task.abort();
    }
}

fn subnet() -> Subnet {
    let at = |last| Ipv4Addr::new(10, 77, 0, last);
    Subnet {
        network: at(0),
        prefix: 24,
        pool: Some((at(100), at(110))),
        routers: vec![at(1)],
        dns: vec![at(1)],
        domain: None,
    }
}

async fn bind(parts: Parts, store: Arc<Memory>, reservations: Reservations, relay: u16) -> Dhcp {
    let plan = Plan::new(SERVER, vec![subnet()], Terms::default(), KeyBy::Hardware).unwrap();
    let config = Config { interface: "lo".into(), plan, ports: Ports { server: 0, client: 0, relay } };
    config.bind(parts, store, reservations).await.unwrap()
}

async fn rig_with(
    store: Arc<Memory>,
    site: Site,
    answer: impl Fn(&BootClient) -> BootAnswer + Send + Sync + 'static,
) -> Rig {
    let (parts, events) = parts(site, answer);
    let relay = UdpSocket::bind((SERVER, 0)).await.unwrap();
    let reservations = Reservations::default();
    let port = relay.local_addr().unwrap().port();
    let dhcp = bind(parts.clone(), Arc::clone(&store), reservations.clone(), port).await;
    let server = SocketAddr::from((SERVER, dhcp.local_addr().unwrap().port()));
    let stop = CancellationToken::new();
    let token = stop.clone();
    #[allow(clippy::disallowed_methods, reason = "a test ends its task in Drop")]
    let task = tokio::spawn(async move { dhcp.run(token).await.unwrap() });
    Rig { relay, server, events, store, reservations, parts, stop, task }
}

async fn rig(answer: impl Fn(&BootClient) -> BootAnswer + Send + Sync + 'static) -> Rig {
    rig_with(Arc::default(), Site::plain(SERVER), answer).await
}

/// As the relay forwards it: our address, and the subnet in option 82.
fn relayed(packet: Packet) -> Packet {
    let mut packet = packet.with(82, &[5, 4, 10, 77, 0, 0]);
    packet.giaddr = SERVER.octets();
    packet
}

impl Rig {
    async fn send(&self, packet: Packet) {
        self.relay.send_to(&relayed(packet).bytes(), self.server).await.unwrap();
    }

    async fn receive(&self) -> Option<Message> {
        let mut buffer = [0; 2048];
        let got = tokio::time::timeout(Duration::from_secs(5), self.relay.recv(&mut buffer)).await.ok()?;
        let (message, oddities) = Message::parse(&buffer[..got.unwrap()]).unwrap();
        assert!(oddities.is_empty());
        Some(message)
    }

    async fn ask(&self, packet: Packet) -> Message {
        self.send(packet).await;
        self.receive().await.expect("an answer within 5 s")
    }

    /// DISCOVER and REQUEST; the ACK.
    async fn boot(&self, make: impl Fn(u8) -> Packet) -> Message {
        let offer = self.ask(make(1)).await;
        assert_eq!(offer.kind(), Some(2));
        let take = make(3).with(54, &SERVER.octets()).with(50, &offer.yiaddr.octets());
        let ack = self.ask(take).await;
        assert_eq!((ack.kind(), ack.yiaddr), (Some(5), offer.yiaddr));
        assert_eq!(ack.option(options::BOOT_FILE), offer.option(options::BOOT_FILE));
        ack
    }

    /// The boot file that this client gets, without the NUL.
    async fn file(&self, make: impl Fn(u8) -> Packet) -> Option<String> {
        let ack = self.boot(make).await;
        let file = ack.option(options::BOOT_FILE)?;
        Some(String::from_utf8(file.strip_suffix(b"\0").unwrap().to_vec()).unwrap())
    }
}

#[tokio::test]
async fn each_firmware_gets_what_it_can_boot() {
    let rig = rig(installer).await;
    let file = |make: fn(u8) -> Packet| rig.file(make);
    assert_eq!(file(|k| Packet::http(k, 16)).await.unwrap(), "http://127.0.0.1/boot/installer.efi");
    assert_eq!(file(|k| Packet::pxe(k, 7)).await.unwrap(), "installer.efi");
    assert_eq!(file(|k| Packet::pxe(k, 9)).await.unwrap(), "installer.efi");
    assert_eq!(
        file(|k| Packet::pxe(k, 0).with(77, b"iPXE")).await.unwrap(),
        "http://127.0.0.1/boot/boot.ipxe"
    );
    assert_eq!(
        file(|k| Packet::pxe(k, 7).with(77, b"iPXE")).await.unwrap(),
        "http://127.0.0.1/boot/boot.ipxe"
    );
    assert_eq!(file(Packet::new).await, None, "an operating system asks for none");
}

#[tokio::test]
async fn rule_4_an_unknown_architecture_gets_an_address_and_an_event_that_names_it() {
    let rig = rig(installer).await;
    assert_eq!(rig.file(|k| Packet::pxe(k, 999)).await, None);
    let event = rig.events.wait_for("there is no installer for architecture 999").await;
    assert_eq!(event.what.severity(), Severity::Warning);
    assert!(event.what.advice().is_some());
    assert_eq!(event.who.mac, Some(Mac([0x52, 0x54, 0, 0x77, 0, 1])));
    assert_eq!(rig.file(|k| Packet::pxe(k, 11)).await, None);
    rig.events.wait_for("there is no installer for ARM64 UEFI").await;
    assert_eq!(rig.file(|k| Packet::pxe(k, 0)).await, None);
    rig.events.wait_for("no undionly.kpxe was supplied").await;
}

#[tokio::test]
async fn a_bios_rom_gets_undionly_when_the_operator_supplied_it() {
    let rig = rig(installer).await;
    let mut files = support::shelf();
    files.insert(cairn_netproto::bootfile::Name::new("undionly.kpxe").unwrap(), Blob::memory(vec![1, 2, 3]));
    rig.parts.shelf.replace(files);
    let ack = rig.boot(|k| Packet::pxe(k, 0)).await;
    assert_eq!(ack.file, b"undionly.kpxe");
    assert_eq!(ack.option(options::VENDOR), Some(&[6, 1, 8, 255][..]));
    rig.parts.shelf.replace(Default::default());
    assert_eq!(
        rig.file(|k| Packet::pxe(k, 7)).await,
        None,
        "rule 42: nothing is advertised that is not served"
    );
    rig.events.wait_for("the file installer.efi is not there").await;
}

#[tokio::test]
async fn rule_2_a_vendor_class_is_served_when_it_is_configured() {
    let idrac = |k| Packet::new(k).with(60, b"iDRAC/9").with(93, &[0, 7]);
    let closed = rig(installer).await;
    assert_eq!(closed.file(idrac).await, None);
    closed.events.wait_for("its vendor class iDRAC/9 is not one that this site serves").await;
    let site = Site { vendor_classes: vec!["iDRAC".into()], ..Site::plain(SERVER) };
    let open = rig_with(Arc::default(), site, installer).await;
    assert_eq!(open.file(idrac).await.unwrap(), "installer.efi");
}

#[tokio::test]
async fn https_is_given_where_it_is_configured_and_the_client_can() {
    let site =
        Site { https: Some("https://boot.lab:8443".into()), firmware: Scheme::Https, ..Site::plain(SERVER) };
    let rig = rig_with(Arc::default(), site, installer).await;
    let file = |make: fn(u8) -> Packet| rig.file(make);
    assert_eq!(file(|k| Packet::http(k, 16)).await.unwrap(), "https://boot.lab:8443/boot/installer.efi");
    let with = file(|k| Packet::pxe(k, 7).with(175, &[19, 1, 1, 20, 1, 1])).await;
    assert_eq!(with.unwrap(), "https://boot.lab:8443/boot/boot.ipxe");
    let without = file(|k| Packet::pxe(k, 0).with(175, &[19, 1, 1])).await;
    assert_eq!(without.unwrap(), "http://127.0.0.1/boot/boot.ipxe");
}

#[tokio::test]
async fn rule_14_and_40_denied_and_installed_hosts_get_an_address_and_no_file() {
    let denied = rig(|_| BootAnswer::AddressOnly("the host is quarantined".into())).await;
    assert_eq!(denied.file(|k| Packet::http(k, 16)).await, None);
    denied.events.wait_for("no boot file: the host is quarantined").await;
    let disk = rig(|_| BootAnswer::LocalDisk(DiskWay::NoFile)).await;
    assert_eq!(disk.file(|k| Packet::http(k, 16)).await, None);
    assert_eq!(disk.file(|k| Packet::pxe(k, 7)).await, None);
    let ipxe = disk.file(|k| Packet::pxe(k, 0).with(77, b"iPXE")).await;
    assert_eq!(ipxe.unwrap(), "http://127.0.0.1/boot/boot.ipxe", "whose script exits");
    let missing = rig(|_| BootAnswer::LocalDisk(DiskWay::default())).await;
    assert_eq!(missing.file(|k| Packet::http(k, 16)).await.unwrap(), "http://127.0.0.1/boot/boot-from-disk");
    assert_eq!(missing.file(|k| Packet::pxe(k, 7)).await.unwrap(), "boot-from-disk");
    assert_eq!(missing.file(Packet::new).await, None);
    let event = missing.events.wait_for("for 900 s and sent it to its disk").await;
    assert!(matches!(event.what, What::Acked { boot: BootPart::Nothing(NoFile::LocalDisk), .. }));
}

#[tokio::test]
async fn rule_21_an_ack_leaves_only_after_the_lease_is_durable_and_survives_a_restart() {
    let store: Arc<Memory> = Arc::default();
    let first = rig_with(Arc::clone(&store), Site::plain(SERVER), installer).await;
    let offer = first.ask(Packet::pxe(1, 7)).await;
    assert_eq!(*store.commits.lock().unwrap(), 0, "an offer is not stored");
    *store.broken.lock().unwrap() = true;
    let take = || Packet::pxe(3, 7).with(54, &SERVER.octets()).with(50, &offer.yiaddr.octets());
    first.send(take()).await;
    let event = first.events.wait_for("its lease could not be stored").await;
    assert!(event.what.to_string().ends_with("disk full"), "{}", event.what);
    *store.broken.lock().unwrap() = false;
    let ack = first.ask(take()).await;
    assert_eq!((ack.kind(), *store.commits.lock().unwrap()), (Some(5), 1));
    drop(first);
    let second = rig_with(store, Site::plain(SERVER), installer).await;
    let mut other = Packet::pxe(1, 7).with(50, &offer.yiaddr.octets());
    other.chaddr[5] = 9;
    assert_ne!(second.ask(other).await.yiaddr, offer.yiaddr, "it is still the first machine's");
    assert_eq!(second.ask(Packet::pxe(1, 7)).await.yiaddr, offer.yiaddr);
    let known = second.parts.neighbours.client(offer.yiaddr.into());
    assert_eq!((known.mac, known.class), (Some(Mac([0x52, 0x54, 0, 0x77, 0, 1])), Class::PxeClient));
}

#[tokio::test]
async fn reservations_take_effect_while_it_runs() {
    let rig = rig(installer).await;
    let reserved = Ipv4Addr::new(10, 77, 0, 42);
    rig.reservations.replace([(Key::Hardware(Mac([0x52, 0x54, 0, 0x77, 0, 1])), reserved)]);
    assert_eq!(rig.boot(|k| Packet::pxe(k, 7)).await.yiaddr, reserved);
}

#[tokio::test]
async fn rule_19_inform_gets_settings_and_no_lease() {
    let rig = rig(installer).await;
    let mut inform = Packet::new(8);
    inform.ciaddr = [10, 77, 0, 200];
    let ack = rig.ask(inform).await;
    assert_eq!((ack.kind(), ack.yiaddr), (Some(5), Ipv4Addr::UNSPECIFIED));
    assert_eq!(ack.option(options::LEASE_TIME), None);
    assert_eq!(ack.option(options::SUBNET_MASK), Some(&[255, 255, 255, 0][..]));
    assert_eq!(*rig.store.commits.lock().unwrap(), 0);
}

#[tokio::test]
async fn rule_19_release_and_decline_reach_the_store() {
    let rig = rig(installer).await;
    let ack = rig.boot(|k| Packet::pxe(k, 7)).await;
    let mut release = Packet::new(7).with(54, &SERVER.octets());
    release.ciaddr = ack.yiaddr.octets();
    rig.send(release).await;
    rig.events.wait_for("back").await;
    assert!(rig.store.records.lock().unwrap().is_empty());
    let ack = rig.boot(|k| Packet::pxe(k, 7)).await;
    rig.send(Packet::new(4).with(54, &SERVER.octets()).with(50, &ack.yiaddr.octets())).await;
    rig.events.wait_for("the address is set aside").await;
    assert!(matches!(rig.store.records.lock().unwrap()[&ack.yiaddr], Record::Quarantined { .. }));
    assert_ne!(rig.boot(|k| Packet::pxe(k, 7)).await.yiaddr, ack.yiaddr);
}

#[tokio::test]
async fn malformed_packets_are_dropped_and_told_and_the_server_lives() {
    let rig = rig(installer).await;
    rig.relay.send_to(b"garbage", rig.server).await.unwrap();
    rig.relay.send_to(&[0xff; 1500], rig.server).await.unwrap();
    rig.events.wait_for("malformed DHCP packet dropped: 7 bytes are too short").await;
    rig.events.wait_for("no DHCP magic cookie").await;
    rig.boot(|k| Packet::pxe(k, 7)).await;
}

#[tokio::test]
async fn the_captured_firmware_boots_again() {
    for (capture, expected) in [
        ("uefi-netboot.pcap", "http://127.0.0.1/boot/installer.efi"),
        ("uefi-netboot.pcap", "installer.efi"),
        ("bios-ipxe.pcap", "http://127.0.0.1/boot/boot.ipxe"),
    ] {
        let Some(all) = support::pcap::datagrams(capture) else { return };
        let rig = rig(installer).await;
        let mut answers = Vec::new();
        for datagram in all.iter().filter(|d| d.to_port == 67) {
            let mut bytes = datagram.payload.clone();
            bytes[24..28].copy_from_slice(&SERVER.octets());
            bytes.splice(240..240, [82, 6, 5, 4, 10, 77, 0, 0]);
            let is_discover = bytes.windows(3).any(|w| w == [53, 1, 1]);
            rig.relay.send_to(&bytes, rig.server).await.unwrap();
            if is_discover {
                let offer = rig.receive().await.unwrap();
                assert_eq!(offer.kind(), Some(2));
                answers.push(String::from_utf8_lossy(offer.option(67).unwrap_or_default()).into_owned());
            }
        }
        // The REQUESTs name the reference server, so they are not ours to answer (rule 22).
        rig.events.wait_for("it took its address from another DHCP server, 10.77.0.1").await;
        assert!(answers.iter().any(|a| a.trim_end_matches('\0') == expected), "{answers:?}");
    }
}

#[tokio::test]
async fn an_interface_without_the_servers_address_is_refused() {
    let (parts, _) = parts(Site::plain(SERVER), installer);
    let server = Ipv4Addr::new(10, 77, 0, 1);
    let plan = Plan::new(server, vec![subnet()], Terms::default(), KeyBy::Hardware).unwrap();
    let config = Config { interface: "lo".into(), plan, ports: Ports { server: 0, client: 0, relay: 67 } };
    let refused = config.bind(parts, Arc::<Memory>::default(), Reservations::default()).await.unwrap_err();
    assert_eq!(refused.to_string(), "interface lo does not have the address 10.77.0.1");
}
