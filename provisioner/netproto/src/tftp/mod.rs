//! TFTP as PXE firmware speaks it (RFC 1350, 2347, 2348, 2349, 7440): packets as values, and [`Transfer`], the machine
//! that sends one file. It does no I/O: the caller sends what [`Out`] names, reads the file, and keeps the timer.

mod packet;
mod transfer;

pub use packet::{Answer, Asked, ErrorCode, Packet, ReadRequest, RequestError, error};
pub use transfer::{Block, Limits, Out, Outcome, Transfer};
