//! Bounds what DHE may cost: two exponentiations of 2048 bits for each handshake, started by a stranger's one packet.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Most clients remembered; when so many call within one window, new ones wait.
const MOST: usize = 4096;

/// Admits DHE handshakes: so many at once, and so many for each address within a window.
#[derive(Debug)]
pub struct DheGate {
    at_once: Arc<Semaphore>,
    per_client: u32,
    window: Duration,
    recent: Mutex<HashMap<IpAddr, (Instant, u32)>>,
}

/// Held while a DHE handshake runs.
#[derive(Debug)]
pub struct DhePermit(#[expect(dead_code, reason = "held for its Drop")] OwnedSemaphorePermit);

impl DheGate {
    /// A gate. Firmware makes two or three handshakes for one boot.
    pub fn new(at_once: usize, per_client: u32, window: Duration) -> Self {
        Self { at_once: Arc::new(Semaphore::new(at_once)), per_client, window, recent: Mutex::default() }
    }

    /// A place for one handshake of this client, or `None`: close the connection, firmware tries again.
    pub fn admit(&self, client: IpAddr, now: Instant) -> Option<DhePermit> {
        let permit = Arc::clone(&self.at_once).try_acquire_owned().ok()?;
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() >= MOST {
            recent.retain(|_, (since, _)| now.saturating_duration_since(*since) < self.window);
        }
        if recent.len() >= MOST && !recent.contains_key(&client) {
            return None;
        }
        let (since, count) = recent.entry(client).or_insert((now, 0));
        if now.saturating_duration_since(*since) >= self.window {
            (*since, *count) = (now, 0);
        }
        if *count >= self.per_client {
            return None;
        }
        *count = count.saturating_add(1);
        Some(DhePermit(permit))
    }
}

impl Default for DheGate {
    /// Four at once, 12 for one address in 10 seconds.
    fn default() -> Self {
        Self::new(4, 12, Duration::from_secs(10))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_client_is_bounded_and_another_is_not_touched() {
        let gate = DheGate::new(100, 3, Duration::from_secs(10));
        let (one, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let start = Instant::now();
        for _ in 0..3 {
            assert!(gate.admit(one, start).is_some());
        }
        assert!(gate.admit(one, start).is_none());
        assert!(gate.admit(other, start).is_some());
        assert!(gate.admit(one, start + Duration::from_secs(10)).is_some(), "the window is over");
    }

    #[test]
    fn a_place_is_free_again_when_the_handshake_ends() {
        let gate = DheGate::new(1, 100, Duration::from_secs(10));
        let (one, now) = (IpAddr::from([10, 0, 0, 1]), Instant::now());
        let permit = gate.admit(one, now);
        assert!(permit.is_some() && gate.admit(one, now).is_none());
        drop(permit);
        assert!(gate.admit(one, now).is_some());
    }
}
