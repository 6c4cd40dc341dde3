//! TCP and TLS to the server: only the site's CA is trusted, and only for the name in `client.json`.

use std::{io, sync::Arc, time::Duration};

use http::Uri;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::CallError;
use crate::ClientFile;

/// Until TCP and TLS stand.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Connector {
    authority: String,
    host: String,
    port: u16,
    name: ServerName<'static>,
    tls: TlsConnector,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").field("authority", &self.authority).finish_non_exhaustive()
    }
}

impl Connector {
    pub(super) fn new(file: &ClientFile) -> Result<Self, CallError> {
        let uri: Uri = file.url.parse().map_err(|_| CallError::File("its url is no URL"))?;
        let (Some("https"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(CallError::File("its url does not begin with https://"));
        };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(file.ca.as_bytes()) {
            let certificate = certificate.map_err(|_| CallError::File("its ca is not PEM"))?;
            roots.add(certificate).map_err(|_| CallError::File("its ca is no certificate"))?;
        }
        if roots.is_empty() {
            return Err(CallError::File("its ca holds no certificate"));
        }
        let name = ServerName::try_from(file.server_name.clone());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| CallError::File("TLS is not available"))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            authority: authority.to_string(),
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(443),
            name: name.map_err(|_| CallError::File("its server_name is no DNS name or address"))?,
            tls: TlsConnector::from(Arc::new(config)),
        })
    }

    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    pub(super) async fn connect(&self) -> io::Result<TlsStream<TcpStream>> {
        let both = async {
            let tcp = TcpStream::connect((self.host.as_str(), self.port)).await?;
            tcp.set_nodelay(true)?;
            self.tls.connect(self.name.clone(), tcp).await
        };
        let late = |_| io::Error::new(io::ErrorKind::TimedOut, "no answer within 10 s");
        tokio::time::timeout(PATIENCE, both).await.map_err(late)?
    }
}
