//! Rule 32: a transfer over a simulated link of 260 ms round trip that loses and doubles packets and keeps their order.
//! Time is a number, so an hour takes a second.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::time::Duration;

use cairn_netproto::tftp::{Limits, Out, Outcome, ReadRequest, Transfer};
use proptest::prelude::*;

/// A small generator (SplitMix64), seeded by the test.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, of: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % of
    }
}

enum Event {
    /// A datagram for the client: a block, with its place in the file.
    ToClient {
        wire: u16,
        offset: u64,
        len: u16,
    },
    /// The OACK for the client.
    OackToClient,
    ToServer(Vec<u8>),
}

struct Link {
    dice: Dice,
    loss_percent: u64,
    double_percent: u64,
    one_way: Duration,
    due: BTreeMap<(Duration, u64), Event>,
    count: u64,
    sent_to_client: u64,
}

impl Link {
    fn send(&mut self, now: Duration, make: impl Fn() -> Event) {
        if matches!(make(), Event::ToClient { .. }) {
            self.sent_to_client += 1;
        }
        let copies = 1 + u64::from(self.dice.roll(100) < self.double_percent);
        for _ in 0..copies {
            if self.dice.roll(100) >= self.loss_percent {
                self.count += 1;
                self.due.insert((now + self.one_way, self.count), make());
            }
        }
    }
}

/// A receiver as RFC 7440 describes it: it acknowledges a full window, the last block, and a gap.
struct Receiver {
    window: u64,
    blksize: u16,
    expected: u64,
    in_window: u64,
    received: u64,
    done: bool,
}

impl Receiver {
    fn block(&mut self, wire: u16, offset: u64, len: u16) -> Option<u16> {
        let low = |number: u64| u16::try_from(number & 0xffff).unwrap();
        if wire != low(self.expected) {
            self.in_window = 0;
            return Some(low(self.expected - 1));
        }
        assert_eq!(offset, self.received, "the bytes arrive in order");
        self.received += u64::from(len);
        self.done |= len < self.blksize;
        self.expected += 1;
        self.in_window += 1;
        if self.done || self.in_window == self.window {
            self.in_window = 0;
            return Some(low(self.expected - 1));
        }
        None
    }
}

struct Run {
    outcome: Outcome,
    received: u64,
    took: Duration,
    sent: u64,
    blocks: u64,
}

/// The server's machine, the link and the client, at one moment.
struct Sim {
    transfer: Transfer,
    link: Link,
    client: Receiver,
    now: Duration,
    deadline: Duration,
}

impl Sim {
    /// Puts what the machine says on the link and restarts its timer.
    fn send(&mut self, out: &Out) {
        match out {
            Out::Oack(_) => self.link.send(self.now, || Event::OackToClient),
            Out::Blocks { first, count } => {
                for number in *first..*first + u64::from(*count) {
                    let block = self.transfer.block(number);
                    let wire = u16::from_be_bytes([block.header[2], block.header[3]]);
                    self.link.send(self.now, || Event::ToClient {
                        wire,
                        offset: block.offset,
                        len: block.len,
                    });
                }
            }
            Out::Wait | Out::Done(_) => return,
        }
        self.deadline = self.now + self.transfer.wait();
    }

    /// The next arrival, or silence.
    fn step(&mut self) -> Out {
        let next =
            self.link.due.first_key_value().map(|(key, _)| *key).filter(|(at, _)| *at <= self.deadline);
        let Some(key) = next else {
            self.now = self.deadline;
            return self.transfer.on_timeout();
        };
        self.now = key.0;
        let ack = match self.link.due.remove(&key).unwrap() {
            Event::ToServer(bytes) => return self.transfer.on_packet(&bytes),
            Event::OackToClient => Some(0),
            Event::ToClient { wire, offset, len } => self.client.block(wire, offset, len),
        };
        if let Some(ack) = ack {
            self.link.send(self.now, || Event::ToServer([&[0, 4][..], &ack.to_be_bytes()].concat()));
        }
        Out::Wait
    }
}

fn run(len: u64, window: u16, link: Link) -> Run {
    let request = format!("\0\x01f\0octet\0blksize\x001408\0windowsize\0{window}\0");
    let request = ReadRequest::parse(request.as_bytes()).unwrap();
    let limits = Limits { blksize: 1468, windowsize: 16, timeout: Duration::from_secs(1), attempts: 8 };
    let (transfer, mut out) = Transfer::start(&request, len, limits);
    let client = Receiver {
        window: u64::from(window),
        blksize: 1408,
        expected: 1,
        in_window: 0,
        received: 0,
        done: false,
    };
    let mut sim = Sim { transfer, link, client, now: Duration::ZERO, deadline: Duration::ZERO };
    loop {
        if let Out::Done(outcome) = out {
            let (blocks, sent) = (sim.transfer.blocks(), sim.link.sent_to_client);
            return Run { outcome, received: sim.client.received, took: sim.now, sent, blocks };
        }
        sim.send(&out);
        out = sim.step();
    }
}

fn link(seed: u64, loss_percent: u64, double_percent: u64) -> Link {
    Link {
        dice: Dice(seed),
        loss_percent,
        double_percent,
        one_way: Duration::from_millis(130),
        due: BTreeMap::new(),
        count: 0,
        sent_to_client: 0,
    }
}

#[test]
fn rule_32_a_far_and_lossy_link_still_boots() {
    let len = 16_700_000;
    let run = run(len, 4, link(7, 2, 0));
    assert_eq!((run.outcome, run.received), (Outcome::Complete, len));
    assert!(run.took < Duration::from_secs(1800), "{:?}", run.took);
    assert!(run.sent < run.blocks * 12 / 10, "{} datagrams for {} blocks", run.sent, run.blocks);
}

#[test]
fn rule_29_doubled_packets_do_not_double_the_traffic() {
    for window in [1, 4, 16] {
        let run = run(4_000_000, window, link(11, 0, 30));
        assert_eq!(run.outcome, Outcome::Complete);
        assert!(
            run.sent < run.blocks * 2,
            "window {window}: {} datagrams for {} blocks",
            run.sent,
            run.blocks
        );
    }
}

proptest! {
    #[test]
    fn every_byte_arrives_in_order_over_any_weather(
        seed: u64, len in 0..200_000_u64, window in 1..17_u16, loss in 0..8_u64, double in 0..20_u64,
    ) {
        let run = run(len, window, link(seed, loss, double));
        // The last ACK may be lost nine times in a row; then the server gives up though the client has everything.
        if run.outcome == Outcome::Complete {
            prop_assert_eq!(run.received, len);
        } else {
            prop_assert!(matches!(run.outcome, Outcome::GaveUp { .. }), "{:?}", run.outcome);
        }
    }
}
