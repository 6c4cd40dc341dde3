//! Random bytes and mutated real packets: parsers return, and what they accept can be answered.
#![allow(clippy::unwrap_used, reason = "tests")]

mod pcap;
mod wire;

use std::net::Ipv4Addr;
use std::time::Duration;

use cairn_netproto::dhcp::{Boot, Menu, Message, Network, Reply, ReplyKind, Request};
use cairn_netproto::tftp::{Limits, Out, ReadRequest, Transfer};
use cairn_netproto::{bootfile, printable, script};
use proptest::collection::vec;
use proptest::prelude::*;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

/// Whatever is read as a request gets a readable reply, or a named error.
fn answer_any(bytes: &[u8]) {
    let _other_servers_are_read_too = Message::parse(bytes);
    let Ok((request, _)) = Request::parse(bytes) else { return };
    let boots = [
        None,
        Some(Boot::Pxe { server: SERVER, file: "installer.efi".into(), menu: Menu::Skip }),
        Some(Boot::Ipxe { server: SERVER, uri: "http://10.77.0.1/boot/boot.ipxe".into() }),
    ];
    for boot in boots {
        let reply = Reply {
            kind: ReplyKind::Ack,
            server: SERVER,
            address: SERVER,
            lease_secs: Some(900),
            network: Some(Network { prefix: 24, routers: vec![], dns: vec![SERVER; 30], domain: None }),
            boot,
            message: None,
        };
        let Ok(out) = reply.to_bytes(&request) else { continue };
        let (message, oddities) = Message::parse(&out).unwrap();
        assert!(oddities.is_empty(), "{oddities:?}");
        assert_eq!(message.option(82), request.relay82.as_deref());
        assert_eq!(message.option(97), request.uuid97.as_deref());
        assert!((300..=1472).contains(&out.len()), "{}", out.len());
    }
}

fn real_packets() -> Vec<Vec<u8>> {
    let mut all =
        vec![wire::Packet::pxe(1, 7).with(82, &[1, 2, 3, 4]).bytes(), wire::Packet::http(3, 16).bytes()];
    for name in ["uefi-netboot.pcap", "bios-ipxe.pcap"] {
        all.extend(pcap::datagrams(name).unwrap_or_default().into_iter().map(|d| d.payload));
    }
    all
}

/// A real packet with some bytes changed and its end cut.
fn mutated(packets: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    (any::<prop::sample::Index>(), vec((any::<prop::sample::Index>(), any::<u8>()), 0..12), 0..40_usize)
        .prop_map(move |(which, changes, cut)| {
            let mut bytes = which.get(&packets).clone();
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes.truncate(bytes.len().saturating_sub(cut));
            bytes
        })
}

fn limits() -> Limits {
    Limits { blksize: 1468, windowsize: 8, timeout: Duration::from_secs(1), attempts: 3 }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn dhcp_survives_random_bytes(bytes in vec(any::<u8>(), 0..700)) {
        answer_any(&bytes);
    }

    #[test]
    fn dhcp_survives_random_options(options in vec(any::<u8>(), 0..400)) {
        let mut bytes = wire::Packet::new(1).bytes();
        bytes.pop();
        bytes.extend(options);
        answer_any(&bytes);
    }

    #[test]
    fn dhcp_survives_mutated_packets(bytes in mutated(real_packets())) {
        answer_any(&bytes);
    }

    #[test]
    fn tftp_survives_any_request_and_any_conversation(
        tail in vec(any::<u8>(), 0..100),
        len in prop_oneof![any::<u64>(), 0..5000_u64],
        packets in vec(prop_oneof![
            vec(any::<u8>(), 0..20),
            (0..6_u16, 0..20_u16).prop_map(|(op, n)| [op.to_be_bytes(), n.to_be_bytes()].concat()),
        ], 0..60),
    ) {
        let mut bytes = b"\0\x01installer.efi\0octet\0blksize\0".to_vec();
        bytes.extend(tail);
        let Ok(request) = ReadRequest::parse(&bytes) else { return Ok(()) };
        let (mut transfer, mut out) = Transfer::start(&request, len, limits());
        let mut packets = packets.into_iter();
        loop {
            if let Out::Blocks { first, count } = &out {
                prop_assert!(*count >= 1 && *count <= 8);
                prop_assert!(*first >= 1 && *first + u64::from(*count) - 1 <= transfer.blocks());
                let block = transfer.block(*first);
                prop_assert!(block.offset + u64::from(block.len) <= len);
            }
            if matches!(out, Out::Done(_)) {
                break;
            }
            out = match packets.next() {
                Some(packet) => transfer.on_packet(&packet),
                None => transfer.on_timeout(),
            };
        }
    }

    #[test]
    fn tftp_requests_survive_random_bytes(bytes in vec(any::<u8>(), 0..600)) {
        if let Err(refused) = ReadRequest::parse(&bytes) {
            refused.refusal();
        }
    }

    #[test]
    fn names_and_scripts_survive_any_text(bytes in vec(any::<u8>(), 0..200), text in ".*") {
        bootfile::Name::from_wire(&bytes);
        prop_assert!(printable(&bytes).chars().all(|c| c == '…' || (' '..='~').contains(&c)));
        let script = script::nothing(&text);
        prop_assert_eq!(script.lines().count(), 4, "{}", script);
        prop_assert!(!script.contains(['$', '|', '{']), "{}", script);
    }
}
