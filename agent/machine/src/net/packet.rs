//! A DHCPv4 client's packets (RFC 2131, 2132): four written, three read. Own, since `dhcproto` brings a DNS library and
//! its date and name handling into a program that counts kilobytes.

use std::net::Ipv4Addr;

use cairn_contract::Mac;

const COOKIE: [u8; 4] = [0x63, 0x82, 0x53, 0x63];
/// op to file: where the cookie stands.
const HEADER: usize = 236;
/// The broadcast flag: we have no address that could be answered to.
const BROADCAST: u16 = 0x8000;
const CLASS: &[u8] = b"cairn";
/// 1 mask, 3 router, 6 DNS, 12 name, 42 NTP, 51 lease, 54 server, 58 T1, 59 T2.
const WANTED: [u8; 9] = [1, 3, 6, 12, 42, 51, 54, 58, 59];

/// What the client says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Say {
    Discover,
    /// SELECTING: the server chosen and the address offered.
    Request {
        server: Ipv4Addr,
        address: Ipv4Addr,
    },
    /// REBINDING: by broadcast, with the address in ciaddr.
    Rebind {
        address: Ipv4Addr,
    },
}

/// Option 53 of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Offer,
    Ack,
    Nak,
}

/// A server's packet that was for us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) kind: Kind,
    pub(super) address: Ipv4Addr,
    pub(super) server: Ipv4Addr,
    pub(super) netmask: Option<Ipv4Addr>,
    pub(super) router: Option<Ipv4Addr>,
    pub(super) dns: Vec<Ipv4Addr>,
    pub(super) ntp: Vec<Ipv4Addr>,
    pub(super) host_name: Option<String>,
    pub(super) lease_s: u32,
}

pub(super) fn write(say: Say, mac: Mac, xid: u32, seconds: u16) -> Vec<u8> {
    let ciaddr = match say {
        Say::Rebind { address } => address,
        Say::Discover | Say::Request { .. } => Ipv4Addr::UNSPECIFIED,
    };
    let mut p = vec![1, 1, 6, 0];
    p.extend(xid.to_be_bytes());
    p.extend(seconds.to_be_bytes());
    p.extend(BROADCAST.to_be_bytes());
    p.extend(ciaddr.octets());
    p.extend([0; 12]); // yiaddr, siaddr, giaddr
    p.extend(mac.0);
    p.resize(HEADER, 0);
    p.extend(COOKIE);
    let kind = if say == Say::Discover { 1 } else { 3 };
    p.extend([53, 1, kind]);
    if let Say::Request { server, address } = say {
        p.extend([50, 4]);
        p.extend(address.octets());
        p.extend([54, 4]);
        p.extend(server.octets());
    }
    // The client id is the address, as iPXE and udhcpc send it, so that the host keeps the address of its boot.
    p.extend([61, 7, 1]);
    p.extend(mac.0);
    p.extend([60, 5]);
    p.extend(CLASS);
    p.extend([57, 2, 5, 0xDC]); // 1500
    p.extend([55, 9]);
    p.extend(WANTED);
    p.push(255);
    p.resize(p.len().max(300), 0);
    p
}

/// Reads a packet; `None` when it is not a whole, sound answer to `xid` and `mac`.
pub(super) fn read(packet: &[u8], mac: Mac, xid: u32) -> Option<Reply> {
    let field = |at: usize, n: usize| packet.get(at..at.checked_add(n)?);
    if packet.first() != Some(&2) || field(4, 4)? != xid.to_be_bytes() || field(28, 6)? != mac.0 {
        return None;
    }
    if field(HEADER, 4)? != COOKIE {
        return None;
    }
    let mut reply = Reply {
        kind: Kind::Nak,
        address: address(field(16, 4)?)?,
        server: Ipv4Addr::UNSPECIFIED,
        netmask: None,
        router: None,
        dns: Vec::new(),
        ntp: Vec::new(),
        host_name: None,
        lease_s: 0,
    };
    let mut kind = None;
    let mut rest = packet.get(HEADER + 4..)?;
    while let Some((&code, tail)) = rest.split_first() {
        match code {
            0 => rest = tail,
            255 => break,
            _ => {
                let (&n, tail) = tail.split_first()?;
                let (value, tail) = tail.split_at_checked(usize::from(n))?;
                match code {
                    53 => kind = message(value),
                    _ => option(&mut reply, code, value)?,
                }
                rest = tail;
            }
        }
    }
    reply.kind = kind?;
    Some(reply)
}

fn message(value: &[u8]) -> Option<Kind> {
    match value {
        [2] => Some(Kind::Offer),
        [5] => Some(Kind::Ack),
        [6] => Some(Kind::Nak),
        _ => None,
    }
}

fn option(reply: &mut Reply, code: u8, value: &[u8]) -> Option<()> {
    match code {
        1 => reply.netmask = Some(address(value)?),
        3 => reply.router = addresses(value).first().copied(),
        6 => reply.dns = addresses(value),
        12 => reply.host_name = String::from_utf8(value.to_vec()).ok(),
        42 => reply.ntp = addresses(value),
        51 => reply.lease_s = u32::from_be_bytes(value.try_into().ok()?),
        54 => reply.server = address(value)?,
        _ => {}
    }
    Some(())
}

fn address(value: &[u8]) -> Option<Ipv4Addr> {
    <[u8; 4]>::try_from(value).ok().map(Ipv4Addr::from)
}

fn addresses(value: &[u8]) -> Vec<Ipv4Addr> {
    value.chunks_exact(4).filter_map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAC: Mac = Mac([2, 0, 0, 0, 0, 9]);

    /// A server's packet: header with yiaddr 10.0.0.7, then these options.
    pub(super) fn answer(options: &[u8]) -> Vec<u8> {
        let mut p = write(Say::Discover, MAC, 77, 0);
        p[0] = 2;
        p[16..20].copy_from_slice(&[10, 0, 0, 7]);
        p.truncate(HEADER + 4);
        p.extend_from_slice(options);
        p
    }

    #[test]
    fn an_offer_is_read() {
        let p = answer(&[
            53, 1, 2, 0, 1, 4, 255, 255, 255, 0, 3, 8, 10, 0, 0, 1, 10, 0, 0, 2, 51, 4, 0, 0, 1, 44, 54, 4,
            10, 0, 0, 1, 255, 9,
        ]);
        let reply = read(&p, MAC, 77).unwrap();
        assert_eq!(
            (reply.kind, reply.address, reply.lease_s),
            (Kind::Offer, Ipv4Addr::new(10, 0, 0, 7), 300)
        );
        assert_eq!(reply.router, Some(Ipv4Addr::new(10, 0, 0, 1)));
        assert_eq!(read(&p, MAC, 78), None);
        assert_eq!(read(&p, Mac([2; 6]), 77), None);
    }

    #[test]
    fn options_that_end_too_early_are_refused() {
        assert_eq!(read(&answer(&[53, 1, 2, 51, 4, 0]), MAC, 77), None);
        assert_eq!(read(&answer(&[51, 4, 0, 0, 0, 1, 255]), MAC, 77), None, "no message type");
        assert_eq!(read(&answer(&[53, 1, 2, 1, 3, 0, 0, 0, 255]), MAC, 77), None, "a mask of three bytes");
    }

    #[test]
    fn a_request_names_server_and_address() {
        let server = Ipv4Addr::new(10, 0, 0, 1);
        let p = write(Say::Request { server, address: Ipv4Addr::new(10, 0, 0, 7) }, MAC, 77, 3);
        assert!(p.len() >= 300);
        assert!(p.windows(6).any(|w| w == [50, 4, 10, 0, 0, 7]));
        assert!(p.windows(6).any(|w| w == [54, 4, 10, 0, 0, 1]));
    }

    /// UDP payloads from port 67 in a capture (pcap, Ethernet, IPv4 without options).
    fn captured() -> Vec<Vec<u8>> {
        let folder = std::env::var_os("CAIRN_SAMPLES").map(std::path::PathBuf::from);
        let folder = folder
            .unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/lab/samples").into());
        let Ok(capture) = std::fs::read(folder.join("uefi-netboot.pcap")) else {
            eprintln!("SKIPPED: no captures in {}", folder.display());
            return Vec::new();
        };
        let (mut rest, mut found) = (&capture[24..], Vec::new());
        while let Some((header, tail)) = rest.split_at_checked(16) {
            let n = u32::from_le_bytes(header[8..12].try_into().unwrap());
            let (frame, tail) = tail.split_at(usize::try_from(n).unwrap());
            if frame.len() > 282 && frame[12..15] == [8, 0, 0x45] && frame[34..36] == [0, 67] {
                found.push(frame[42..].to_vec());
            }
            rest = tail;
        }
        assert!(!found.is_empty(), "the capture has answers");
        found
    }

    #[test]
    fn answers_of_a_real_server_are_read() {
        for packet in captured() {
            let mac = Mac(packet[28..34].try_into().unwrap());
            let reply = read(&packet, mac, u32::from_be_bytes(packet[4..8].try_into().unwrap())).unwrap();
            assert_eq!(reply.server, Ipv4Addr::new(10, 77, 0, 1));
            assert_eq!(reply.address.octets()[..3], [10, 77, 0]);
        }
    }

    #[test]
    fn altered_answers_never_panic() {
        for packet in captured().into_iter().take(4) {
            let mac = Mac(packet[28..34].try_into().unwrap());
            let xid = u32::from_be_bytes(packet[4..8].try_into().unwrap());
            for at in 236..packet.len() {
                for value in [0, 1, 0x7F, 0xFF] {
                    let mut altered = packet.clone();
                    altered[at] = value;
                    let _ = read(&altered, mac, xid);
                    let _ = read(&altered[..at], mac, xid);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn packets_never_panic(options in proptest::collection::vec(any::<u8>(), 0..80), cut in 0usize..400) {
            let mut p = answer(&options);
            p.truncate(cut);
            let _ = read(&p, MAC, 77);
        }
    }
}
