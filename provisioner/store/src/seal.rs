//! Values that are never in the tables in the clear: AES-256-GCM under the site's data key, bound to what they belong to.
//!
//! Not here: where the key lies (`cairn-trust`, `keys/data.key`). Callers: this crate's secrets and bootstrap tokens.

use std::fmt;

use cairn_contract::Hex;
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    rand::{SecureRandom as _, SystemRandom},
};
use zeroize::Zeroizing;

/// Form of sealed values: this byte, 12 bytes of nonce, the ciphertext with its tag.
const FORM: u8 = 1;

/// The site's data key.
#[derive(Clone)]
pub struct DataKey(Zeroizing<[u8; 32]>);

/// A value in the clear, in memory only: wiped when it goes.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(Zeroizing<String>);

/// Why a value was not sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The store was opened without one.
    #[error("this program has no data key: only `cairn serve` has")]
    NoKey,
    /// The kernel's random source, or a length beyond GCM's.
    #[error("cannot seal a value")]
    Seal,
    /// Another key, another owner, or damage.
    #[error("a sealed value does not open with keys/data.key of this provisioner")]
    Open,
}

impl DataKey {
    /// From its 32 bytes.
    pub fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// Seals `clear` for `purpose`: it opens for no other. Hexadecimal.
    pub(crate) fn seal(&self, purpose: &str, clear: &str) -> Result<String, SealError> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| SealError::Seal)?;
        let mut text = Zeroizing::new(clear.as_bytes().to_vec());
        let tag = self
            .key()?
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(purpose.as_bytes()),
                &mut text,
            )
            .map_err(|_| SealError::Seal)?;
        let sealed: Vec<u8> = [&[FORM], nonce.as_slice(), text.as_slice(), tag.as_ref()]
            .into_iter()
            .flatten()
            .copied()
            .collect();
        Ok(Hex::from(sealed).to_string())
    }

    /// Opens what was sealed for `purpose`.
    pub(crate) fn open(&self, purpose: &str, sealed: &str) -> Result<SecretText, SealError> {
        let bytes: Hex = sealed.parse().map_err(|_| SealError::Open)?;
        let rest = bytes.0.strip_prefix(&[FORM]).ok_or(SealError::Open)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>().ok_or(SealError::Open)?;
        let mut text = Zeroizing::new(sealed.to_vec());
        let clear = self
            .key()?
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(purpose.as_bytes()), &mut text)
            .map_err(|_| SealError::Open)?;
        let clear = std::str::from_utf8(clear).map_err(|_| SealError::Open)?;
        Ok(SecretText::from(clear))
    }

    fn key(&self) -> Result<LessSafeKey, SealError> {
        let key = UnboundKey::new(&AES_256_GCM, self.0.as_slice()).map_err(|_| SealError::Seal)?;
        Ok(LessSafeKey::new(key))
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(..)")
    }
}

impl SecretText {
    /// In the clear: for the one who may have it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for SecretText {
    fn from(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }
}

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretText({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> DataKey {
        DataKey::new(Zeroizing::new([byte; 32]))
    }

    #[test]
    fn a_value_opens_for_its_purpose_under_its_key_and_whole_only() {
        let sealed = key(1).seal("a", "hunter2").unwrap();
        assert_eq!(key(1).open("a", &sealed).unwrap().expose(), "hunter2");
        assert_ne!(key(1).seal("a", "hunter2").unwrap(), sealed, "each has a nonce of its own");
        assert!(key(1).open("b", &sealed).is_err());
        assert!(key(2).open("a", &sealed).is_err());
        for end in 0..sealed.len() {
            assert!(key(1).open("a", sealed.get(..end).unwrap()).is_err(), "{end}");
        }
        let mut flipped = sealed.clone().into_bytes();
        for at in 0..flipped.len() {
            let was = flipped[at];
            flipped[at] = if was == b'0' { b'1' } else { b'0' };
            assert!(key(1).open("a", std::str::from_utf8(&flipped).unwrap()).is_err(), "{at}");
            flipped[at] = was;
        }
    }

    #[test]
    fn neither_key_nor_value_is_shown() {
        assert_eq!(format!("{:?} {:?}", key(7), SecretText::from("abc")), "DataKey(..) SecretText(3 bytes)");
    }
}
