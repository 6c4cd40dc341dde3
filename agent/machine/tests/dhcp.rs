//! The DHCP client against a server of a few lines, each in a network namespace of its own, joined by a veth pair.
//! Needs root; nothing leaves the namespaces.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use cairn_contract::Mac;
use cairn_machine::net::{self, DhcpError, dhcp};
use nix::libc;
use nix::sched::{CloneFlags, unshare};

const MAC: Mac = Mac([2, 0, 0, 0, 0xCA, 1]);

fn ip(line: &str) {
    let status = Command::new("ip").args(line.split(' ')).status().unwrap();
    assert!(status.success(), "ip {line}");
}

/// A namespace's inode, which tells two apart.
fn namespace() -> u64 {
    std::fs::metadata("/proc/thread-self/ns/net").unwrap().ino()
}

/// What the server does with each packet, in turn: a message type to answer with, or silence.
type Script = Vec<Option<u8>>;

fn serve(script: &Script) {
    let socket = UdpSocket::bind(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 67)).unwrap();
    socket2::SockRef::from(&socket).bind_device(Some(b"srv")).unwrap();
    socket.set_broadcast(true).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(8))).unwrap();
    for step in script {
        let mut packet = [0; 1500];
        let Ok((n, _)) = socket.recv_from(&mut packet) else { return };
        let Some(kind) = step else { continue };
        let mut reply = packet[..240].to_vec();
        assert!(n >= 300, "a packet below BOOTP's minimum");
        assert_eq!(reply[10], 0x80, "the broadcast flag");
        reply[0] = 2;
        reply[16..20].copy_from_slice(&[10, 99, 0, 7]);
        reply.extend([53, 1, *kind, 54, 4, 10, 99, 0, 1, 1, 4, 255, 255, 255, 0, 3, 4, 10, 99, 0, 1]);
        reply.extend([6, 8, 10, 99, 0, 1, 10, 99, 0, 2, 51, 4, 0, 0, 0, 120, 255]);
        socket.send_to(&reply, SocketAddrV4::new(Ipv4Addr::BROADCAST, 68)).unwrap();
    }
}

/// Runs `client` in one namespace and the script in another.
fn with_server<T: Send + 'static>(script: Script, client: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (ready, server_ready) = mpsc::channel::<Option<libc::pid_t>>();
    let (joined, client_joined) = mpsc::channel::<()>();
    let server = std::thread::spawn(move || {
        if unshare(CloneFlags::CLONE_NEWNET).is_err() {
            ready.send(None).unwrap();
            return;
        }
        ready.send(Some(nix::unistd::gettid().as_raw())).unwrap();
        client_joined.recv().unwrap();
        ip("addr add 10.99.0.1/24 dev srv");
        ip("link set srv up");
        serve(&script);
    });
    let Some(server_thread) = server_ready.recv().unwrap() else {
        eprintln!("SKIPPED: network namespaces need root, the DHCP client was not tested");
        return None;
    };
    let outside = namespace();
    let client = std::thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        assert_ne!(namespace(), outside);
        ip(&format!("link add cli address 02:00:00:00:ca:01 type veth peer name srv netns {server_thread}"));
        joined.send(()).unwrap();
        net::link_up("cli").unwrap();
        std::thread::sleep(Duration::from_millis(200));
        client()
    });
    let result = client.join().unwrap();
    server.join().unwrap();
    Some(result)
}

#[test]
fn a_lost_offer_is_asked_for_again_and_the_lease_is_applied() {
    let result = with_server(vec![None, Some(2), Some(5)], || {
        let lease = dhcp::acquire("cli", MAC, Duration::from_secs(8)).unwrap();
        net::apply("cli", &lease).unwrap();
        let out = Command::new("ip").args(["-4", "route"]).output().unwrap();
        net::clear("cli").unwrap();
        let cleared = Command::new("ip").args(["-4", "route"]).output().unwrap();
        (lease, String::from_utf8(out.stdout).unwrap(), cleared.stdout)
    });
    let Some((lease, routes, cleared)) = result else { return };
    assert_eq!((lease.address, lease.prefix, lease.seconds), (Ipv4Addr::new(10, 99, 0, 7), 24, 120));
    assert_eq!(lease.dns.len(), 2);
    assert!(routes.contains("default via 10.99.0.1 dev cli"), "{routes}");
    assert!(routes.contains("10.99.0.0/24 dev cli"), "{routes}");
    assert!(cleared.is_empty());
}

#[test]
fn a_refused_address_is_asked_for_anew_and_a_lease_is_renewed() {
    let result = with_server(vec![Some(2), Some(6), Some(2), Some(5), Some(5), Some(6)], || {
        let lease = dhcp::acquire("cli", MAC, Duration::from_secs(8)).unwrap();
        let renewed = dhcp::renew("cli", MAC, &lease, Duration::from_secs(4)).unwrap();
        let taken = dhcp::renew("cli", MAC, &renewed, Duration::from_secs(4));
        (lease, renewed, taken)
    });
    let Some((lease, renewed, taken)) = result else { return };
    assert_eq!(lease, renewed);
    assert!(matches!(taken, Err(DhcpError::Refused { .. })), "{taken:?}");
}

#[test]
fn silence_ends_at_the_deadline() {
    let result = with_server(vec![None; 3], || dhcp::acquire("cli", MAC, Duration::from_secs(2)));
    let Some(result) = result else { return };
    assert!(matches!(result, Err(DhcpError::NoAnswer { .. })), "{result:?}");
}
