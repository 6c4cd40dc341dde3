//! TCP and TLS to the server: only the site's CA is trusted, and only for the names that the connection allows.

use std::{io, sync::Arc, time::Duration};

use http::Uri;
use rustls::{CertificateError, ClientConfig, RootCertStore, client::danger::ServerCertVerifier};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{CallError, Connection};

/// Until TCP and TLS stand.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where a server listens.
#[derive(Debug, Clone)]
pub(super) struct Address {
    pub(super) authority: String,
    host: String,
    port: u16,
}

impl Address {
    pub(super) fn of(url: &str) -> Result<Self, CallError> {
        let uri: Uri = url.parse().map_err(|_| CallError::Connection("the url is no URL"))?;
        let (Some("https"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(CallError::Connection("the url does not begin with https://"));
        };
        if !matches!(uri.path(), "" | "/") || authority.as_str().contains('@') {
            return Err(CallError::Connection("the url has more than https://ADDRESS:PORT"));
        }
        Ok(Self {
            authority: authority.to_string(),
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(443),
        })
    }

    /// The host's name or address, without the port.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// One handshake with `tls`.
    pub(super) async fn handshake(
        &self,
        tls: &TlsConnector,
        name: ServerName<'static>,
    ) -> io::Result<TlsStream<TcpStream>> {
        let both = async {
            let tcp = TcpStream::connect((self.host.as_str(), self.port)).await?;
            tcp.set_nodelay(true)?;
            tls.connect(name, tcp).await
        };
        let late = |_| io::Error::new(io::ErrorKind::TimedOut, "no answer within 10 s");
        tokio::time::timeout(PATIENCE, both).await.map_err(late)?
    }
}

pub(super) struct Connector {
    address: Address,
    names: Vec<ServerName<'static>>,
    tls: TlsConnector,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Connector {
    pub(super) fn new(connection: &Connection) -> Result<Self, CallError> {
        let address = Address::of(&connection.url)?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(connection.ca.as_bytes()) {
            let certificate = certificate.map_err(|_| CallError::Connection("its CA is not PEM"))?;
            roots.add(certificate).map_err(|_| CallError::Connection("its CA is no certificate"))?;
        }
        if roots.is_empty() {
            return Err(CallError::Connection("its CA holds no certificate"));
        }
        let words = match &connection.server_name {
            Some(name) => vec![name.as_str()],
            None => vec![address.host(), cairn_contract::SERVER_NAME],
        };
        let names = words.into_iter().map(|n| ServerName::try_from(n.to_owned()));
        let names = names.collect::<Result<_, _>>();
        let names =
            names.map_err(|_| CallError::Connection("the server's name is no DNS name or address"))?;
        let tls = builder()?.with_root_certificates(roots).with_no_client_auth();
        Ok(Self { address, names, tls: connector(tls) })
    }

    pub(super) fn authority(&self) -> &str {
        &self.address.authority
    }

    pub(super) async fn connect(&self) -> io::Result<TlsStream<TcpStream>> {
        self.connect_as().await.map(|(stream, _)| stream)
    }

    /// Also tells by which of the names the server is known.
    pub(super) async fn connect_as(&self) -> io::Result<(TlsStream<TcpStream>, &ServerName<'static>)> {
        let mut refused = io::Error::other("there is no name to ask for");
        for name in &self.names {
            match self.address.handshake(&self.tls, name.clone()).await {
                Ok(stream) => return Ok((stream, name)),
                Err(error) if is_other_name(&error) => refused = error,
                Err(error) => return Err(error),
            }
        }
        Err(refused)
    }
}

/// Whether the certificate is good and for another name.
fn is_other_name(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>());
    matches!(
        inner,
        Some(rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
        ))
    )
}

fn builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, CallError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| CallError::Connection("TLS is not available"))
}

fn connector(mut config: ClientConfig) -> TlsConnector {
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    TlsConnector::from(Arc::new(config))
}

/// A connector that believes what `verifier` believes.
pub(super) fn with_verifier(verifier: Arc<dyn ServerCertVerifier>) -> Result<TlsConnector, CallError> {
    let config = builder()?.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    Ok(connector(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_https_addresses_are_called() {
        assert_eq!(Address::of("https://10.0.0.1:8443/").unwrap().port, 8443);
        assert_eq!(Address::of("https://[::1]").unwrap().host(), "::1");
        for bad in ["http://x", "10.0.0.1", "https://", "https://a@b", "https://a/b", "ftp://x", "x y"] {
            assert!(Address::of(bad).is_err(), "{bad}");
        }
    }
}
