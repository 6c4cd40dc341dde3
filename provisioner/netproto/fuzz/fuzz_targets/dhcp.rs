//! Any bytes as a DHCP packet: parsing returns, and what is read as a request gets a reply that reads back.
//! Seeds: the captures of lab/samples, one payload a file. Run: `cargo +nightly fuzz run dhcp`.
#![no_main]

use std::net::Ipv4Addr;

use cairn_netproto::dhcp::{Boot, Menu, Message, Network, Reply, ReplyKind, Request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _a_server_may_have_sent_it = Message::parse(bytes);
    let Ok((request, _)) = Request::parse(bytes) else { return };
    let server = Ipv4Addr::new(10, 77, 0, 1);
    let reply = Reply {
        kind: ReplyKind::Ack,
        server,
        address: server,
        lease_secs: Some(900),
        network: Some(Network { prefix: 24, routers: vec![server], dns: vec![server], domain: None }),
        boot: Some(Boot::Pxe { server, file: "installer.efi".into(), menu: Menu::Skip }),
        message: None,
    };
    if let Ok(out) = reply.to_bytes(&request) {
        let (message, oddities) = Message::parse(&out).expect("our own reply is readable");
        assert!(oddities.is_empty());
        assert_eq!(message.option(82), request.relay82.as_deref());
        assert_eq!(message.option(97), request.uuid97.as_deref());
    }
});
