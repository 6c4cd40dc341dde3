//! The TPM's TLS key as rustls sees it: ECDSA_NISTP256_SHA256 only. The private key never leaves the TPM.

use std::sync::Arc;

use rustls::sign::{Signer, SigningKey};
use rustls::{OtherError, SignatureAlgorithm, SignatureScheme};
use rustls_pki_types::SubjectPublicKeyInfoDer;

use super::Key;

/// SubjectPublicKeyInfo of a P-256 key up to the point (RFC 5480): id-ecPublicKey, prime256v1, BIT STRING.
const SPKI_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A, 0x86,
    0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

impl Key {
    /// The key's SubjectPublicKeyInfo (DER), for P-256 keys.
    #[must_use]
    pub fn spki(&self) -> Option<Vec<u8>> {
        self.point().map(|point| [&SPKI_PREFIX[..], &point].concat())
    }
}

/// A TLS key in the TPM. A signature takes the TPM's time (tens of milliseconds, more on a discrete chip) and blocks.
#[derive(Debug, Clone)]
pub struct TpmSigningKey(Arc<Key>);

impl TpmSigningKey {
    /// Wraps the key of [`Tpm::create_tls_key`](super::Tpm::create_tls_key).
    #[must_use]
    pub fn new(key: Arc<Key>) -> Self {
        Self(key)
    }

    /// Signs the SHA-256 of `message`; DER (RFC 3279, 2.2.3).
    ///
    /// # Errors
    /// As any verb.
    pub fn sign_message(&self, message: &[u8]) -> Result<Vec<u8>, super::TpmError> {
        let digest = ring::digest::digest(&ring::digest::SHA256, message);
        let digest = digest.as_ref().try_into().expect("SHA-256 is 32 bytes");
        let rs = self.0.tpm().sign(&self.0, digest)?;
        Ok(der_signature(&rs))
    }
}

impl SigningKey for TpmSigningKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered.contains(&SignatureScheme::ECDSA_NISTP256_SHA256).then(|| Box::new(self.clone()) as _)
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        self.0.spki().map(SubjectPublicKeyInfoDer::from)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

impl Signer for TpmSigningKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        self.sign_message(message).map_err(|e| rustls::Error::Other(OtherError(Arc::new(e))))
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ECDSA_NISTP256_SHA256
    }
}

/// SEQUENCE of two INTEGERs; at most 72 bytes, so that every length is one byte.
fn der_signature(rs: &[u8; 64]) -> Vec<u8> {
    let mut body = Vec::with_capacity(72);
    for half in rs.chunks(32) {
        let zeros = half.iter().take(31).take_while(|b| **b == 0).count();
        let digits = half.get(zeros..).unwrap_or_default();
        let sign = usize::from(digits.first().is_some_and(|b| b & 0x80 != 0));
        body.extend([2, u8::try_from(digits.len() + sign).expect("at most 33")]);
        body.extend(std::iter::repeat_n(0, sign));
        body.extend_from_slice(digits);
    }
    let mut der = vec![0x30, u8::try_from(body.len()).expect("at most 70")];
    der.append(&mut body);
    der
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_minimal_and_positive() {
        let mut rs = [0; 64];
        rs[0] = 0x80;
        rs[63] = 5;
        let der = der_signature(&rs);
        assert_eq!(&der[..5], [0x30, 38, 2, 33, 0]);
        assert_eq!(&der[37..], [2, 1, 5]);
    }
}
