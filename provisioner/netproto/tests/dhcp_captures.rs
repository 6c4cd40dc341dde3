//! The captures of real firmware are the golden files: what OVMF, the iPXE ROM and udhcpc sent must be read right, and
//! what a reference server answered must be readable too.
#![allow(clippy::unwrap_used, reason = "tests")]

mod pcap;

use cairn_netproto::dhcp::{Arch, Class, Kind, Message, Request, options};

fn requests(name: &str) -> Option<Vec<Request>> {
    let all = pcap::datagrams(name)?;
    let to_server = all.iter().filter(|d| d.to_port == 67);
    Some(
        to_server
            .map(|d| {
                let (request, oddities) = Request::parse(&d.payload).unwrap();
                assert!(oddities.is_empty(), "{oddities:?}");
                request
            })
            .collect(),
    )
}

#[test]
fn ovmf_is_known_as_pxe_and_as_http_client() {
    let Some(requests) = requests("uefi-netboot.pcap") else { return };
    let first = &requests[0];
    assert_eq!((first.kind, first.client.class), (Kind::Discover, Class::PxeClient));
    assert_eq!(first.client.archs, [Arch::X64Uefi]);
    assert_eq!(first.client.machine_uuid, None, "all zeros means that none was set");
    assert_eq!(first.uuid97.as_deref(), Some(&[0; 17][..]), "but it is echoed");
    assert!(first.wants_broadcast());
    assert_eq!(first.max_size, Some(1472));
    assert_eq!(first.chaddr.to_string(), "52:54:00:77:00:01");
    let second = requests.iter().find(|r| r.kind == Kind::Request).unwrap();
    assert_eq!(second.max_size, Some(65280), "OVMF swaps the bytes in its REQUEST");
    assert_eq!(second.server_id, Some([10, 77, 0, 1].into()));
    assert!(second.requested_ip.is_some());
    let http = requests.iter().find(|r| r.client.class == Class::HttpClient).unwrap();
    assert_eq!(http.client.archs, [Arch::X64Http]);
    let with_uuid = requests.iter().find_map(|r| r.client.machine_uuid).unwrap();
    assert_eq!(with_uuid.to_string(), "11111111-2222-3333-4444-555555555555");
}

#[test]
fn the_ipxe_rom_is_known_by_its_plain_user_class() {
    let Some(requests) = requests("bios-ipxe.pcap") else { return };
    let rom = &requests[0];
    assert_eq!(rom.client.class, Class::Ipxe);
    assert_eq!(rom.client.archs, [Arch::Bios]);
    assert_eq!(rom.client.user_classes, [b"iPXE".to_vec()]);
    let ipxe = rom.client.ipxe.unwrap();
    assert!(ipxe.http && !ipxe.https, "Debian's BIOS build has no HTTPS");
    assert_eq!(rom.client_id.as_deref(), Some(&[1, 0x52, 0x54, 0, 0x77, 0, 0x40][..]));
    let udhcpc = requests.iter().find(|r| r.client.class == Class::Os).unwrap();
    assert_eq!(udhcpc.client.vendor_class.as_deref(), Some(&b"udhcp 1.35.0"[..]));
    assert_eq!(udhcpc.chaddr, rom.chaddr);
}

#[test]
fn a_reference_servers_answers_are_readable() {
    let Some(all) = pcap::datagrams("bios-ipxe.pcap") else { return };
    let answers: Vec<Message> =
        all.iter().filter(|d| d.to_port == 68).map(|d| Message::parse(&d.payload).unwrap().0).collect();
    assert!(!answers.is_empty());
    for answer in answers {
        assert_eq!(answer.op, 2);
        assert_eq!(answer.address(options::SERVER_ID), Some([10, 77, 0, 1].into()));
        assert!(matches!(answer.kind(), Some(2 | 5)));
    }
}
