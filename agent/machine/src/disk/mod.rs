//! Block devices: what is there, which one may be erased, and how it is written.
//!
//! ```text
//! list() -> [Disk] -> select(selector, need) -> Disk -> Target::open -> zero, write, read back, flush
//! ```
//! [`select`] is pure. [`Target`] refuses everything that is not the block device the kernel knows by that name.

mod buffer;
mod list;
mod select;
mod target;

pub use buffer::Buffer;
pub use list::{Disk, list};
pub use select::{Rejected, SelectError, select, select_only};
pub use target::{DiscardKind, OpenError, Target, Window};
