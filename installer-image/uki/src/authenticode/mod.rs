//! Authenticode: the digest of a PE image, its signature, and a check of one (Microsoft "Windows Authenticode
//! Portable Executable Signature Format", and UEFI 2.10 section 32.2.2).
//!
//! RSA with SHA-256 only, one signature an image, no time stamp, no chain: what Secure Boot needs from a site's own
//! db key. Making keys and certificates is the caller's. `verify` is for tests and self-checks; firmware has its own.

mod digest;
mod sign;
mod verify;

pub use crate::der::DerError;
pub use digest::{HashError, digest, measured};
pub use sign::{SignError, sign};
pub use verify::{VerifyError, verify};

use crate::der::{self, NULL, OID, SEQUENCE};

/// Object identifiers, as the content of a DER OID.
mod oid {
    pub(super) const SIGNED_DATA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"; // 1.2.840.113549.1.7.2
    pub(super) const CONTENT_TYPE: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x03"; // 1.2.840.113549.1.9.3
    pub(super) const MESSAGE_DIGEST: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x04"; // 1.2.840.113549.1.9.4
    pub(super) const RSA_ENCRYPTION: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"; // 1.2.840.113549.1.1.1
    pub(super) const SHA256: &[u8] = b"\x60\x86\x48\x01\x65\x03\x04\x02\x01"; // 2.16.840.1.101.3.4.2.1
    pub(super) const SPC_INDIRECT_DATA: &[u8] = b"\x2b\x06\x01\x04\x01\x82\x37\x02\x01\x04"; // 1.3.6.1.4.1.311.2.1.4
    pub(super) const SPC_PE_IMAGE_DATA: &[u8] = b"\x2b\x06\x01\x04\x01\x82\x37\x02\x01\x0f"; // 1.3.6.1.4.1.311.2.1.15
}

/// `WIN_CERTIFICATE`: length, revision 2.0, type PKCS#7 signed data.
const WIN_CERTIFICATE_HEADER: usize = 8;
const WIN_CERTIFICATE_KIND: [u8; 4] = [0x00, 0x02, 0x02, 0x00];
/// Attribute certificates start and end at multiples of 8.
const CERTIFICATE_ALIGNMENT: usize = 8;

fn algorithm(oid: &[u8]) -> Vec<u8> {
    der::value(SEQUENCE, &[&der::value(OID, &[oid]), &NULL])
}

/// What a signature needs of its X.509 certificate.
struct Signer {
    /// `IssuerAndSerialNumber`, DER.
    identifier: Vec<u8>,
    key: rsa::RsaPublicKey,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// Not an X.509 certificate.
    #[error("not an X.509 certificate in DER")]
    X509(#[from] x509_cert::der::Error),
    /// Its key is not RSA.
    #[error("its key is not RSA")]
    Rsa(#[from] rsa::pkcs1::Error),
}

fn read_certificate(certificate: &[u8]) -> Result<Signer, CertificateError> {
    use rsa::pkcs1::DecodeRsaPublicKey as _;
    use x509_cert::der::{Decode as _, Encode as _};
    let certificate = x509_cert::Certificate::from_der(certificate)?;
    let body = certificate.tbs_certificate();
    let names = [body.issuer().to_der()?, body.serial_number().to_der()?];
    let spki = body.subject_public_key_info();
    Ok(Signer {
        identifier: der::value(SEQUENCE, &[&names[0], &names[1]]),
        key: rsa::RsaPublicKey::from_pkcs1_der(spki.subject_public_key.raw_bytes())?,
    })
}
