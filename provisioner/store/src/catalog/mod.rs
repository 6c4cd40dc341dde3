//! All resources in memory, kept up to date with the database by one follower, and the feed of what changes.
//!
//! ```text
//!  commit --(wake-up)--> follower: changes_after(last), objects() --> Index (RwLock) --> Ring --> Feed, Feed, Feed ...
//! ```
//! Lists, selectors, names and rights are answered from here; a thousand watchers read one ring and no table. Who wrote
//! waits with [`Catalog::reached`] until it can read that here. The index and the ring change together, so a list and a
//! feed from the list's revision have no gap between them.

mod feed;
mod follow;
mod ring;
#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

use cairn_domain::index::Index;
pub use feed::{Feed, Gone};
use ring::Ring;
use tokio::sync::watch;

use crate::{Batch, BatchError, ReadError, Store, Written};

/// How long a writer waits to read what it wrote.
const CATCH_UP: Duration = Duration::from_secs(5);

/// The index and what feeds it. Clones share it.
#[derive(Debug, Clone)]
pub struct Catalog(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    index: RwLock<Index>,
    /// Changed only by whoever holds `index` for writing.
    ring: RwLock<Ring>,
    revisions: watch::Sender<i64>,
}

impl Catalog {
    /// Reads everything, and the newest changes for watchers who come back after a restart. Run
    /// [`follow`](Self::follow) afterwards.
    pub async fn load(store: Store) -> Result<Self, ReadError> {
        let (objects, revision) = store.all_objects().await?;
        let index = Index::load(objects, revision);
        let ring = follow::remembered(&store, &index).await?;
        let (index, ring) = (RwLock::new(index), RwLock::new(ring));
        let revisions = watch::Sender::new(revision);
        Ok(Self(Arc::new(Inner { store, index, ring, revisions })))
    }

    /// The index, as of one moment. Do not hold it across an `await`: nothing is applied meanwhile.
    pub fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.0.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Grows with each change that is applied; carries no data.
    pub fn revisions(&self) -> watch::Receiver<i64> {
        self.0.revisions.subscribe()
    }

    /// Returns when the index has everything up to `revision`, or after 5 s: while the database is away it does not get there,
    /// and what was committed is committed all the same.
    pub async fn reached(&self, revision: i64) {
        let mut revisions = self.0.revisions.subscribe();
        // The sender lives as long as `self`.
        let caught_up = revisions.wait_for(|applied| *applied >= revision);
        let _ = tokio::time::timeout(CATCH_UP, caught_up).await;
    }

    /// Writes a batch; afterwards its changes are in the index.
    pub async fn write(&self, batch: &Batch) -> Result<Written, BatchError> {
        let written = self.0.store.write(batch).await?;
        self.reached(written.revision).await;
        Ok(written)
    }

    /// What changes after `revision`, as the list or event that named it said.
    pub fn feed(&self, revision: i64) -> Result<Feed, Gone> {
        Feed::after(self.clone(), revision)
    }

    fn ring(&self) -> RwLockReadGuard<'_, Ring> {
        self.0.ring.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn index_mut(&self) -> RwLockWriteGuard<'_, Index> {
        self.0.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring_mut(&self) -> RwLockWriteGuard<'_, Ring> {
        self.0.ring.write().unwrap_or_else(PoisonError::into_inner)
    }
}
