//! OVMF's variable store: reads and writes the `OVMF_VARS_4M.fd` of a guest that is off.
//!
//! `EFI_FIRMWARE_VOLUME_HEADER`, then `VARIABLE_STORE_HEADER` (authenticated format), then variables one after the other.
//! Not a firmware: it knows nothing of fault-tolerant write, so a guest must have been off, not cut in mid-write.

mod store;
mod trust;
mod variable;

pub use store::{VarStore, VarsError};
pub use trust::SecureBootKeys;
pub use variable::{GLOBAL, Variable};
