//! Resources other than hosts: how they are stored, read and changed.

mod read;
mod write;

pub(crate) use read::one;
#[cfg(test)]
pub(crate) use write::NEWER;
pub(crate) use write::set_status;
pub use write::{Batch, BatchError, ResourceWrite, Written};
