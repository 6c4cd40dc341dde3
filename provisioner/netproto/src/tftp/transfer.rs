//! One file on its way to one client.
//!
//! ```text
//!            options granted                ACK 0
//!  start ----------------------> Offered ----------> Sending --last ACK--> Done(Complete)
//!    |   nothing granted                                ^  |
//!    +--------------------------------------------------+  +--ERROR--> Done(Refused)     too many timeouts: Done(GaveUp)
//!                   Offered --ERROR after tsize--> Done(Probed)
//! ```
//!
//! Blocks are counted from 1 without end; the wire shows the low 16 bits, so they roll over to 0. A file whose length is
//! a multiple of the block size ends with an empty block. A duplicate or partial ACK resends at most one window, and the
//! next only after a window that went through cleanly, so that a packet seen twice can never double the traffic for good.

use std::time::Duration;

use super::packet::{Answer, Asked, Packet, ReadRequest};

const PLAIN_BLKSIZE: u16 = 512;
/// Longest wait between two sendings of the same thing.
const LONGEST_WAIT: Duration = Duration::from_secs(8);

/// What the server grants at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest block: interface MTU less 32, so that no block is fragmented (rule 27).
    pub blksize: u16,
    /// Largest window, in blocks.
    pub windowsize: u16,
    /// First wait for an answer; doubled on each silence.
    pub timeout: Duration,
    /// Silences in a row after which the transfer ends.
    pub attempts: u8,
}

/// Where a block comes from and what precedes it on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// The DATA header.
    pub header: [u8; 4],
    /// First byte of the file.
    pub offset: u64,
    /// Bytes of the file.
    pub len: u16,
}

/// What the caller does now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Out {
    /// Send this OACK and restart the timer.
    Oack(Vec<u8>),
    /// Send blocks `first` to `first + count - 1` and restart the timer.
    Blocks {
        /// First block, counted from 1.
        first: u64,
        /// How many.
        count: u16,
    },
    /// Nothing; the timer runs on.
    Wait,
    /// The transfer is over.
    Done(Outcome),
}

/// How a transfer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The client acknowledged the last block.
    Complete,
    /// The client only wanted the size: no failure (rule 25).
    Probed,
    /// The client sent an error.
    Refused {
        /// TFTP error code.
        code: u16,
        /// Its message, printable.
        message: String,
    },
    /// The client fell silent.
    GaveUp {
        /// Blocks acknowledged.
        acked: u64,
        /// Blocks of the file.
        blocks: u64,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Offered(Vec<u8>),
    Sending,
    Over,
}

/// Whether a duplicate ACK may cause one resend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// The last window went through cleanly.
    Fresh,
    /// A resend happened in this window; another waits for the timer.
    Spent,
    /// A resend happened in the window before; duplicates of it may still arrive.
    Recovering,
}

/// A transfer in progress.
#[derive(Debug, Clone)]
pub struct Transfer {
    state: State,
    len: u64,
    blksize: u16,
    windowsize: u16,
    base_timeout: Duration,
    attempts: u8,
    silences: u8,
    asked_size: bool,
    acked: u64,
    sent: u64,
    patience: Patience,
}

impl Transfer {
    /// Begins to send a file of `len` bytes.
    pub fn start(request: &ReadRequest, len: u64, limits: Limits) -> (Self, Out) {
        let answer = grant(&request.asked, len, &limits);
        let oack = answer.to_bytes();
        let mut transfer = Self {
            state: State::Sending,
            len,
            blksize: answer.blksize.unwrap_or(PLAIN_BLKSIZE),
            windowsize: answer.windowsize.unwrap_or(1),
            base_timeout: answer.timeout.map_or(limits.timeout, |secs| Duration::from_secs(u64::from(secs))),
            attempts: limits.attempts,
            silences: 0,
            asked_size: request.asked.tsize.is_some(),
            acked: 0,
            sent: 0,
            patience: Patience::Fresh,
        };
        let out = match oack {
            Some(bytes) => {
                transfer.state = State::Offered(bytes.clone());
                Out::Oack(bytes)
            }
            None => transfer.send_window(),
        };
        (transfer, out)
    }

    /// A datagram from the client's address and port.
    pub fn on_packet(&mut self, bytes: &[u8]) -> Out {
        let Some(packet) = Packet::parse(bytes) else { return Out::Wait };
        match (&self.state, packet) {
            (State::Over, _) => Out::Wait,
            (State::Offered(_), Packet::Error { .. }) if self.asked_size => self.end(Outcome::Probed),
            (State::Offered(_) | State::Sending, Packet::Error { code, message }) => {
                self.end(Outcome::Refused { code, message })
            }
            (State::Offered(_), Packet::Ack(0)) => {
                self.state = State::Sending;
                self.silences = 0;
                self.send_window()
            }
            (State::Offered(_), Packet::Ack(_)) => Out::Wait,
            (State::Sending, Packet::Ack(number)) => self.on_ack(number),
        }
    }

    /// The client was silent for [`Transfer::wait`].
    pub fn on_timeout(&mut self) -> Out {
        self.silences = self.silences.saturating_add(1);
        if self.silences > self.attempts {
            let (acked, blocks) = (self.acked, self.blocks());
            return self.end(Outcome::GaveUp { acked, blocks });
        }
        match &self.state {
            State::Over => Out::Wait,
            State::Offered(oack) => Out::Oack(oack.clone()),
            State::Sending => {
                self.patience = Patience::Spent;
                self.send_window()
            }
        }
    }

    /// How long to wait for the client after the last sending.
    pub fn wait(&self) -> Duration {
        let factor = 1_u32.checked_shl(u32::from(self.silences)).unwrap_or(u32::MAX);
        self.base_timeout.saturating_mul(factor).min(LONGEST_WAIT.max(self.base_timeout))
    }

    /// Blocks of this file, the short or empty last one included.
    pub fn blocks(&self) -> u64 {
        self.len.checked_div(u64::from(self.blksize)).unwrap_or(0).saturating_add(1)
    }

    /// Bytes that the client has acknowledged.
    pub fn acked_bytes(&self) -> u64 {
        self.acked.saturating_mul(u64::from(self.blksize)).min(self.len)
    }

    /// Where block `number` (from 1) comes from.
    pub fn block(&self, number: u64) -> Block {
        let [.., high, low] = number.to_be_bytes();
        let offset = number.saturating_sub(1).saturating_mul(u64::from(self.blksize));
        let left = self.len.saturating_sub(offset);
        let len = u16::try_from(left).unwrap_or(u16::MAX).min(self.blksize);
        Block { header: [0, 3, high, low], offset, len }
    }

    fn on_ack(&mut self, number: u16) -> Out {
        let [.., high, low] = self.acked.to_be_bytes();
        let ahead = u64::from(number.wrapping_sub(u16::from_be_bytes([high, low])));
        let in_flight = self.sent.saturating_sub(self.acked);
        if ahead == 0 {
            return self.on_duplicate();
        }
        if ahead > in_flight {
            // An old ACK, or one for a block that was never sent.
            return Out::Wait;
        }
        self.acked = self.acked.saturating_add(ahead);
        self.silences = 0;
        if self.acked >= self.blocks() {
            return self.end(Outcome::Complete);
        }
        if self.acked < self.sent {
            return self.on_gap();
        }
        self.patience = match self.patience {
            Patience::Spent => Patience::Recovering,
            Patience::Recovering | Patience::Fresh => Patience::Fresh,
        };
        self.send_window()
    }

    /// An ACK inside the window: the client misses the block after it, or saw one twice. The first time the window is
    /// sent again from there; while the echoes of that may still arrive, it is only filled up.
    fn on_gap(&mut self) -> Out {
        if self.patience == Patience::Fresh {
            self.patience = Patience::Spent;
            return self.send_window();
        }
        let first = self.sent.saturating_add(1);
        let end = self.acked.saturating_add(u64::from(self.windowsize)).min(self.blocks());
        match u16::try_from(end.saturating_sub(self.sent)) {
            Ok(count) if count > 0 => {
                self.sent = end;
                Out::Blocks { first, count }
            }
            _ => Out::Wait,
        }
    }

    /// With a window, a client that misses its first block says so by repeating its last ACK (RFC 7440 4). Without one, a
    /// repeated ACK is only an echo (the "sorcerer's apprentice", RFC 1123 4.2.3.1).
    fn on_duplicate(&mut self) -> Out {
        if self.windowsize > 1 && self.patience == Patience::Fresh && self.sent > self.acked {
            self.patience = Patience::Spent;
            return self.send_window();
        }
        Out::Wait
    }

    fn send_window(&mut self) -> Out {
        let left = self.blocks().saturating_sub(self.acked);
        let count = u16::try_from(left).unwrap_or(u16::MAX).min(self.windowsize);
        self.sent = self.acked.saturating_add(u64::from(count));
        Out::Blocks { first: self.acked.saturating_add(1), count }
    }

    fn end(&mut self, outcome: Outcome) -> Out {
        self.state = State::Over;
        Out::Done(outcome)
    }
}

/// Only what was asked for, and never more of it (rule 26).
fn grant(asked: &Asked, len: u64, limits: &Limits) -> Answer {
    Answer {
        blksize: asked.blksize.map(|size| size.min(limits.blksize.max(8))),
        tsize: asked.tsize.map(|_| len),
        timeout: asked.timeout,
        windowsize: asked.windowsize.map(|size| size.min(limits.windowsize.max(1))),
    }
}
