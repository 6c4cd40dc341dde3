//! The rules of netboot.md E, packet by packet.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use cairn_netproto::tftp::{Limits, Out, Outcome, ReadRequest, RequestError, Transfer};

const LIMITS: Limits = Limits { blksize: 1468, windowsize: 16, timeout: Duration::from_secs(1), attempts: 3 };

fn rrq(options: &[(&str, &str)]) -> ReadRequest {
    let mut bytes = b"\0\x01installer.efi\0octet\0".to_vec();
    for (name, value) in options {
        bytes.extend(format!("{name}\0{value}\0").bytes());
    }
    ReadRequest::parse(&bytes).unwrap()
}

fn start(options: &[(&str, &str)], len: u64) -> (Transfer, Out) {
    Transfer::start(&rrq(options), len, LIMITS)
}

fn ack(number: u16) -> Vec<u8> {
    [&[0, 4][..], &number.to_be_bytes()].concat()
}

fn client_error(code: u16) -> Vec<u8> {
    [&[0, 5][..], &code.to_be_bytes(), b"User aborted the transfer\0"].concat()
}

fn blocks(first: u64, count: u16) -> Out {
    Out::Blocks { first, count }
}

#[test]
fn rule_25_edk2_asks_for_the_size_first_and_that_is_no_failure() {
    let (mut probe, out) = start(&[("tsize", "0"), ("blksize", "1468"), ("windowsize", "4")], 16_700_000);
    let oack = b"\0\x06blksize\x001468\0tsize\x0016700000\0windowsize\x004\0";
    assert_eq!(out, Out::Oack(oack.to_vec()));
    assert_eq!(probe.on_packet(&client_error(8)), Out::Done(Outcome::Probed));
    let (mut real, _) = start(&[("blksize", "1468"), ("windowsize", "4")], 16_700_000);
    assert_eq!(real.on_packet(&ack(0)), blocks(1, 4));
    let refused = Outcome::Refused { code: 3, message: "User aborted the transfer".into() };
    assert_eq!(real.on_packet(&client_error(3)), Out::Done(refused));
}

#[test]
fn rule_26_only_what_was_asked_for_is_granted_and_never_more() {
    assert_eq!(start(&[], 100).1, blocks(1, 1), "no option: no OACK, blocks of 512");
    assert_eq!(start(&[], 100).0.block(1).len, 100);
    assert_eq!(start(&[], 1000).0.block(1).len, 512);
    assert_eq!(start(&[("blksize", "1024")], 1).1, Out::Oack(b"\0\x06blksize\x001024\0".to_vec()));
    assert_eq!(
        start(&[("BlkSize", "1024"), ("multicast", "")], 1).1,
        Out::Oack(b"\0\x06blksize\x001024\0".to_vec())
    );
    for senseless in ["7", "65465", "-1", "", "12x", "99999999999999999999"] {
        assert_eq!(start(&[("blksize", senseless)], 1).1, blocks(1, 1), "{senseless}");
    }
    assert_eq!(start(&[("windowsize", "0"), ("timeout", "0")], 1).1, blocks(1, 1));
    assert_eq!(start(&[("timeout", "5")], 1).1, Out::Oack(b"\0\x06timeout\x005\0".to_vec()));
    assert_eq!(start(&[("timeout", "5")], 1).0.wait(), Duration::from_secs(5));
}

#[test]
fn rule_27_blocks_and_windows_are_capped() {
    let (transfer, out) = start(&[("blksize", "65464"), ("windowsize", "64")], 1_000_000);
    assert_eq!(out, Out::Oack(b"\0\x06blksize\x001468\0windowsize\x0016\0".to_vec()));
    assert_eq!(transfer.block(1).len, 1468);
}

#[test]
fn rule_28_block_numbers_roll_over_to_zero() {
    let len = 512 * 70_000;
    let (mut transfer, mut out) = start(&[], len);
    let mut seen = Vec::new();
    for number in 1..=70_001_u64 {
        assert_eq!(out, blocks(number, 1));
        let block = transfer.block(number);
        if (65_534..65_538).contains(&number) {
            seen.push(u16::from_be_bytes([block.header[2], block.header[3]]));
            assert_eq!(block.offset, (number - 1) * 512);
        }
        out = transfer.on_packet(&ack(u16::from_be_bytes([block.header[2], block.header[3]])));
    }
    assert_eq!(seen, [65_534, 65_535, 0, 1]);
    assert_eq!(out, Out::Done(Outcome::Complete));
}

#[test]
fn rule_28_a_whole_number_of_blocks_ends_with_an_empty_one() {
    let (mut transfer, _) = start(&[], 1024);
    assert_eq!(transfer.blocks(), 3);
    assert_eq!(transfer.on_packet(&ack(1)), blocks(2, 1));
    assert_eq!(transfer.on_packet(&ack(2)), blocks(3, 1));
    assert_eq!(transfer.block(3).len, 0);
    assert_eq!(transfer.on_packet(&ack(3)), Out::Done(Outcome::Complete));
    let (mut empty, out) = start(&[], 0);
    assert_eq!((out, empty.block(1).len), (blocks(1, 1), 0));
    assert_eq!(empty.on_packet(&ack(1)), Out::Done(Outcome::Complete));
}

#[test]
fn rule_29_a_duplicate_ack_never_resends_without_a_window() {
    let (mut transfer, _) = start(&[], 5000);
    assert_eq!(transfer.on_packet(&ack(1)), blocks(2, 1));
    for _ in 0..10 {
        assert_eq!(transfer.on_packet(&ack(1)), Out::Wait);
        assert_eq!(transfer.on_packet(&ack(0)), Out::Wait);
    }
    assert_eq!(transfer.on_packet(&ack(9)), Out::Wait, "an ACK for what was never sent");
}

#[test]
fn rule_29_a_duplicate_ack_resends_one_window_once() {
    let (mut transfer, _) = start(&[("windowsize", "4")], 20_000);
    assert_eq!(transfer.on_packet(&ack(0)), blocks(1, 4));
    assert_eq!(transfer.on_packet(&ack(4)), blocks(5, 4));
    assert_eq!(transfer.on_packet(&ack(4)), blocks(5, 4), "the client lost block 5");
    for _ in 0..10 {
        assert_eq!(transfer.on_packet(&ack(4)), Out::Wait);
    }
    assert_eq!(transfer.on_packet(&ack(8)), blocks(9, 4));
    assert_eq!(transfer.on_packet(&ack(8)), Out::Wait, "an echo of the resent window");
    assert_eq!(transfer.on_packet(&ack(12)), blocks(13, 4));
    assert_eq!(transfer.on_packet(&ack(12)), blocks(13, 4), "calm again: a loss is answered again");
}

#[test]
fn a_hole_in_a_window_is_sent_again_from_the_hole() {
    let (mut transfer, _) = start(&[("windowsize", "4")], 20_000);
    transfer.on_packet(&ack(0));
    assert_eq!(transfer.on_packet(&ack(2)), blocks(3, 4), "block 3 was lost");
}

#[test]
fn silence_is_answered_with_patience_and_then_given_up() {
    let (mut transfer, _) = start(&[("blksize", "1024")], 5000);
    assert!(matches!(transfer.on_timeout(), Out::Oack(_)));
    assert_eq!(transfer.wait(), Duration::from_secs(2));
    assert_eq!(transfer.on_packet(&ack(0)), blocks(1, 1));
    assert_eq!(transfer.wait(), Duration::from_secs(1), "progress restores the first wait");
    for _ in 0..3 {
        assert_eq!(transfer.on_timeout(), blocks(1, 1));
    }
    assert_eq!(transfer.on_timeout(), Out::Done(Outcome::GaveUp { acked: 0, blocks: 5 }));
    assert_eq!(transfer.on_packet(&ack(1)), Out::Wait, "over is over");
}

#[test]
fn rule_31_writes_netascii_and_garbage_are_refused() {
    let parse = |bytes: &[u8]| ReadRequest::parse(bytes).unwrap_err();
    let write = parse(b"\0\x02file\0octet\0");
    assert_eq!(write.refusal().unwrap()[..4], [0, 5, 0, 2]);
    assert!(matches!(parse(b"\0\x01file\0NetASCII\0"), RequestError::Mode(_)));
    assert!(matches!(parse(b"\0\x01file\0mail\0"), RequestError::Mode(_)));
    for malformed in [&b"\0\x01"[..], b"\0\x01file", b"\0\x01file\0", b"\0\x01file\0octet"] {
        assert_eq!(parse(malformed), RequestError::Malformed, "{malformed:?}");
    }
    assert_eq!(parse(&[b"\0\x01".to_vec(), vec![b'a'; 600]].concat()), RequestError::Malformed);
    for stray in [&b""[..], b"\0", b"\0\x04\0\x01", b"\x01\0", b"GET / HTTP/1.0"] {
        assert_eq!(parse(stray), RequestError::Stray);
        assert_eq!(RequestError::Stray.refusal(), None);
    }
    assert!(ReadRequest::parse(b"\0\x01file\0OCTET\0").is_ok());
}
