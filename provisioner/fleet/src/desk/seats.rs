//! Where hosts wait for other orders. One follower reads who is touched; each waiting host costs one entry and one timer.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use cairn_contract::{Digest, HostId};
use cairn_store::{ReadError, Store};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::Desk;

/// Rows that are read at a time.
const AT_ONCE: u32 = 4096;
/// The database failed: it is asked again after this.
const AGAIN: Duration = Duration::from_millis(500);

/// What is remembered of a host's orders as long as they stay.
#[derive(Debug)]
pub(super) struct Brief {
    /// Of its `Desired`.
    pub(super) revision: Digest,
    /// What that names.
    pub(super) blobs: HashSet<Digest>,
}

/// Hosts that asked since the start.
#[derive(Debug, Default)]
pub(super) struct Seats(Mutex<HashMap<HostId, Seat>>);

#[derive(Debug, Default)]
struct Seat {
    notify: Arc<Notify>,
    /// Grows with each wake-up: what was read before it is old.
    turn: u64,
    brief: Option<Arc<Brief>>,
}

/// One look at a seat.
pub(super) struct Look {
    pub(super) notify: Arc<Notify>,
    pub(super) turn: u64,
    pub(super) brief: Option<Arc<Brief>>,
}

impl Seats {
    pub(super) fn look(&self, host: HostId) -> Look {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seat = all.entry(host).or_default();
        Look { notify: Arc::clone(&seat.notify), turn: seat.turn, brief: seat.brief.clone() }
    }

    /// Keeps what was read, unless the orders changed since that turn.
    pub(super) fn remember(&self, host: HostId, turn: u64, brief: &Arc<Brief>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seat) = all.get_mut(&host).filter(|seat| seat.turn == turn) {
            seat.brief = Some(Arc::clone(brief));
        }
    }

    fn wake(&self, hosts: impl IntoIterator<Item = HostId>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for host in hosts {
            if let Some(seat) = all.get_mut(&host) {
                seat.stir();
            }
        }
    }

    fn wake_all(&self) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.values_mut().for_each(Seat::stir);
    }

    fn forget_unless(&self, stays: impl Fn(HostId) -> bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|host, _| stays(*host));
    }
}

impl Seat {
    fn stir(&mut self) {
        self.turn = self.turn.wrapping_add(1);
        self.brief = None;
        self.notify.notify_waiters();
    }
}

impl Desk {
    /// Wakes hosts whose orders changed, by whichever provisioner, until `stop`.
    pub async fn follow(&self, stop: CancellationToken) {
        let mut changed = self.store.assignments_changed();
        let mut seen = *changed.borrow_and_update();
        self.seats.wake_all();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                heard = changed.changed() => if heard.is_err() { return },
            }
            let news = *changed.borrow_and_update();
            while seen < news {
                match wake(&self.store, &self.seats, seen, news).await {
                    Ok(last) => seen = last,
                    Err(error) => {
                        tracing::warn!(
                            error = &error as &dyn std::error::Error,
                            "cannot see whose orders changed"
                        );
                        tokio::select! {
                            () = stop.cancelled() => return,
                            () = tokio::time::sleep(AGAIN) => {}
                        }
                    }
                }
            }
            let index = self.catalog.index();
            self.seats.forget_unless(|host| index.get(host.into()).is_some());
        }
    }
}

/// Up to which number all are woken now.
async fn wake(store: &Store, seats: &Seats, seen: i64, news: i64) -> Result<i64, ReadError> {
    let touched = store.touched_after(seen, AT_ONCE).await?;
    // Numbers whose rows changed again or went are nobody's any more.
    let last = match touched.last() {
        Some((last, _)) if touched.len() == usize::try_from(AT_ONCE).unwrap_or(usize::MAX) => *last,
        Some((last, _)) => news.max(*last),
        None => news,
    };
    seats.wake(touched.into_iter().map(|(_, host)| host));
    Ok(last)
}
