//! The certificate authority of a server that is not trusted yet: fetched to be compared, never to be believed.
//!
//! Nothing is sent over this connection. Who the server is, is proven by the next one, which trusts only the authority that was
//! compared here.

use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use cairn_contract::Digest;
use rustls::{
    DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::{
    CallError,
    connect::{Address, with_verifier},
};

/// Certificates of one chain.
const MAX_CHAIN: usize = 8;

/// One certificate that a server showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown(CertificateDer<'static>);

impl Shown {
    /// SHA-256 of the certificate.
    pub(crate) fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }

    pub(crate) fn pem(&self) -> String {
        let text = base64::engine::general_purpose::STANDARD.encode(&self.0);
        let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
        for (n, c) in text.chars().enumerate() {
            if n > 0 && n % 64 == 0 {
                pem.push('\n');
            }
            pem.push(c);
        }
        pem + "\n-----END CERTIFICATE-----\n"
    }
}

/// The chain that a server shows, its own certificate first.
pub(crate) async fn chain(url: &str) -> Result<Vec<Shown>, CallError> {
    let address = Address::of(url)?;
    let recorder = Arc::new(Recorder::default());
    let tls = with_verifier(recorder.clone())?;
    let name = ServerName::try_from(address.host().to_owned())
        .map_err(|_| CallError::Connection("the server's name is no DNS name or address"))?;
    let unreachable = |e: std::io::Error| CallError::Unreachable { url: url.to_owned(), source: e.into() };
    drop(address.handshake(&tls, name).await.map_err(unreachable)?);
    Ok(std::mem::take(&mut *recorder.seen.lock().unwrap_or_else(PoisonError::into_inner)))
}

/// Keeps what it is shown.
#[derive(Debug, Default)]
struct Recorder {
    seen: Mutex<Vec<Shown>>,
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let all = std::iter::once(leaf).chain(others).take(MAX_CHAIN);
        let all = all.map(|c| Shown(c.clone().into_owned())).collect();
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = all;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use rustls_pki_types::pem::PemObject as _;

    use super::*;

    #[test]
    fn what_is_pinned_reads_back() {
        for length in [1, 47, 48, 49, 700] {
            let shown = Shown(CertificateDer::from(vec![7; length]));
            assert_eq!(CertificateDer::from_pem_slice(shown.pem().as_bytes()).unwrap(), shown.0);
        }
    }
}
