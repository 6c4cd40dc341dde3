//! One watcher's way through the ring.

use std::sync::Arc;

use cairn_domain::index::Event;
use tokio::sync::watch;

use super::Catalog;

/// Events that are handed out at a time.
const AT_ONCE: usize = 256;

/// The events wanted are no longer known: list anew, and follow from that list's revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("changes that long ago are no longer known")]
pub struct Gone;

/// The events after some revision, as they come.
#[derive(Debug)]
pub struct Feed {
    catalog: Catalog,
    /// Events up to it are not wanted: another provisioner may have told of them already.
    after: i64,
    position: u64,
    applied: watch::Receiver<i64>,
}

impl Feed {
    pub(super) fn after(catalog: Catalog, revision: i64) -> Result<Self, Gone> {
        let applied = catalog.revisions();
        let position = catalog.ring().position_after(revision).ok_or(Gone)?;
        Ok(Self { catalog, after: revision, position, applied })
    }

    /// The next events, in order of their revisions; waits until there is one. Safe to cancel.
    pub async fn next(&mut self) -> Result<Vec<Arc<Event>>, Gone> {
        loop {
            // Before the look: what comes after it wakes again.
            self.applied.mark_unchanged();
            let mut events = self.catalog.ring().from(self.position, AT_ONCE).ok_or(Gone)?;
            let count = u64::try_from(events.len()).unwrap_or(u64::MAX);
            self.position = self.position.saturating_add(count);
            events.retain(|event| event.revision > self.after);
            if !events.is_empty() {
                return Ok(events);
            }
            if count == 0 && self.applied.changed().await.is_err() {
                return Err(Gone);
            }
        }
    }
}
