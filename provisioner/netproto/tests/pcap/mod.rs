//! Reads the captures in the lab's samples: classic pcap, Ethernet, IPv4, UDP. For tests only.

use std::path::PathBuf;

/// One UDP datagram of a capture.
pub(crate) struct Datagram {
    #[allow(dead_code, reason = "each test binary uses a part")]
    pub(crate) to_port: u16,
    pub(crate) payload: Vec<u8>,
}

/// The samples' folder, or `None` (said on stderr) where it is absent.
pub(crate) fn samples() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/lab/samples");
    let folder = std::env::var_os("CAIRN_SAMPLES").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: no samples at {}", folder.display());
    None
}

/// All UDP datagrams of a capture, or `None` where the samples are absent.
pub(crate) fn datagrams(name: &str) -> Option<Vec<Datagram>> {
    let file = std::fs::read(samples()?.join(name)).unwrap();
    assert_eq!(&file[..4], &[0xd4, 0xc3, 0xb2, 0xa1], "little-endian pcap");
    let mut out = Vec::new();
    let mut at = 24;
    while at < file.len() {
        let len = u32::from_le_bytes(file[at + 8..at + 12].try_into().unwrap()) as usize;
        out.extend(udp(&file[at + 16..at + 16 + len]));
        at += 16 + len;
    }
    Some(out)
}

fn udp(frame: &[u8]) -> Option<Datagram> {
    let ip = frame.strip_prefix(&frame[..12])?.strip_prefix(&[0x08, 0x00])?;
    if ip[9] != 17 {
        return None;
    }
    let udp = &ip[usize::from(ip[0] & 15) * 4..];
    let port = |at: usize| u16::from_be_bytes([udp[at], udp[at + 1]]);
    Some(Datagram { to_port: port(2), payload: udp[8..usize::from(port(4))].to_vec() })
}
