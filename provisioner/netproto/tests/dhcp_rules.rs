//! The rules of netboot.md A, B and D that concern bytes: a packet in, a packet out.
#![allow(clippy::unwrap_used, reason = "tests")]

mod wire;

use std::net::Ipv4Addr;

use cairn_netproto::dhcp::{
    Arch, Boot, BootItem, BuildError, Class, Destination, Kind, Menu, Message, Network, Oddity, ParseError,
    Reply, ReplyKind, Request, options,
};
use wire::Packet;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);

fn read(packet: &Packet) -> Request {
    Request::parse(&packet.bytes()).unwrap().0
}

fn offer(boot: Option<Boot>) -> Reply {
    Reply {
        kind: ReplyKind::Offer,
        server: SERVER,
        address: ADDRESS,
        lease_secs: Some(900),
        network: Some(Network {
            prefix: 24,
            routers: vec![SERVER],
            dns: vec![SERVER],
            domain: Some("lab".into()),
        }),
        boot,
        message: None,
    }
}

fn tftp(menu: Menu) -> Boot {
    Boot::Pxe { server: SERVER, file: "installer.efi".into(), menu }
}

#[track_caller]
fn answer(reply: &Reply, packet: &Packet) -> Message {
    let bytes = reply.to_bytes(&read(packet)).unwrap();
    assert!(bytes.len() >= 300, "rule 12: at least 300 bytes");
    let (message, oddities) = Message::parse(&bytes).unwrap();
    assert!(oddities.is_empty(), "{oddities:?}");
    assert_eq!(message.op, 2);
    message
}

#[test]
fn rule_1_option_97_is_read_when_valid_and_echoed_only_when_sent() {
    let mut uuid = vec![0];
    uuid.extend(1..=16);
    let with = Packet::pxe(1, 7).with(97, &uuid);
    assert!(read(&with).client.machine_uuid.is_some());
    assert_eq!(answer(&offer(None), &with).option(97), Some(&uuid[..]));
    assert_eq!(answer(&offer(None), &Packet::pxe(1, 7)).option(97), None);
    let empty = Packet::pxe(1, 7).with(97, &[]);
    let (request, oddities) = Request::parse(&empty.bytes()).unwrap();
    assert_eq!((request.client.machine_uuid, oddities.len()), (None, 0), "length 0 is seen in the field");
    let odd = Packet::pxe(1, 7).with(97, &[0, 1, 2]);
    assert_eq!(Request::parse(&odd.bytes()).unwrap().1, [Oddity::BadLength { code: 97, len: 3 }]);
}

#[test]
fn rule_2_another_vendor_class_is_told_apart_and_kept() {
    let idrac = Packet::new(1).with(60, b"iDRAC").with(93, &[0, 7]);
    let client = read(&idrac).client;
    assert_eq!((client.class, client.vendor_class.as_deref()), (Class::Other, Some(&b"iDRAC"[..])));
    assert_eq!(read(&Packet::new(1).with(60, b"udhcp 1.35.0")).client.class, Class::Os);
    assert_eq!(read(&Packet::new(1)).client.class, Class::Os);
}

#[test]
fn rule_3_architectures_and_the_raspberry_pi() {
    for (code, arch) in [
        (0, Arch::Bios),
        (6, Arch::Ia32Uefi),
        (7, Arch::X64Uefi),
        (9, Arch::X64Uefi),
        (10, Arch::Arm32Uefi),
        (11, Arch::Arm64Uefi),
        (15, Arch::Ia32Http),
        (16, Arch::X64Http),
        (17, Arch::EbcHttp),
        (18, Arch::Arm32Http),
        (19, Arch::Arm64Http),
        (20, Arch::BiosHttp),
        (22, Arch::UbootArm64),
        (27, Arch::Riscv64Uefi),
        (41, Arch::RaspberryPi),
        (999, Arch::Other(999)),
    ] {
        assert_eq!(read(&Packet::pxe(1, code)).client.archs, [arch], "{code}");
    }
    let mut pi = Packet::pxe(1, 0);
    pi.chaddr = [0xdc, 0xa6, 0x32, 1, 2, 3];
    assert_eq!(read(&pi).client.archs, [Arch::RaspberryPi]);
}

#[test]
fn rule_3_the_first_supported_of_several_architectures_is_taken() {
    let several = Packet::new(1).with(60, b"PXEClient").with(93, &[0, 11, 0, 7, 0, 0]);
    let client = read(&several).client;
    assert_eq!(client.archs.len(), 3);
    assert_eq!(client.arch(|a| a == Arch::X64Uefi || a == Arch::Bios), Some(Arch::X64Uefi));
    assert_eq!(client.arch(|_| false), Some(Arch::Arm64Uefi), "else the first, to be named in the log");
    let odd = Packet::new(1).with(60, b"PXEClient").with(93, &[0, 7, 0]);
    let (request, oddities) = Request::parse(&odd.bytes()).unwrap();
    assert_eq!(
        (request.client.archs, oddities),
        (vec![Arch::X64Uefi], vec![Oddity::BadLength { code: 93, len: 3 }])
    );
    let wrong94 = Packet::new(1).with(60, b"PXEClient").with(93, &[0, 7]).with(94, &[1]);
    assert!(Request::parse(&wrong94.bytes()).is_ok(), "dhcproto panics here in debug builds");
}

#[test]
fn rule_5_and_8_a_boot_reply_is_complete() {
    let message = answer(&offer(Some(tftp(Menu::None))), &Packet::pxe(1, 7));
    assert_eq!(message.option(options::VENDOR_CLASS), Some(&b"PXEClient"[..]));
    assert_eq!(message.address(options::SERVER_ID), Some(SERVER));
    assert_eq!((message.siaddr, message.yiaddr), (SERVER, ADDRESS));
    assert_eq!(message.option(options::VENDOR), None, "rule 7: UEFI gets no option 43");
    let plain = answer(&offer(None), &Packet::pxe(1, 7));
    assert_eq!(plain.option(options::VENDOR_CLASS), None, "rule 8: never a bare PXEClient");
    assert_eq!(plain.siaddr, Ipv4Addr::UNSPECIFIED);
}

#[test]
fn rule_6_a_bios_rom_is_told_to_skip_discovery() {
    let message = answer(&offer(Some(tftp(Menu::Skip))), &Packet::pxe(1, 0));
    assert_eq!(message.option(options::VENDOR), Some(&[6, 1, 8, 255][..]));
}

#[test]
fn rule_10_a_boot_server_request_is_echoed_and_credentials_are_reported() {
    let asks = Packet::pxe(3, 0).with(43, &[71, 4, 0x12, 0x34, 0, 0, 255]);
    let item = read(&asks).client.boot_item.unwrap();
    assert_eq!(item, BootItem { kind: 0x1234, layer: 0 });
    let message = answer(&offer(Some(tftp(Menu::Item(item)))), &asks);
    assert_eq!(message.option(options::VENDOR), Some(&[71, 4, 0x12, 0x34, 0, 0, 255][..]));
    let secret = Packet::pxe(3, 0).with(43, &[71, 4, 0, 1, 0x80, 0, 255]);
    assert_eq!(Request::parse(&secret.bytes()).unwrap().1, [Oddity::Credentials(0x8000)]);
}

#[test]
fn rule_11_header_and_options_are_both_filled_and_terminated() {
    let bytes = offer(Some(tftp(Menu::None))).to_bytes(&read(&Packet::pxe(1, 7))).unwrap();
    assert_eq!(&bytes[108..122], b"installer.efi\0");
    assert_eq!(&bytes[44..54], b"10.77.0.1\0");
    let (message, _) = Message::parse(&bytes).unwrap();
    assert_eq!(message.option(options::BOOT_FILE), Some(&b"installer.efi\0"[..]));
    assert_eq!(message.option(options::SERVER_NAME), Some(&b"10.77.0.1\0"[..]));
}

#[test]
fn rule_11_a_long_uri_goes_into_67_only() {
    let uri = |len: usize| format!("http://10.77.0.1/{}", "a".repeat(len - 17));
    let http = |uri: String| offer(Some(Boot::Http { server: SERVER, uri }));
    let fits = answer(&http(uri(127)), &Packet::http(1, 16));
    assert_eq!(fits.file.len(), 127);
    let long = answer(&http(uri(128)), &Packet::http(1, 16));
    assert_eq!((long.file.len(), long.option(67).unwrap().len()), (0, 129));
    let request = read(&Packet::http(1, 16));
    let refused = http(uri(255)).to_bytes(&request);
    assert_eq!(refused, Err(BuildError::OptionTooLong { code: 67, len: 256 }));
}

#[test]
fn rule_11_option_overload_is_read_from_file_then_sname() {
    let mut packet = Packet::new(1).with(52, &[3]);
    packet.file = [&[60, 9][..], b"PXEClient", &[93, 2, 0, 7, 255]].concat();
    packet.sname = vec![12, 2, b'h', b'1', 255];
    let request = read(&packet);
    assert_eq!((request.client.class, request.client.archs), (Class::PxeClient, vec![Arch::X64Uefi]));
    assert_eq!(request.host_name.as_deref(), Some(&b"h1"[..]));
}

#[test]
fn rule_12_pads_split_options_and_the_size_limit() {
    let mut bytes = Packet::pxe(1, 7).bytes();
    bytes.pop();
    bytes.extend([0, 0, 77, 2, b'i', b'P', 0, 77, 2, b'X', b'E', 0, 255]);
    let request = Request::parse(&bytes).unwrap().0;
    assert_eq!(request.client.class, Class::Ipxe, "RFC 3396: the parts of a split option are joined");
    for asked in [0_u16, 576, 1472, 65280] {
        let packet = Packet::http(1, 16).with(57, &asked.to_be_bytes());
        let boot = Boot::Http { server: SERVER, uri: format!("http://10.77.0.1/{}", "a".repeat(230)) };
        let bytes = offer(Some(boot)).to_bytes(&read(&packet)).unwrap();
        let limit = usize::from(asked.clamp(576, 1500)) - 28;
        assert!(bytes.len() <= limit, "{asked}: {} bytes", bytes.len());
        assert!(Message::parse(&bytes).unwrap().0.option(67).is_some());
    }
}

#[test]
fn rule_13_ipxe_need_not_wait_for_a_proxy() {
    let packet = Packet::pxe(1, 0).with(77, b"iPXE");
    let boot = Boot::Ipxe { server: SERVER, uri: "http://10.77.0.1/boot/boot.ipxe".into() };
    let message = answer(&offer(Some(boot)), &packet);
    assert_eq!(message.option(options::IPXE), Some(&[176, 1, 1][..]));
    assert_eq!(message.option(options::BOOT_FILE), Some(&b"http://10.77.0.1/boot/boot.ipxe\0"[..]));
}

#[test]
fn rule_15_ipxe_is_known_in_each_of_its_forms() {
    let forms: [&[u8]; 4] =
        [b"iPXE", &[4, b'i', b'P', b'X', b'E'], b"cairn", &[1, b'x', 4, b'i', b'P', b'X', b'E']];
    for form in forms {
        assert_eq!(read(&Packet::pxe(1, 7).with(77, form)).client.class, Class::Ipxe, "{form:?}");
    }
    let by_175 = read(&Packet::pxe(1, 7).with(175, &[19, 1, 1, 20, 1, 1])).client;
    assert_eq!((by_175.class, by_175.ipxe.unwrap().https), (Class::Ipxe, true));
    assert_eq!(read(&Packet::pxe(1, 7).with(77, b"pxelinux")).client.class, Class::PxeClient);
}

#[test]
fn rule_19_option_82_is_echoed_byte_for_byte_and_last() {
    let relay = [1, 4, 0xde, 0xad, 0xbe, 0xef, 5, 4, 10, 88, 0, 0, 0xff, 0];
    let mut packet = Packet::pxe(1, 7).with(82, &relay).with(60, b"x");
    packet.giaddr = [10, 66, 0, 1];
    let request = read(&packet);
    assert_eq!(request.link_selection, Some(Ipv4Addr::new(10, 88, 0, 0)));
    let reply = offer(Some(tftp(Menu::None)));
    let bytes = reply.to_bytes(&request).unwrap();
    let end = bytes.iter().rposition(|b| *b == 255).unwrap();
    let at = end - relay.len() - 2;
    assert_eq!(&bytes[at..end], &[&[82, 14][..], &relay].concat()[..]);
    assert_eq!(reply.destination(&request), Destination::Relay(Ipv4Addr::new(10, 66, 0, 1)));
    assert_eq!(&bytes[24..28], &[10, 66, 0, 1], "giaddr is kept for the relay");
}

#[test]
fn rule_19_an_empty_and_a_split_option_82_are_echoed_too() {
    let empty = Packet::pxe(1, 7).with(82, &[]);
    assert_eq!(answer(&offer(None), &empty).option(82), Some(&[][..]), "found by the fuzzer");
    let split = Packet::pxe(1, 7).with(82, &[7; 255]).with(82, &[8; 20]);
    assert_eq!(answer(&offer(None), &split).option(82), Some(&[&[7; 255][..], &[8; 20]].concat()[..]));
}

#[test]
fn rule_19_a_nak_is_broadcast_or_flagged_through_the_relay() {
    let nak = Reply {
        kind: ReplyKind::Nak,
        server: SERVER,
        address: Ipv4Addr::UNSPECIFIED,
        lease_secs: None,
        network: None,
        boot: None,
        message: Some("no"),
    };
    let mut packet = Packet::new(3);
    packet.ciaddr = [10, 77, 0, 100];
    assert_eq!(nak.destination(&read(&packet)), Destination::Broadcast);
    assert_eq!(answer(&nak, &packet).ciaddr, Ipv4Addr::UNSPECIFIED);
    packet.giaddr = [10, 66, 0, 1];
    assert_eq!(answer(&nak, &packet).flags, 0x8000);
    assert_eq!(nak.destination(&read(&packet)), Destination::Relay(Ipv4Addr::new(10, 66, 0, 1)));
}

#[test]
fn rule_23_a_raspberry_pi_gets_its_words() {
    let message = answer(&offer(Some(tftp(Menu::RaspberryPi))), &Packet::pxe(1, 0));
    let area = message.option(options::VENDOR).unwrap();
    assert_eq!(&area[..22], b"\x09\x14\x00\x00\x11Raspberry Pi Boot");
    assert_eq!(&area[22..], b"\x0a\x04\x00PXE\xff");
}

#[test]
fn rule_33_http_boot_gets_its_class_the_uri_and_dns() {
    let boot = Boot::Http { server: SERVER, uri: "http://boot.lab/boot/installer.efi".into() };
    let message = answer(&offer(Some(boot)), &Packet::http(1, 16));
    assert_eq!(message.option(options::VENDOR_CLASS), Some(&b"HTTPClient"[..]));
    assert_eq!(message.option(options::DNS), Some(&SERVER.octets()[..]));
    assert_eq!(message.file, b"http://boot.lab/boot/installer.efi");
}

#[test]
fn replies_go_where_the_client_can_hear_them() {
    let reply = offer(None);
    assert_eq!(reply.destination(&read(&Packet::new(1))), Destination::Broadcast);
    let mut bogus = Packet::new(1);
    bogus.ciaddr = [1, 2, 3, 4];
    assert_eq!(reply.destination(&read(&bogus)), Destination::Broadcast, "rule 9: a bogus ciaddr is ignored");
    let ack = Reply { kind: ReplyKind::Ack, ..reply };
    let mut renewing = Packet::new(3);
    renewing.ciaddr = ADDRESS.octets();
    assert_eq!(ack.destination(&read(&renewing)), Destination::Client(ADDRESS));
}

#[test]
fn what_is_no_request_is_refused_by_name() {
    let parse = |bytes: &[u8]| Request::parse(bytes).map(|(r, _)| r.kind);
    let good = Packet::new(1).bytes();
    assert_eq!(parse(&good), Ok(Kind::Discover));
    assert_eq!(parse(&good[..239]), Err(ParseError::TooShort(239)));
    assert_eq!(parse(&vec![0; 5000]), Err(ParseError::TooLong(5000)));
    let change = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    assert_eq!(parse(&change(0, 2)), Err(ParseError::NotARequest(2)));
    assert_eq!(parse(&change(1, 32)), Err(ParseError::NotEthernet { htype: 32, hlen: 6 }));
    assert_eq!(parse(&change(2, 16)), Err(ParseError::NotEthernet { htype: 1, hlen: 16 }));
    assert_eq!(parse(&change(236, 0)), Err(ParseError::NoCookie));
    assert!(matches!(parse(&change(28, 0x53)), Err(ParseError::BadAddress(_))), "a group address");
    assert_eq!(parse(&change(242, 2)), Err(ParseError::BadKind(2)));
    assert_eq!(parse(&change(240, 250)), Err(ParseError::NoKind));
    assert_eq!(Request::parse(&change(241, 200)).unwrap_err(), ParseError::NoKind);
    let mut cut = good;
    cut.pop();
    cut.extend([60, 200, b'x']);
    assert_eq!(Request::parse(&cut).unwrap().1, [Oddity::CutShort(60)], "a slip at the end is survived");
}
