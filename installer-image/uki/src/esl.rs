//! `EFI_SIGNATURE_LIST`s of X.509 certificates (UEFI 2.10 section 32.4.1): Secure Boot's PK, KEK and db, and the
//! `TlsCaCertificate` variable of firmware that boots over HTTPS.
//!
//! Not the authenticated variable around it (EFI_VARIABLE_AUTHENTICATION_2). Callers: the provisioner's `init`, the lab.

use std::str::FromStr;

/// EFI_CERT_X509_GUID, a5c059a1-94e4-4aa7-87b5-ab155c2bf072, as stored.
const X509: [u8; 16] =
    [0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a, 0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72];
const LIST_HEADER: usize = 28;
const OWNER: usize = 16;

/// A GUID as UEFI stores it: the first three groups little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guid([u8; 16]);

/// Why a list cannot be made.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EslError {
    /// Not `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`.
    #[error("{text:?} is not a GUID")]
    Guid {
        /// As given.
        text: String,
    },
    /// Does not start as DER, or is 4 GiB or more.
    #[error("certificate {index} is not DER")]
    Certificate {
        /// Counted from 0.
        index: usize,
    },
}

impl Guid {
    /// From the bytes of a UUID in its usual order.
    #[must_use]
    pub fn from_uuid(uuid: [u8; 16]) -> Self {
        let [a0, a1, a2, a3, b0, b1, c0, c1, rest @ ..] = uuid;
        let [d0, d1, d2, d3, d4, d5, d6, d7] = rest;
        Self([a3, a2, a1, a0, b1, b0, c1, c0, d0, d1, d2, d3, d4, d5, d6, d7])
    }

    /// The bytes as stored.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl FromStr for Guid {
    type Err = EslError;

    fn from_str(text: &str) -> Result<Self, EslError> {
        let error = || EslError::Guid { text: text.into() };
        let groups: Vec<_> = text.split('-').collect();
        if groups.iter().map(|g| g.len()).ne([8, 4, 4, 4, 12]) || text.contains('+') {
            return Err(error());
        }
        let value = u128::from_str_radix(&groups.concat(), 16).map_err(|_| error())?;
        Ok(Self::from_uuid(value.to_be_bytes()))
    }
}

/// One list for each certificate (DER), as `cert-to-efi-sig-list` writes them, one after the other. `owner` names
/// whoever installed them; firmware does not care.
///
/// # Errors
/// Something that is not DER where a certificate is expected.
pub fn encode(owner: Guid, certificates: &[&[u8]]) -> Result<Vec<u8>, EslError> {
    let mut out = Vec::new();
    for (index, certificate) in certificates.iter().enumerate() {
        let error = EslError::Certificate { index };
        let signature = u32::try_from(OWNER + certificate.len());
        let list = u32::try_from(LIST_HEADER + OWNER + certificate.len());
        let (Ok(signature), Ok(list), Some(0x30)) = (signature, list, certificate.first()) else {
            return Err(error);
        };
        out.extend_from_slice(&X509);
        out.extend_from_slice(&list.to_le_bytes());
        out.extend_from_slice(&0_u32.to_le_bytes()); // SignatureHeaderSize
        out.extend_from_slice(&signature.to_le_bytes());
        out.extend_from_slice(owner.as_bytes());
        out.extend_from_slice(certificate);
    }
    Ok(out)
}
