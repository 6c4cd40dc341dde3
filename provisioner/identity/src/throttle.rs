//! Slows down who guesses one user's password from many addresses, without letting a stranger lock that user out.
//!
//! The operator's throttle counts per peer; this one counts per user name. A pure value: `now` is an argument.
//!
//! ```text
//! fewer than 10 failures in the last hour -------------------------> may try
//! address from which this user logged in before -------------------> may try (the throttle per peer still counts)
//! network that has not failed for this name in the last hour ------> may try once
//! else: one try for all of them together every 1, 2, 4 ... 30 s
//! ```
//! So a botnet of n networks has n tries an hour and one each 30 s; the user comes in from a known address at once, and from a
//! new one with the first try. Nothing is ever locked, and names that nobody has are counted alike.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

const FREE: u32 = 10;
const WINDOW: Duration = Duration::from_secs(3600);
const LONGEST_PAUSE: u64 = 30;
/// How long an address stays known after a login.
const FAMILIAR: Duration = Duration::from_secs(30 * 24 * 3600);
const ADDRESSES: usize = 8;
const NETWORKS: usize = 256;
const NAMES: usize = 4096;

/// Where somebody comes from, as coarse as one attacker has it for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Net(IpAddr);

impl Net {
    /// One host: an IPv4 address, or the /64 that an IPv6 host has to itself.
    pub(crate) fn host(ip: IpAddr) -> Self {
        Self::masked(ip, 32, 64)
    }

    /// One network: /24 or /48.
    fn wide(ip: IpAddr) -> Self {
        Self::masked(ip, 24, 48)
    }

    fn masked(ip: IpAddr, v4_bits: u32, v6_bits: u32) -> Self {
        Self(match ip.to_canonical() {
            IpAddr::V4(ip) => {
                IpAddr::V4(Ipv4Addr::from_bits(ip.to_bits() & !u32::MAX.checked_shr(v4_bits).unwrap_or(0)))
            }
            IpAddr::V6(ip) => {
                IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::MAX.checked_shr(v6_bits).unwrap_or(0)))
            }
        })
    }
}

/// Failures by user name.
#[derive(Debug, Default)]
pub struct NameThrottle(HashMap<[u8; 16], Name>);

#[derive(Debug)]
struct Name {
    failures: u32,
    /// When the failures are forgotten.
    until: Instant,
    /// When the next try of a network that failed is heard.
    next: Instant,
    failed: Vec<(Net, Instant)>,
    /// Addresses of this user, and until when.
    familiar: Vec<(Net, Instant)>,
}

impl NameThrottle {
    /// Asks for one try at `name`'s password, and counts it as failed until `succeeded` says otherwise: so tries that are
    /// under way count too.
    ///
    /// # Errors
    /// The seconds to wait, 1 to 30, when it may not be heard now.
    pub fn ask(&mut self, name: &str, peer: IpAddr, now: Instant) -> Result<(), u32> {
        let key = key(name);
        if self.0.len() >= NAMES && !self.0.contains_key(&key) {
            self.make_room(now);
        }
        let entry = self.0.entry(key).or_insert_with(|| Name::new(now));
        entry.forget(now);
        match entry.wait(peer, now) {
            Some(seconds) => Err(seconds),
            None => {
                entry.count(peer, now);
                Ok(())
            }
        }
    }

    /// The try that `ask` allowed was right: it does not count, and its address is known from now on.
    pub fn succeeded(&mut self, name: &str, peer: IpAddr, now: Instant) {
        let entry = self.0.entry(key(name)).or_insert_with(|| Name::new(now));
        entry.failures = entry.failures.saturating_sub(1);
        entry.failed.retain(|(net, _)| *net != Net::wide(peer));
        entry.familiar.retain(|(net, _)| *net != Net::host(peer));
        if entry.familiar.len() >= ADDRESSES {
            entry.familiar.remove(0);
        }
        entry.familiar.push((Net::host(peer), now + FAMILIAR));
        if self.0.len() > NAMES {
            self.make_room(now);
        }
    }

    /// First what nothing is known of, then those with the fewest failures, never first a user's addresses.
    fn make_room(&mut self, now: Instant) {
        self.0.retain(|_, entry| {
            entry.forget(now);
            entry.failures > 0 || !entry.familiar.is_empty()
        });
        let worth = |entry: &Name| (!entry.familiar.is_empty(), entry.failures, entry.until);
        while self.0.len() >= NAMES {
            let Some(least) = self.0.iter().min_by_key(|(_, e)| worth(e)).map(|(key, _)| *key) else {
                return;
            };
            self.0.remove(&least);
        }
    }
}

impl Name {
    fn new(now: Instant) -> Self {
        Self { failures: 0, until: now, next: now, failed: Vec::new(), familiar: Vec::new() }
    }

    fn forget(&mut self, now: Instant) {
        self.familiar.retain(|(_, until)| *until > now);
        self.failed.retain(|(_, until)| *until > now);
        if self.until <= now {
            self.failures = 0;
        }
    }

    fn wait(&self, peer: IpAddr, now: Instant) -> Option<u32> {
        let has = |list: &[(Net, Instant)], net: Net| list.iter().any(|(n, _)| *n == net);
        let fresh = !has(&self.failed, Net::wide(peer)) && self.failed.len() < NETWORKS;
        if self.failures < FREE || fresh || has(&self.familiar, Net::host(peer)) || self.next <= now {
            return None;
        }
        let seconds = self.next.duration_since(now).as_secs().saturating_add(1).min(LONGEST_PAUSE);
        u32::try_from(seconds).ok()
    }

    fn count(&mut self, peer: IpAddr, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        self.until = now + WINDOW;
        let over = self.failures.saturating_sub(FREE).min(16);
        self.next =
            now + Duration::from_secs(1_u64.checked_shl(over).unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE));
        let net = Net::wide(peer);
        self.failed.retain(|(n, _)| *n != net);
        if self.failed.len() < NETWORKS {
            self.failed.push((net, now + WINDOW));
        }
    }
}

/// Short, whatever somebody sends as a name; in one case, as `ADMIN` guesses at `admin`.
fn key(name: &str) -> [u8; 16] {
    let hash: [u8; 32] = Sha256::digest(name.to_lowercase().as_bytes()).into();
    let mut key = [0; 16];
    key.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// `count` networks of their own guess at `name`.
    fn attack(throttle: &mut NameThrottle, name: &str, count: u32, now: Instant) -> usize {
        let peer = |i: u32| IpAddr::V4(Ipv4Addr::from_bits(0x0b00_0000 + (i << 8)));
        (0..count).filter(|i| throttle.ask(name, peer(*i), now).is_ok()).count()
    }

    #[test]
    fn one_network_has_ten_tries_and_then_slower_and_slower_ones() {
        let (mut throttle, start) = (NameThrottle::default(), Instant::now());
        let peer = ip("192.0.2.1");
        for _ in 0..FREE {
            assert_eq!(throttle.ask("root", peer, start), Ok(()));
        }
        assert_eq!(throttle.ask("ROOT", ip("192.0.2.99"), start), Err(2));
        assert_eq!(throttle.ask("other", peer, start), Ok(()), "other names are not touched");
        let tries = (0..3600).filter(|s| throttle.ask("root", peer, start + Duration::from_secs(*s)).is_ok());
        assert!((115..130).contains(&tries.count()), "about two a minute");
    }

    #[test]
    fn many_networks_together_are_slowed() {
        let (mut throttle, now) = (NameThrottle::default(), Instant::now());
        assert_eq!(attack(&mut throttle, "root", 10_000, now), NETWORKS);
        assert_eq!(attack(&mut throttle, "root", 10_000, now), 0);
    }

    #[test]
    fn the_user_comes_in_from_a_known_address_and_from_a_new_network() {
        let (mut throttle, now) = (NameThrottle::default(), Instant::now());
        let home = ip("2001:db8:1:2::7");
        throttle.ask("ann", home, now).unwrap();
        throttle.succeeded("ann", home, now);
        attack(&mut throttle, "ann", 200, now);
        let later = now + Duration::from_secs(10);
        for _ in 0..100 {
            assert_eq!(throttle.ask("ann", ip("2001:db8:1:2::8"), later), Ok(()), "the same /64");
        }
        assert_eq!(throttle.ask("ann", ip("198.51.100.1"), later), Ok(()), "a network that never failed");
        assert!(throttle.ask("ann", ip("198.51.100.1"), later).is_err(), "but once only");
    }

    #[test]
    fn nothing_is_locked_for_good() {
        let (mut throttle, now) = (NameThrottle::default(), Instant::now());
        attack(&mut throttle, "ann", 100_000, now);
        assert!(throttle.ask("ann", ip("11.0.0.1"), now).is_err());
        assert_eq!(throttle.ask("ann", ip("11.0.0.1"), now + Duration::from_secs(30)), Ok(()));
        assert_eq!(attack(&mut throttle, "ann", 9, now + WINDOW + WINDOW), 9);
    }

    #[test]
    fn a_login_does_not_wipe_out_an_attack() {
        let (mut throttle, now) = (NameThrottle::default(), Instant::now());
        throttle.ask("ann", ip("192.0.2.1"), now).unwrap();
        throttle.succeeded("ann", ip("192.0.2.1"), now);
        attack(&mut throttle, "ann", 300, now);
        throttle.ask("ann", ip("192.0.2.1"), now).unwrap();
        throttle.succeeded("ann", ip("192.0.2.1"), now);
        assert!(throttle.ask("ann", ip("11.0.0.1"), now).is_err());
    }

    #[test]
    fn the_memory_is_bounded_and_users_stay() {
        let (mut throttle, now) = (NameThrottle::default(), Instant::now());
        throttle.ask("ann", ip("192.0.2.1"), now).unwrap();
        throttle.succeeded("ann", ip("192.0.2.1"), now);
        for i in 0..10_000_u32 {
            throttle.ask(&i.to_string(), ip("198.51.100.1"), now).unwrap();
        }
        assert!(throttle.0.len() <= NAMES);
        assert_eq!(throttle.0[&key("ann")].familiar.len(), 1);
    }

    proptest! {
        #[test]
        fn waits_are_short_and_end_as_said(tries in proptest::collection::vec((0_u32..4, 0_u64..40, any::<bool>()), 1..200)) {
            let mut throttle = NameThrottle::default();
            let mut now = Instant::now();
            for (peer, pause, right) in tries {
                now += Duration::from_secs(pause);
                let peer = IpAddr::V4(Ipv4Addr::from_bits(peer << 8));
                match throttle.ask("ann", peer, now) {
                    Ok(()) if right => throttle.succeeded("ann", peer, now),
                    Ok(()) => {}
                    Err(seconds) => {
                        prop_assert!((1..=30).contains(&seconds));
                        now += Duration::from_secs(seconds.into());
                        prop_assert_eq!(throttle.ask("ann", peer, now), Ok(()));
                    }
                }
            }
        }
    }
}
