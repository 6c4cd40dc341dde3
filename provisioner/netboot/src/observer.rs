//! Where boot events go: an [`Observer`], and the bounded queue that programs use. Observing never blocks; what finds no
//! room is counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::event::{BootEvent, What};

/// Is told of each event. It must return at once.
pub trait Observer: Send + Sync {
    /// Takes one event.
    fn observe(&self, event: BootEvent);
}

/// How many events found no room.
#[derive(Debug, Default)]
pub struct Drops(AtomicU64);

impl Drops {
    /// The count since the start.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// An [`Observer`] that puts events into a bounded channel and counts those that find no room. Events that a stranger can
/// cause by a single packet each are passed on at a bounded rate, so that a flood cannot crowd out a boot.
#[derive(Debug)]
pub struct EventQueue {
    sender: mpsc::Sender<BootEvent>,
    drops: Drops,
    cheap: Mutex<(Instant, u32)>,
}

/// Cheap events passed on in one second.
const CHEAP_PER_SECOND: u32 = 20;

impl EventQueue {
    /// A queue with room for `capacity` events, and its other end.
    pub fn new(capacity: usize) -> (Self, mpsc::Receiver<BootEvent>) {
        let (sender, receiver) = mpsc::channel(capacity.max(1));
        (Self { sender, drops: Drops::default(), cheap: Mutex::new((Instant::now(), 0)) }, receiver)
    }

    /// The count of lost events.
    pub fn drops(&self) -> &Drops {
        &self.drops
    }

    fn may_pass(&self, what: &What) -> bool {
        if !matches!(
            what,
            What::Malformed { .. } | What::Busy { .. } | What::TlsFailed { audience: None, .. }
        ) {
            return true;
        }
        let mut cheap = self.cheap.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, count) = *cheap;
        *cheap = if since.elapsed() >= Duration::from_secs(1) {
            (Instant::now(), 1)
        } else {
            (since, count.saturating_add(1))
        };
        cheap.1 <= CHEAP_PER_SECOND
    }
}

impl Observer for EventQueue {
    fn observe(&self, event: BootEvent) {
        if !self.may_pass(&event.what) || self.sender.try_send(event).is_err() {
            self.drops.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::event::{BootPart, NoFile, Service, Severity, Who};
    use crate::lease::IgnoreWhy;
    use crate::tls::{Audience, Curves};

    fn event(what: What) -> BootEvent {
        BootEvent { who: Who::default(), what }
    }

    #[test]
    fn what_finds_no_room_is_counted_and_nothing_blocks() {
        let (queue, mut receiver) = EventQueue::new(2);
        for _ in 0..5 {
            queue.observe(event(What::Released(Ipv4Addr::LOCALHOST)));
        }
        assert_eq!(queue.drops().count(), 3);
        assert!(receiver.try_recv().is_ok() && receiver.try_recv().is_ok() && receiver.try_recv().is_err());
    }

    #[test]
    fn a_flood_of_garbage_does_not_crowd_out_a_boot() {
        let (queue, mut receiver) = EventQueue::new(100);
        for _ in 0..10_000 {
            queue.observe(event(What::Malformed { service: Service::Dhcp, why: "garbage".into() }));
        }
        queue.observe(event(What::Released(Ipv4Addr::LOCALHOST)));
        let got: Vec<BootEvent> = std::iter::from_fn(|| receiver.try_recv().ok()).collect();
        assert!(got.len() < 100 && matches!(got.last().unwrap().what, What::Released(_)), "{}", got.len());
        assert_eq!(queue.drops().count(), 10_001 - u64::try_from(got.len()).unwrap());
    }

    #[test]
    fn what_stops_a_boot_comes_with_the_next_thing_to_try() {
        for what in [
            What::Ignored(IgnoreWhy::PoolEmpty),
            What::Ignored(IgnoreWhy::NoSubnet),
            What::LeaseNotDurable("disk full".into()),
            What::TlsFailed {
                audience: Some(Audience::Firmware { curves: Curves::None }),
                why: "UnknownCA".into(),
            },
            What::Acked {
                address: Ipv4Addr::LOCALHOST,
                seconds: Some(9),
                boot: BootPart::Nothing(NoFile::NoBiosLoader),
            },
        ] {
            assert!(what.severity() >= Severity::Warning && what.advice().is_some(), "{what}");
        }
    }
}
