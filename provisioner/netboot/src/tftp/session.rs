//! One transfer: drives the machine with packets and silence, and says at the end how it went.

use std::io;
use std::net::SocketAddr;

use cairn_netproto::tftp::{ErrorCode, Limits, Out, Outcome, ReadRequest, Transfer, error};
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::reader::Reader;
use crate::Parts;
use crate::event::{BootEvent, Service, What};
use crate::shelf::Blob;

/// A transfer that is ready to run.
pub(super) struct Session {
    transfer: Transfer,
    first: Out,
    name: String,
    blob: Blob,
    socket: UdpSocket,
    peer: SocketAddr,
    parts: Parts,
    number: u64,
    stop: CancellationToken,
}

/// Names the transfer that ended.
pub(super) struct Ended {
    pub(super) peer: SocketAddr,
    pub(super) number: u64,
}

/// Why a session stopped before its machine did.
enum Broken {
    Io(io::Error),
    Replaced,
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Session {
    pub(super) fn new(
        request: &ReadRequest,
        (name, blob): (String, Blob),
        (socket, peer): (UdpSocket, SocketAddr),
        limits: Limits,
        (parts, number, stop): (Parts, u64, CancellationToken),
    ) -> Self {
        let (transfer, first) = Transfer::start(request, blob.len, limits);
        Self { transfer, first, name, blob, socket, peer, parts, number, stop }
    }

    /// Runs to the end.
    pub(super) async fn run(mut self) -> Ended {
        let what = match self.drive().await {
            Ok(outcome) => self.outcome(outcome),
            Err(Broken::Replaced) => self.broken("the client asked for another file instead"),
            Err(Broken::Io(cause)) => {
                // The client learns it at once instead of by its own timeout; if this fails too, it will time out.
                let _best_effort =
                    self.socket.send(&error(ErrorCode::Other, "the file cannot be sent")).await;
                self.broken(&cause.to_string())
            }
        };
        let who = self.parts.neighbours.who(self.peer.ip());
        self.parts.observer.observe(BootEvent { who, what });
        Ended { peer: self.peer, number: self.number }
    }

    async fn drive(&mut self) -> Result<Outcome, Broken> {
        let mut reader = Reader::open(&self.blob).await?;
        let mut buffer = [0; 1024];
        let mut out = std::mem::replace(&mut self.first, Out::Wait);
        let mut deadline = Instant::now();
        loop {
            match out {
                Out::Done(outcome) => return Ok(outcome),
                Out::Wait => {}
                Out::Oack(bytes) => {
                    self.socket.send(&bytes).await?;
                    deadline = Instant::now() + self.transfer.wait();
                }
                Out::Blocks { first, count } => {
                    self.send_blocks(&mut reader, first, count).await?;
                    deadline = Instant::now() + self.transfer.wait();
                }
            }
            let waited = tokio::select! {
                () = self.stop.cancelled() => return Err(Broken::Replaced),
                waited = timeout_at(deadline, self.socket.recv(&mut buffer)) => waited,
            };
            out = match waited {
                Ok(got) => self.transfer.on_packet(buffer.get(..got?).unwrap_or_default()),
                Err(_) => self.transfer.on_timeout(),
            };
        }
    }

    async fn send_blocks(&self, reader: &mut Reader, first: u64, count: u16) -> io::Result<()> {
        let mut packet = Vec::new();
        for number in first..first.saturating_add(u64::from(count)) {
            let block = self.transfer.block(number);
            packet.clear();
            packet.extend_from_slice(&block.header);
            if block.len > 0 {
                packet.extend_from_slice(&reader.read(block.offset, block.len).await?);
            }
            self.socket.send(&packet).await?;
        }
        Ok(())
    }

    fn outcome(&self, outcome: Outcome) -> What {
        let (service, name) = (Service::Tftp, self.name.clone());
        match outcome {
            Outcome::Complete => What::FileSent { service, name, bytes: self.blob.len },
            Outcome::Probed => What::SizeAsked { service, name },
            Outcome::Refused { code, message } => {
                self.broken(&format!("the client ended it: error {code} {message}"))
            }
            Outcome::GaveUp { .. } => self.broken("the client fell silent"),
        }
    }

    fn broken(&self, why: &str) -> What {
        What::FileBroken {
            service: Service::Tftp,
            name: self.name.clone(),
            sent: self.transfer.acked_bytes(),
            of: self.blob.len,
            why: why.to_owned(),
        }
    }
}
