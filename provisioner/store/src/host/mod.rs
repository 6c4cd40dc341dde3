//! Host records: how they are stored, found and committed.

mod commit;
mod key;
mod read;
mod record;
mod write;

pub use commit::{Change, CommitError, Write};
pub(crate) use commit::{Visible, subject};
pub use key::{HostKey, KeyKind, KeySource};
pub use read::Standing;
#[cfg(test)]
pub(crate) use read::{BY_KEY, DUE};
pub(crate) use record::host_of;
