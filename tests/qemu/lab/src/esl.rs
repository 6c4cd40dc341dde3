//! EFI signature lists (UEFI 2.10, 32.4.1): the form in which firmware takes certificates, for Secure Boot's variables and
//! for HTTPS boot. Written, never read.

use std::path::Path;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use uuid::{Uuid, uuid};

/// `EFI_CERT_X509_GUID`.
const X509: Uuid = uuid!("a5c059a1-94e4-4aa7-87b5-ab155c2bf072");
/// Who put the certificate there: any value does.
pub(crate) const OWNER: Uuid = uuid!("c8a1b6de-0000-4000-8000-636169726e21");

/// A PEM file that holds no certificate.
#[derive(Debug, thiserror::Error)]
#[error("no certificate in {path}")]
pub struct PemError {
    path: std::path::PathBuf,
    #[source]
    source: rustls_pki_types::pem::Error,
}

/// The first certificate of a PEM file.
pub fn certificate(path: &Path) -> Result<CertificateDer<'static>, PemError> {
    CertificateDer::from_pem_file(path).map_err(|source| PemError { path: path.to_owned(), source })
}

/// One list for each certificate, one after the other: also what QEMU's `etc/edk2/https/cacerts` takes.
#[must_use]
pub fn x509_lists(certificates: &[CertificateDer<'_>]) -> Vec<u8> {
    certificates.iter().flat_map(|certificate| x509_list(certificate)).collect()
}

fn x509_list(certificate: &[u8]) -> Vec<u8> {
    // SignatureType, SignatureListSize, SignatureHeaderSize (0), SignatureSize; then SignatureOwner and the certificate.
    let signature =
        u32::try_from(16 + certificate.len()).expect("a certificate in memory is far below 4 GiB");
    let mut list = X509.to_bytes_le().to_vec();
    list.extend((28 + signature).to_le_bytes());
    list.extend(0u32.to_le_bytes());
    list.extend(signature.to_le_bytes());
    list.extend(OWNER.to_bytes_le());
    list.extend(certificate);
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_cover_exactly_the_certificate() {
        let one = x509_lists(&[CertificateDer::from(vec![0x30; 100])]);
        assert_eq!(one.len(), 28 + 16 + 100);
        assert_eq!(one.get(16..20), Some(&144u32.to_le_bytes()[..]));
        assert_eq!(one.get(24..28), Some(&116u32.to_le_bytes()[..]));
        // The type's GUID in EFI's mixed byte order.
        assert_eq!(one.get(..4), Some(&[0xa1, 0x59, 0xc0, 0xa5][..]));
        let two = CertificateDer::from(vec![0x30; 100]);
        assert_eq!(x509_lists(&[two.clone(), two]).len(), 2 * one.len());
    }
}
