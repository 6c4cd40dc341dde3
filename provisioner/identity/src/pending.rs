//! Logins that are under way: few, short-lived, in memory. Who comes back must bring the token that was given out.
//!
//! Anybody may begin a login, so there are bounds: one source has at most 16, all together 4096; the oldest goes first.

use std::collections::HashMap;
use std::net::IpAddr;

use cairn_contract::Timestamp;

use crate::secret::{NoRandomness, SecretHash};
use crate::throttle::Net;
use crate::token::{Token, TokenKind};

const OF_ONE_SOURCE: usize = 16;
const OF_ALL: usize = 4096;

/// Values by token, each for a limited time.
#[derive(Debug)]
pub struct Pendings<T> {
    lifetime_seconds: u32,
    entries: HashMap<SecretHash, Entry<T>>,
}

#[derive(Debug)]
struct Entry<T> {
    value: T,
    source: Net,
    until: Timestamp,
}

impl<T> Pendings<T> {
    /// Keeps each value for `lifetime_seconds`.
    pub fn new(lifetime_seconds: u32) -> Self {
        Self { lifetime_seconds, entries: HashMap::new() }
    }

    /// Keeps `value` for whoever brings the token; `peer` is who began the login.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn put(&mut self, value: T, peer: IpAddr, now: Timestamp) -> Result<Token, NoRandomness> {
        let token = Token::random(TokenKind::Login)?;
        let source = Net::host(peer);
        self.entries.retain(|_, e| e.until > now);
        self.make_room(OF_ONE_SOURCE, |e| e.source == source);
        self.make_room(OF_ALL, |_| true);
        let until = now.after_seconds(self.lifetime_seconds);
        self.entries.insert(token.hash(), Entry { value, source, until });
        Ok(token)
    }

    /// The value, once.
    pub fn take(&mut self, token: &Token, now: Timestamp) -> Option<T> {
        let entry = self.entries.remove(&token.hash())?;
        (entry.until > now).then_some(entry.value)
    }

    /// The value, which stays (a device polls many times).
    pub fn get_mut(&mut self, token: &Token, now: Timestamp) -> Option<&mut T> {
        let entry = self.entries.get_mut(&token.hash())?;
        (entry.until > now).then_some(&mut entry.value)
    }

    fn make_room(&mut self, limit: usize, counts: impl Fn(&Entry<T>) -> bool) {
        let counted = || self.entries.iter().filter(|(_, e)| counts(e));
        let full = counted().count() >= limit;
        let oldest = counted().min_by_key(|(_, e)| e.until).map(|(key, _)| *key);
        if let Some(oldest) = oldest.filter(|_| full) {
            self.entries.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn a_value_is_given_once_and_in_time() {
        let mut pendings = Pendings::new(600);
        let token = pendings.put("a", PEER, Timestamp(0)).unwrap();
        let late = pendings.put("b", PEER, Timestamp(0)).unwrap();
        assert_eq!(pendings.get_mut(&token, Timestamp(599_999)), Some(&mut "a"));
        assert_eq!(pendings.take(&token, Timestamp(599_999)), Some("a"));
        assert_eq!(pendings.take(&token, Timestamp(599_999)), None);
        assert_eq!(pendings.get_mut(&late, Timestamp(600_000)), None);
        assert_eq!(pendings.take(&late, Timestamp(600_000)), None);
        assert_eq!(pendings.take(&Token::random(TokenKind::Login).unwrap(), Timestamp(0)), None);
    }

    #[test]
    fn one_source_cannot_push_out_others() {
        let mut pendings = Pendings::new(600);
        let other = pendings.put(0, "192.0.2.1".parse().unwrap(), Timestamp(0)).unwrap();
        for i in 0..1000 {
            pendings.put(i, PEER, Timestamp(i.into())).unwrap();
        }
        assert_eq!(pendings.entries.len(), 1 + OF_ONE_SOURCE);
        assert_eq!(pendings.take(&other, Timestamp(1)), Some(0));
    }

    #[test]
    fn there_are_never_more_than_the_limit() {
        let mut pendings = Pendings::new(600);
        for i in 0..4200_u32 {
            pendings.put((), IpAddr::V4(i.into()), Timestamp(0)).unwrap();
        }
        assert_eq!(pendings.entries.len(), OF_ALL);
    }
}
