//! Any bytes as a TFTP conversation: the first line's worth is the request, the rest are packets of four bytes, where
//! 0xff stands for silence. The machine never names a block beyond the file and always ends.
#![no_main]

use std::time::Duration;

use cairn_netproto::tftp::{Limits, Out, ReadRequest, Transfer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (first, rest) = bytes.split_at(bytes.len().min(64));
    let mut request = b"\0\x01f\0octet\0".to_vec();
    request.extend_from_slice(first);
    let _raw_too = ReadRequest::parse(bytes);
    let Ok(request) = ReadRequest::parse(&request) else { return };
    let limits = Limits { blksize: 1468, windowsize: 16, timeout: Duration::from_secs(1), attempts: 3 };
    let len = bytes.iter().map(|b| u64::from(*b)).sum::<u64>().saturating_mul(97);
    let (mut transfer, mut out) = Transfer::start(&request, len, limits);
    for packet in rest.chunks(4).chain(std::iter::repeat_n(&b"\xff"[..], 10)) {
        match out {
            Out::Done(_) => return,
            Out::Blocks { first, count } => {
                assert!(first >= 1 && first + u64::from(count) - 1 <= transfer.blocks());
                let last = transfer.block(first + u64::from(count) - 1);
                assert!(last.offset + u64::from(last.len) <= len);
            }
            Out::Oack(_) | Out::Wait => {}
        }
        out = if packet[0] == 0xff { transfer.on_timeout() } else { transfer.on_packet(packet) };
    }
    assert!(matches!(out, Out::Done(_)), "ten silences end a transfer");
});
