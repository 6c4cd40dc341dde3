//! The one place where this program reads the clock.

use cairn_contract::Timestamp;

#[allow(clippy::disallowed_methods, reason = "this is the module that reads the clock")]
pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp(since.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX)))
}
