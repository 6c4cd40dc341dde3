//! What the pipeline, or a wipe, and its owner tell each other while it runs.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

/// Shared by the pipeline (counts) and the reporter (reads, stops).
#[derive(Debug, Default)]
pub struct Watch {
    done: AtomicU64,
    total: AtomicU64,
    resumed: AtomicU32,
    stop: AtomicBool,
}

impl Watch {
    pub(crate) fn begin(&self, total: u64) {
        self.total.store(total, Relaxed);
    }

    pub(crate) fn wrote(&self, bytes: u64) {
        self.done.fetch_add(bytes, Relaxed);
    }

    pub(super) fn resumed_once(&self) {
        self.resumed.fetch_add(1, Relaxed);
    }

    pub(crate) fn stopped(&self) -> bool {
        self.stop.load(Relaxed)
    }

    /// Bytes done (of compressed frames that are on the disk; of a disk that is wiped), and how many there are in all.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        (self.done.load(Relaxed), self.total.load(Relaxed))
    }

    /// How often the download was taken up again.
    #[must_use]
    pub fn resumed(&self) -> u32 {
        self.resumed.load(Relaxed)
    }

    /// Stops before the next frame is written.
    pub fn stop(&self) {
        self.stop.store(true, Relaxed);
    }
}
