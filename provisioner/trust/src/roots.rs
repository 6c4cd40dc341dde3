//! The endorsement roots that a site believes: PEM files, sorted into roots (self-signed) and what lies between.

use std::{io, path::PathBuf};

use rustls_pki_types::{CertificateDer, pem::PemObject};
use x509_cert::{Certificate, der::Decode};

/// Why the roots cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    /// The file.
    #[error("cannot read {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Its content.
    #[error("{0} holds something that is not a certificate in PEM form")]
    Content(PathBuf),
}

/// Certificates in DER.
#[derive(Debug, Default)]
pub struct Roots {
    /// Self-signed.
    pub roots: Vec<Vec<u8>>,
    /// The others.
    pub intermediates: Vec<Vec<u8>>,
}

impl Roots {
    /// Reads all files.
    pub fn load(files: &[PathBuf]) -> Result<Self, RootsError> {
        let mut out = Self::default();
        for path in files {
            let pem =
                std::fs::read(path).map_err(|source| RootsError::Read { path: path.clone(), source })?;
            for der in CertificateDer::pem_slice_iter(&pem) {
                let der = der.map_err(|_| RootsError::Content(path.clone()))?.to_vec();
                let content = |_| RootsError::Content(path.clone());
                let certificate = Certificate::from_der(&der).map_err(content)?;
                let tbs = certificate.tbs_certificate();
                if tbs.issuer() == tbs.subject() { out.roots.push(der) } else { out.intermediates.push(der) }
            }
        }
        Ok(out)
    }
}
