//! The clock: the only place of this crate that reads it.

use std::time::{SystemTime, UNIX_EPOCH};

use cairn_contract::Timestamp;

/// The system's time.
#[allow(clippy::disallowed_methods, reason = "the one module that reads the clock")]
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
