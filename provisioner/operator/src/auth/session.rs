//! Browser sessions: random ids, kept hashed in memory, limited in time and number.

use std::{collections::HashMap, time::Duration};

use sha2::{Digest as _, Sha256};
use tokio::time::Instant;
use zeroize::Zeroizing;

/// How long a session lasts.
pub(super) const LIFETIME: Duration = Duration::from_secs(12 * 3600);
/// Sessions at once; one more ends the oldest.
const LIMIT: usize = 64;

/// SHA-256 of the id -> when it ends. A restart of the server ends all.
#[derive(Debug, Default)]
pub(super) struct Sessions(HashMap<[u8; 32], Instant>);

impl Sessions {
    /// A new session's id, 64 hexadecimal digits; `None` when the system has no randomness.
    pub(super) fn open(&mut self, now: Instant) -> Option<Zeroizing<String>> {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        getrandom::fill(bytes.as_mut()).ok()?;
        let id = Zeroizing::new(cairn_contract::Hex(bytes.to_vec()).to_string());
        self.0.retain(|_, end| *end > now);
        while self.0.len() >= LIMIT {
            let oldest = self.0.iter().min_by_key(|(_, end)| **end).map(|(id, _)| *id)?;
            self.0.remove(&oldest);
        }
        self.0.insert(hash(&id), now + LIFETIME);
        Some(id)
    }

    pub(super) fn is_open(&self, id: &str, now: Instant) -> bool {
        self.0.get(&hash(id)).is_some_and(|end| *end > now)
    }

    pub(super) fn close(&mut self, id: &str) {
        self.0.remove(&hash(id));
    }
}

/// A lookup by hash leaks at most parts of a hash of a random id.
fn hash(id: &str) -> [u8; 32] {
    Sha256::digest(id.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_after_its_lifetime_or_when_closed() {
        let (mut sessions, now) = (Sessions::default(), Instant::now());
        let id = sessions.open(now).unwrap();
        assert!(sessions.is_open(&id, now + LIFETIME - Duration::from_secs(1)));
        assert!(!sessions.is_open(&id, now + LIFETIME));
        sessions.close(&id);
        assert!(!sessions.is_open(&id, now));
    }

    #[test]
    fn one_session_too_many_ends_the_oldest() {
        let (mut sessions, now) = (Sessions::default(), Instant::now());
        let first = sessions.open(now).unwrap();
        let second = sessions.open(now + Duration::from_secs(1)).unwrap();
        for _ in 1..LIMIT {
            sessions.open(now + Duration::from_secs(2)).unwrap();
        }
        assert!(!sessions.is_open(&first, now));
        assert!(sessions.is_open(&second, now));
        assert_eq!(sessions.0.len(), LIMIT);
    }
}
