//! The audit log: who did what, chained by hashes, so that a row that was changed or taken out shows.
//!
//! The chain begins after the anchor (what was cut off the front); its end is the last number of the sequence, so that
//! rows missing at the end show too. Who can write to the database can forge all of it: export it elsewhere in time.

mod append;
mod canonical;
mod page;
mod verify;

pub(crate) use append::append;
pub use canonical::digest;
pub use page::AuditFilter;
#[cfg(test)]
pub(crate) use page::PAGE;
pub use verify::{AuditFlaw, Verified};
