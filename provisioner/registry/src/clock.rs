//! The one place of this crate that reads the clock: ages of files are compared with it.

use std::time::SystemTime;

/// Now, as the file system counts.
#[allow(clippy::disallowed_methods, reason = "this is the module that reads the clock")]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}
