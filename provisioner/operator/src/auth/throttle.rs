//! Counts failed logins per source, so that guessing is slow and seen.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use tokio::time::Instant;

/// Failures of one source before it is not heard.
pub(super) const ALLOWED: u32 = 5;
/// How long failures count.
const WINDOW: Duration = Duration::from_secs(60);
/// Sources remembered at once.
const LIMIT: usize = 1024;

/// Failures by source.
#[derive(Debug, Default)]
pub(super) struct Throttle(HashMap<IpAddr, (u32, Instant)>);

impl Throttle {
    /// Seconds that `source` must wait; `None` when it may try.
    pub(super) fn wait(&self, source: IpAddr, now: Instant) -> Option<u32> {
        let (count, until) = self.0.get(&key(source))?;
        (*count >= ALLOWED && *until > now)
            .then(|| u32::try_from(until.duration_since(now).as_secs()).unwrap_or(u32::MAX).max(1))
    }

    /// Counts a failure; gives how many there are in this window.
    pub(super) fn failed(&mut self, source: IpAddr, now: Instant) -> u32 {
        let key = key(source);
        if self.0.len() >= LIMIT && !self.0.contains_key(&key) {
            self.make_room(now);
        }
        let entry = self.0.entry(key).or_insert((0, now + WINDOW));
        if entry.1 <= now {
            entry.0 = 0;
        }
        *entry = (entry.0.saturating_add(1), now + WINDOW);
        entry.0
    }

    fn make_room(&mut self, now: Instant) {
        self.0.retain(|_, (_, until)| *until > now);
        if self.0.len() >= LIMIT
            && let Some(oldest) = self.0.iter().min_by_key(|(_, (_, until))| *until).map(|(ip, _)| *ip)
        {
            self.0.remove(&oldest);
        }
    }
}

/// One IPv6 host has a whole /64 to itself, so that is one source.
fn key(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_with_too_many_failures_waits_and_others_do_not() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        let (bad, good): (IpAddr, IpAddr) = ("2001:db8::1".parse().unwrap(), "192.0.2.1".parse().unwrap());
        for _ in 0..ALLOWED {
            assert_eq!(throttle.wait(bad, now), None);
            throttle.failed(bad, now);
        }
        assert_eq!(throttle.wait("2001:db8::2".parse().unwrap(), now), Some(60));
        assert_eq!(throttle.wait(good, now), None);
        assert_eq!(throttle.wait(bad, now + WINDOW), None);
        assert_eq!(throttle.failed(bad, now + WINDOW), 1);
    }

    #[test]
    fn the_memory_of_failures_is_bounded() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        for i in 0..5000_u32 {
            throttle.failed(IpAddr::V4(i.into()), now);
        }
        assert_eq!(throttle.0.len(), LIMIT);
    }
}
