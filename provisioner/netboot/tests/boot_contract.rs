//! Rule 42: whatever DHCP can advertise, for every class and architecture, is served under that very name.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use cairn_netboot::dhcp::{Ports, Reservations};
use cairn_netboot::lease::{KeyBy, Plan, Subnet, Terms};
use cairn_netboot::*;
use cairn_netproto::bootfile::Name;
use cairn_netproto::dhcp::{Message, options};
use support::wire::Packet;
use support::{Memory, installer, parts};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const LOCAL: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// All three services over one set of parts.
struct Rig {
    relay: UdpSocket,
    dhcp: SocketAddr,
    tftp: SocketAddr,
    http: SocketAddr,
    _tasks: JoinSet<()>,
}

async fn rig() -> Rig {
    // The site has to name HTTP's port, so that one is found first.
    let http = std::net::TcpListener::bind((LOCAL, 0)).unwrap().local_addr().unwrap();
    let site = Site { http: format!("http://{http}"), ..Site::plain(LOCAL) };
    let (parts, _) = parts(site, installer);
    let mut files = support::shelf();
    files.insert(Name::new("undionly.kpxe").unwrap(), Blob::memory(vec![1; 70_000]));
    parts.shelf.replace(files);
    let relay = UdpSocket::bind((LOCAL, 0)).await.unwrap();
    let ports = Ports { server: 0, client: 0, relay: relay.local_addr().unwrap().port() };
    let at = |last| Ipv4Addr::new(10, 77, 0, last);
    let pool = Some((at(100), at(199)));
    let subnet = Subnet { network: at(0), prefix: 24, pool, routers: vec![], dns: vec![], domain: None };
    let plan = Plan::new(LOCAL, vec![subnet], Terms::default(), KeyBy::Hardware).unwrap();
    let dhcp = dhcp::Config { interface: "lo".into(), plan, ports };
    let dhcp = dhcp.bind(parts.clone(), Arc::<Memory>::default(), Reservations::default()).await.unwrap();
    let tftp = tftp::Config::usual((LOCAL, 0).into()).bind(parts.clone()).await.unwrap();
    let web = http::Config { listen: http, limits: http::Limits::default() }.bind(parts).await.unwrap();
    let dhcp_at = (LOCAL, dhcp.local_addr().unwrap().port()).into();
    let tftp_at = tftp.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    let stop = CancellationToken::new();
    let (a, b, c) = (stop.clone(), stop.clone(), stop);
    tasks.spawn(async move { dhcp.run(a).await.unwrap() });
    tasks.spawn(async move { tftp.run(b).await.unwrap() });
    tasks.spawn(async move { web.run(c).await.unwrap() });
    Rig { relay, dhcp: dhcp_at, tftp: tftp_at, http, _tasks: tasks }
}

impl Rig {
    /// The boot file in the offer to this client.
    async fn advertised(&self, packet: Packet) -> Option<String> {
        let mut packet = packet.with(82, &[5, 4, 10, 77, 0, 0]);
        packet.giaddr = LOCAL.octets();
        self.relay.send_to(&packet.bytes(), self.dhcp).await.unwrap();
        let mut buffer = [0; 2048];
        let len = tokio::time::timeout(Duration::from_secs(5), self.relay.recv(&mut buffer))
            .await
            .unwrap()
            .unwrap();
        let (offer, _) = Message::parse(&buffer[..len]).unwrap();
        let file = offer.option(options::BOOT_FILE)?;
        let file = String::from_utf8(file.strip_suffix(b"\0").unwrap().to_vec()).unwrap();
        assert_eq!(offer.file, file.as_bytes(), "the header says the same");
        Some(file)
    }

    async fn http(&self, uri: &str) -> (String, String) {
        let path = uri.strip_prefix(&format!("http://{}", self.http)).unwrap_or_else(|| panic!("{uri}"));
        let mut stream = TcpStream::connect(self.http).await.unwrap();
        stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.unwrap();
        let text = String::from_utf8_lossy(&all).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    async fn tftp_has(&self, name: &str) {
        let client = UdpSocket::bind((LOCAL, 0)).await.unwrap();
        client.send_to(format!("\0\x01{name}\0octet\0tsize\x000\0").as_bytes(), self.tftp).await.unwrap();
        let mut buffer = [0; 600];
        let (len, from) = client.recv_from(&mut buffer).await.unwrap();
        assert_eq!(buffer[1], 6, "{name}: {:?}", &buffer[..len]);
        client.send_to(b"\0\x05\0\x08\0", from).await.unwrap();
    }

    async fn serves(&self, file: &str) {
        if !file.contains("://") {
            return self.tftp_has(file).await;
        }
        let (head, body) = self.http(file).await;
        assert!(head.starts_with("HTTP/1.0 200") || head.starts_with("HTTP/1.1 200"), "{file}: {head}");
        // What a script names is served too, beside the script.
        let beside = file.rsplit_once('/').unwrap().0;
        let names =
            body.lines().filter_map(|l| l.strip_prefix("kernel ").or_else(|| l.strip_prefix("initrd ")));
        if file.ends_with(".ipxe") {
            for name in names.filter_map(|rest| rest.split(' ').next()) {
                let (head, _) = self.http(&format!("{beside}/{name}")).await;
                assert!(head.contains(" 200 "), "{name}: {head}");
            }
        }
    }
}

#[tokio::test]
async fn every_advertised_file_is_served_for_every_architecture() {
    let rig = rig().await;
    let mut advertised = Vec::new();
    for arch in 0..=41_u16 {
        for packet in [
            Packet::pxe(1, arch),
            Packet::http(1, arch),
            Packet::pxe(1, arch).with(77, b"iPXE"),
            Packet::new(1).with(60, b"other").with(93, &arch.to_be_bytes()),
        ] {
            if let Some(file) = rig.advertised(packet).await {
                rig.serves(&file).await;
                advertised.push(file);
            }
        }
    }
    advertised.sort();
    advertised.dedup();
    let boot = |name: &str| format!("http://{}/boot/{name}", rig.http);
    assert_eq!(
        advertised,
        [boot("boot.ipxe"), boot("installer.efi"), "installer.efi".into(), "undionly.kpxe".into()],
        "nothing else is ever advertised"
    );
}
