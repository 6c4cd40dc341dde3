//! Values that the site signed (ed25519, RFC 8032): image manifests and plans (attestation.md rule 21).

use std::marker::PhantomData;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::ids::Hex;

/// Why a signed value was not believed.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// The signature is not by this site's key over these bytes.
    #[error("signature is not by this site's key")]
    Wrong,
    /// The signature holds, but the content is not understood.
    #[error("signed value has an unexpected content")]
    Content(#[source] serde_json::Error),
}

/// Something that can be signed: its context keeps a plan's signature from passing for a manifest's.
pub trait Signable: Serialize + DeserializeOwned {
    /// Signed in front of the bytes.
    const CONTEXT: &'static str;
}

/// The very bytes that were signed, so that no re-encoding is ever needed, and the signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed<T> {
    payload: String,
    signature: Hex,
    #[serde(skip)]
    of: PhantomData<fn() -> T>,
}

impl<T: Signable> Signed<T> {
    /// Signs `value`.
    pub fn sign(key: &SigningKey, value: &T) -> Result<Self, serde_json::Error> {
        let payload = serde_json::to_string(value)?;
        let signature = key.sign(&message::<T>(&payload));
        Ok(Self { payload, signature: Hex(signature.to_bytes().to_vec()), of: PhantomData })
    }

    /// The value, if `key` signed it. The bytes are parsed only after the signature held.
    pub fn verify(&self, key: &VerifyingKey) -> Result<T, SignatureError> {
        let bytes = self.signature.0.as_slice().try_into().map_err(|_| SignatureError::Wrong)?;
        key.verify_strict(&message::<T>(&self.payload), &Signature::from_bytes(bytes))
            .map_err(|_| SignatureError::Wrong)?;
        serde_json::from_str(&self.payload).map_err(SignatureError::Content)
    }
}

fn message<T: Signable>(payload: &str) -> Vec<u8> {
    [b"cairn signed v1 ", T::CONTEXT.as_bytes(), b"\0", payload.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct A(u8);
    impl Signable for A {
        const CONTEXT: &'static str = "a";
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct B(u8);
    impl Signable for B {
        const CONTEXT: &'static str = "b";
    }

    #[test]
    fn only_the_key_that_signed_verifies() {
        let (key, other) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));
        let signed = Signed::sign(&key, &A(5)).unwrap();
        assert_eq!(signed.verify(&key.verifying_key()).unwrap(), A(5));
        assert!(matches!(signed.verify(&other.verifying_key()), Err(SignatureError::Wrong)));
    }

    #[test]
    fn one_kind_never_passes_for_another() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let Signed { payload, signature, .. } = Signed::sign(&key, &A(5)).unwrap();
        let forged = Signed::<B> { payload, signature, of: PhantomData };
        assert!(matches!(forged.verify(&key.verifying_key()), Err(SignatureError::Wrong)));
    }
}
