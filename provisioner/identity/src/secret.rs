//! Text that nobody may read by accident, and the hash under which it is stored.

use std::fmt;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// Secret text: wiped when dropped, not shown by `Debug`, compared in constant time.
#[derive(Clone, Default, Deserialize)]
#[serde(from = "String")]
pub struct Secret(Zeroizing<String>);

/// The system's random numbers failed.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random numbers")]
pub struct NoRandomness;

impl Secret {
    /// The text itself: for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether both are the same text, in a time that depends only on the lengths.
    pub fn is(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// SHA-256 of a random secret (at least 100 bits): what a store keeps. Compared in constant time.
#[derive(Clone, Copy, Eq)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    pub(crate) fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// From a stored row.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// For a stored row.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// From a stored row that holds 64 hexadecimal digits, as `to_hex` writes them.
    pub fn from_hex(text: &str) -> Option<Self> {
        let hex: cairn_contract::Hex = text.parse().ok()?;
        Some(Self(hex.0.try_into().ok()?))
    }

    /// 64 hexadecimal digits for a stored row.
    pub fn to_hex(&self) -> String {
        cairn_contract::Hex(self.0.to_vec()).to_string()
    }
}

impl PartialEq for SecretHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl std::hash::Hash for SecretHash {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        let secret = Secret::from("hunter2hunter2");
        assert_eq!(format!("{secret:?} {:?}", SecretHash::of(secret.expose())), "Secret(..) SecretHash(..)");
    }

    #[test]
    fn equal_texts_are_equal_and_others_not() {
        let secret = Secret::from("abc");
        assert!(secret.is(&Secret::from("abc")));
        assert!(!secret.is(&Secret::from("abd")) && !secret.is(&Secret::from("abcd")));
    }

    #[test]
    fn a_hash_survives_its_row() {
        let hash = SecretHash::of("x");
        assert_eq!(SecretHash::from_hex(&hash.to_hex()), Some(hash));
        assert_eq!(SecretHash::from_bytes(*hash.as_bytes()), hash);
        assert_eq!(SecretHash::from_hex("12"), None);
    }
}
