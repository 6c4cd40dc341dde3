//! A counted lock: so many guests may be on at once. A story takes all its slots before it starts, so that two stories
//! never wait for each other's.

use std::sync::{Condvar, Mutex, PoisonError};

/// The free slots.
#[derive(Debug)]
pub(crate) struct Slots {
    all: usize,
    free: Mutex<usize>,
    returned: Condvar,
}

/// Slots taken; given back on drop.
#[derive(Debug)]
pub(crate) struct Taken<'slots> {
    slots: &'slots Slots,
    count: usize,
}

impl Slots {
    /// So many slots; at least one.
    pub(crate) fn new(all: usize) -> Self {
        let all = all.max(1);
        Self { all, free: Mutex::new(all), returned: Condvar::new() }
    }

    /// Takes `count` slots, waiting for them; a story that wants more than there are gets all, and runs alone.
    pub(crate) fn take(&self, count: usize) -> Taken<'_> {
        let count = count.clamp(1, self.all);
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = self.returned.wait_while(free, |free| *free < count);
        *wait.unwrap_or_else(PoisonError::into_inner) -= count;
        Taken { slots: self, count }
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        *self.slots.free.lock().unwrap_or_else(PoisonError::into_inner) += self.count;
        self.slots.returned.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn never_more_than_there_are() {
        let (slots, on, most) = (Slots::new(2), AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for wanted in [1, 2, 1, 5, 1, 2] {
                let (slots, on, most) = (&slots, &on, &most);
                scope.spawn(move || {
                    let taken = slots.take(wanted);
                    most.fetch_max(
                        on.fetch_add(taken.count, Ordering::SeqCst) + taken.count,
                        Ordering::SeqCst,
                    );
                    std::thread::yield_now();
                    on.fetch_sub(taken.count, Ordering::SeqCst);
                });
            }
        });
        assert_eq!(most.load(Ordering::SeqCst), 2);
    }
}
