//! Resources other than hosts: how they are stored, read and changed.

mod read;
mod write;

pub use write::{Batch, BatchError, ResourceWrite, Written};
