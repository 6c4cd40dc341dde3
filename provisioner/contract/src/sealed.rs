//! Secrets that only the TPM which proved itself can read (attestation.md rule 16).

use std::marker::PhantomData;

use ring::{aead, hkdf};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::ids::Hex;

/// The 32 bytes that went through MakeCredential and ActivateCredential. Never printed, wiped on drop.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SessionKey([u8; 32]);

impl std::fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionKey(..)")
    }
}

impl SessionKey {
    /// From the activated credential; `None` unless it is 32 bytes.
    pub fn new(secret: &[u8]) -> Option<Self> {
        secret.try_into().ok().map(Self)
    }

    /// A key for one purpose (HKDF-SHA-256, RFC 5869).
    pub fn derive(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        let mut out = Zeroizing::new([0; 32]);
        let info = [b"cairn v1 ".as_slice(), purpose.as_bytes()];
        hkdf::Salt::new(hkdf::HKDF_SHA256, b"cairn session")
            .extract(&self.0)
            .expand(&info, hkdf::HKDF_SHA256)
            .and_then(|okm| okm.fill(out.as_mut()))
            .expect("32 bytes are one block of HKDF-SHA-256");
        out
    }

    /// Bearer token of this session's reports: survives a restart of either end, since the server keeps its hash.
    pub fn report_token(&self) -> Zeroizing<String> {
        Zeroizing::new(Hex(self.derive("report token").to_vec()).to_string())
    }
}

/// Why a sealed value did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Wrong key, wrong purpose, or altered bytes.
    #[error("sealed value does not open with this session's key")]
    Key,
    /// It opened, and what was in it is not what it should be.
    #[error("sealed value has an unexpected content")]
    Content(#[source] serde_json::Error),
}

/// A `T` under AES-256-GCM. One value for each key and purpose, so the nonce is zero (SP 800-38D §8.2.1 holds).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed<T> {
    sealed: Hex,
    #[serde(skip)]
    of: PhantomData<fn() -> T>,
}

impl<T: Serialize + DeserializeOwned> Sealed<T> {
    /// Seals `value` for `purpose`. Call it once for each key and purpose.
    pub fn seal(key: &SessionKey, purpose: &str, value: &T) -> Result<Self, serde_json::Error> {
        let mut bytes = serde_json::to_vec(value)?;
        cipher(key, purpose)
            .seal_in_place_append_tag(nonce(), aead::Aad::from(purpose.as_bytes()), &mut bytes)
            .expect("a plan is far below AES-GCM's limit");
        Ok(Self { sealed: Hex(bytes), of: PhantomData })
    }

    /// Opens a value sealed for `purpose`.
    pub fn open(&self, key: &SessionKey, purpose: &str) -> Result<T, OpenError> {
        let mut bytes = Zeroizing::new(self.sealed.0.clone());
        let plain = cipher(key, purpose)
            .open_in_place(nonce(), aead::Aad::from(purpose.as_bytes()), &mut bytes)
            .map_err(|_| OpenError::Key)?;
        serde_json::from_slice(plain).map_err(OpenError::Content)
    }
}

fn cipher(key: &SessionKey, purpose: &str) -> aead::LessSafeKey {
    let bytes = key.derive(&format!("seal {purpose}"));
    let key = aead::UnboundKey::new(&aead::AES_256_GCM, bytes.as_ref()).expect("AES-256 takes 32 bytes");
    aead::LessSafeKey::new(key)
}

fn nonce() -> aead::Nonce {
    aead::Nonce::assume_unique_for_key([0; 12])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_key_and_purpose_open() {
        let key = SessionKey::new(&[7; 32]).unwrap();
        let sealed = Sealed::seal(&key, "plan", &"secret".to_owned()).unwrap();
        assert_eq!(sealed.open(&key, "plan").unwrap(), "secret");
        assert!(sealed.open(&key, "other").is_err());
        assert!(sealed.open(&SessionKey::new(&[8; 32]).unwrap(), "plan").is_err());
    }

    #[test]
    fn an_altered_byte_is_noticed() {
        let key = SessionKey::new(&[7; 32]).unwrap();
        let mut sealed = Sealed::seal(&key, "plan", &1_u8).unwrap();
        sealed.sealed.0[0] ^= 1;
        assert!(matches!(sealed.open(&key, "plan"), Err(OpenError::Key)));
    }

    #[test]
    fn a_key_never_shows_itself() {
        assert_eq!(format!("{:?}", SessionKey::new(&[7; 32]).unwrap()), "SessionKey(..)");
    }
}
