//! A real DHCP client and a second server on a wire of its own: two network namespaces and a veth pair. Needs root,
//! `ip` and busybox; says so and passes without them.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::process::{Command, Output};
use std::sync::Arc;

use cairn_netboot::dhcp::{Config, Ports, Reservations};
use cairn_netboot::lease::{KeyBy, Plan, Subnet, Terms};
use cairn_netboot::*;
use nix::sched::{CloneFlags, setns};
use support::wire::Packet;
use support::{Events, Memory, installer, parts};
use tokio_util::sync::CancellationToken;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

fn run(program: &str, args: &[&str]) -> std::io::Result<Output> {
    Command::new(program).args(args).output()
}

fn ip(args: &str) {
    let args: Vec<&str> = args.split(' ').collect();
    let ran = run("ip", &args).unwrap();
    assert!(ran.status.success(), "ip {args:?}: {ran:?}");
}

/// Two namespaces with a wire between them; taken away when dropped.
struct Wire {
    server: String,
    client: String,
}

impl Wire {
    fn new() -> Option<Self> {
        if !nix::unistd::geteuid().is_root()
            || run("ip", &["-V"]).is_err()
            || run("busybox", &["true"]).is_err()
        {
            eprintln!("SKIPPED: needs root, ip and busybox");
            return None;
        }
        let id = std::process::id();
        let wire = Self { server: format!("cairn-s{id}"), client: format!("cairn-c{id}") };
        if !run("ip", &["netns", "add", &wire.server]).unwrap().status.success() {
            eprintln!("SKIPPED: no network namespaces here");
            return None;
        }
        let Self { server, client } = &wire;
        ip(&format!("netns add {client}"));
        ip(&format!("link add srv netns {server} type veth peer name cli netns {client}"));
        ip(&format!("-n {server} addr add 10.77.0.1/24 dev srv"));
        ip(&format!("-n {server} link set srv up"));
        ip(&format!("-n {server} link set lo up"));
        ip(&format!("-n {client} link set cli address 52:54:00:77:00:05 up"));
        Some(wire)
    }

    /// Runs udhcpc as PXE firmware would ask; all events so far.
    fn lease(&self, events: &Events) -> Vec<String> {
        let args = ["netns", "exec", &self.client, "busybox", "udhcpc", "-i", "cli", "-n", "-q", "-f"];
        let pxe = ["-s", "/bin/true", "-V", "PXEClient:Arch:00007:UNDI:003000", "-x", "0x5d:0007"];
        let ran = run("ip", &[&args[..], &pxe[..]].concat()).unwrap();
        let said = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned();
        assert!(said.contains("lease of 10.77.0.100 obtained"), "{said}");
        events.words()
    }

    fn enter(namespace: &str) {
        let file = std::fs::File::open(format!("/var/run/netns/{namespace}")).unwrap();
        setns(file.as_fd(), CloneFlags::CLONE_NEWNET).unwrap();
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        for namespace in [&self.server, &self.client] {
            let _best_effort = run("ip", &["netns", "del", namespace]);
        }
    }
}

fn plan() -> Plan {
    let at = |last| Ipv4Addr::new(10, 77, 0, last);
    let subnet = Subnet {
        network: at(0),
        prefix: 24,
        pool: Some((at(100), at(110))),
        routers: vec![SERVER],
        dns: vec![],
        domain: None,
    };
    Plan::new(SERVER, vec![subnet], Terms::default(), KeyBy::Hardware).unwrap()
}

/// A second server's offer to somebody, from the client's side of the wire.
fn foreign_offer() {
    let mut bytes = Packet::new(2).with(54, &[10, 77, 0, 66]).bytes();
    bytes[0] = 2;
    let socket = std::net::UdpSocket::bind("10.77.0.66:67").unwrap();
    socket.set_broadcast(true).unwrap();
    socket.send_to(&bytes, "255.255.255.255:68").unwrap();
}

#[test]
fn udhcpc_gets_a_lease_and_a_second_server_is_heard() {
    let Some(wire) = Wire::new() else { return };
    let (parts, events) = parts(Site::plain(SERVER), installer);
    let store: Arc<Memory> = Arc::default();
    let stop = CancellationToken::new();
    let (token, namespace, kept) = (stop.clone(), wire.server.clone(), Arc::clone(&store));
    let (ready, is_ready) = std::sync::mpsc::channel();
    let server = std::thread::spawn(move || {
        Wire::enter(&namespace);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let config = Config { interface: "srv".into(), plan: plan(), ports: Ports::default() };
            let dhcp = config.bind(parts, kept, Reservations::default()).await.unwrap();
            ready.send(()).unwrap();
            dhcp.run(token).await.unwrap();
        });
    });
    is_ready.recv().unwrap();
    let words = wire.lease(&events);
    assert!(
        words.iter().any(|w| w.contains("gave 10.77.0.100 for 900 s and boot file installer.efi")),
        "{words:?}"
    );
    assert!(store.records.lock().unwrap().contains_key(&Ipv4Addr::new(10, 77, 0, 100)));
    ip(&format!("-n {} link set srv down", wire.server));
    ip(&format!("-n {} link set srv up", wire.server));
    wire.lease(&events);

    ip(&format!("-n {} addr add 10.77.0.66/24 dev cli", wire.client));
    let namespace = wire.client.clone();
    std::thread::spawn(move || {
        Wire::enter(&namespace);
        foreign_offer();
    })
    .join()
    .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let heard = runtime.block_on(events.wait_for("another DHCP server, 10.77.0.66, answers on this segment"));
    assert!(heard.what.advice().is_some());
    stop.cancel();
    server.join().unwrap();
}
