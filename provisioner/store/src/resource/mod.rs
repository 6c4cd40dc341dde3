//! Resources other than hosts: how they are stored, read and changed.

mod read;
mod write;

#[cfg(test)]
pub(crate) use write::NEWER;
pub use write::{Batch, BatchError, ResourceWrite, Written};
