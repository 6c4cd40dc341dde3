//! TLS 1.3 under the site's CA alone.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use cairn_contract::{ALPN_HOST, SERVER_NAME, Timestamp};
use rustls::client::ResolvesClientCert;
use rustls::sign::{CertifiedKey, SigningKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{LinkError, Protocol};
use crate::clock;

/// RFC 9266: 32 bytes, no context.
const EXPORTER: &[u8] = b"EXPORTER-Channel-Binding";

/// A host's certificate with its key in the TPM.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Leaf first, DER.
    pub chain: Vec<CertificateDer<'static>>,
    /// The leaf's key: of the TPM ([`TpmSigningKey`](crate::tpm::TpmSigningKey)).
    pub key: Arc<dyn SigningKey>,
}

/// Whom to believe and who to be.
#[derive(Debug, Clone)]
pub struct Trust {
    http1: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
}

impl Trust {
    /// Only `ca` (DER) is believed; certificates are judged at the later of the clock and `floor`.
    ///
    /// # Errors
    /// [`LinkError::Config`] when the CA or the identity cannot be used.
    pub fn new(ca: &[u8], floor: Timestamp, identity: Option<Identity>) -> Result<Self, LinkError> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(ca.to_vec())).map_err(LinkError::Config)?;
        let builder = ClientConfig::builder_with_details(
            Arc::new(rustls::crypto::ring::default_provider()),
            Arc::new(Clock(floor)),
        )
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(LinkError::Config)?
        .with_root_certificates(roots);
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some(Identity { chain, key }) => {
                let certified = CertifiedKey::new(chain, key);
                certified.keys_match().map_err(LinkError::Config)?;
                let resolver: Arc<dyn ResolvesClientCert> = Arc::new(SingleCertAndKey::from(certified));
                builder.with_client_cert_resolver(resolver)
            }
        };
        // A resumed session would keep the exporter of nothing that attestation saw.
        config.resumption = rustls::client::Resumption::disabled();
        let with = |protocol: &[u8]| {
            let mut config = config.clone();
            config.alpn_protocols = vec![ALPN_HOST.to_vec(), protocol.to_vec()];
            Arc::new(config)
        };
        Ok(Self { http1: with(b"http/1.1"), http2: with(b"h2") })
    }

    /// The handshake, and the connection's exporter.
    pub(super) async fn handshake(
        &self,
        peer: SocketAddr,
        stream: TcpStream,
        protocol: Protocol,
    ) -> Result<(TlsStream<TcpStream>, [u8; 32]), LinkError> {
        let config = match protocol {
            Protocol::Http1 => self.http1.clone(),
            Protocol::Http2 => self.http2.clone(),
        };
        let failed = |source| LinkError::Tls { peer, source };
        let name = ServerName::try_from(SERVER_NAME).map_err(|e| failed(io::Error::other(e)))?;
        let stream = TlsConnector::from(config).connect(name, stream).await.map_err(failed)?;
        let (_, session) = stream.get_ref();
        let exporter = session
            .export_keying_material([0; 32], EXPORTER, None)
            .map_err(|e| failed(io::Error::other(e)))?;
        Ok((stream, exporter))
    }
}

/// The system's clock, lifted to the time before which it cannot be right.
#[derive(Debug)]
struct Clock(Timestamp);

impl rustls::time_provider::TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(clock::now_at_least(self.0).seconds()).ok()?;
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds)))
    }
}
