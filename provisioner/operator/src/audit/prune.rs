//! How long the log is kept. A duty of one provisioner at a time: the server calls it now and then.

use cairn_contract::Timestamp;
use cairn_store::{Store, WriteError};
use serde::Deserialize;

/// Rows of one transaction: nobody waits long for it.
const AT_ONCE: u32 = 1000;
/// Transactions of one call; the next call goes on.
const ROUNDS: u32 = 100;
const DAY_MS: i64 = 86_400_000;

/// `[audit]` of `cairn.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditLimits {
    /// Days that an entry is kept.
    pub keep_days: u32,
}

impl Default for AuditLimits {
    fn default() -> Self {
        Self { keep_days: 400 }
    }
}

/// Forgets entries that are older; how many. What is left can still be verified.
///
/// # Errors
/// When the database cannot be written.
pub async fn prune_audit(store: &Store, now: Timestamp, limits: AuditLimits) -> Result<u64, WriteError> {
    let before = Timestamp(now.0.saturating_sub(i64::from(limits.keep_days).saturating_mul(DAY_MS)));
    let mut cut = 0_u64;
    for _ in 0..ROUNDS {
        let part = store.prune_audit(before, AT_ONCE).await?;
        cut = cut.saturating_add(part);
        if part < u64::from(AT_ONCE) {
            break;
        }
    }
    Ok(cut)
}
