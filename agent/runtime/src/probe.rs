//! Asks once whether a condition of a running part holds. Patience is the caller's.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cairn_contract::workload::Condition;
use http_body_util::Empty;
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// How long one question may take.
const LIMIT: Duration = Duration::from_secs(5);

/// Why a condition does not hold.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// Nothing listens there.
    #[error("nothing listens on {path}")]
    Socket {
        /// The socket.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is no such path.
    #[error("{0} does not exist")]
    Absent(String),
    /// The address is not one of this host's own.
    #[error("{0} is not an HTTP address on loopback")]
    NotLoopback(String),
    /// It could not be asked.
    #[error("cannot ask {url}: {text}")]
    Ask {
        /// The address.
        url: String,
        /// What went wrong.
        text: String,
    },
    /// It answered something else than 200.
    #[error("{url} answers {status}")]
    Status {
        /// The address.
        url: String,
        /// The status.
        status: u16,
    },
    /// It did not answer within 5 s.
    #[error("no answer within 5 s")]
    Slow,
}

/// Whether the condition holds now.
///
/// # Errors
/// Why it does not.
pub async fn check(condition: &Condition) -> Result<(), ProbeError> {
    let asked = tokio::time::timeout(LIMIT, ask(condition)).await;
    asked.unwrap_or(Err(ProbeError::Slow))
}

async fn ask(condition: &Condition) -> Result<(), ProbeError> {
    match condition {
        Condition::Socket(path) => {
            let stream = UnixStream::connect(path).await;
            stream.map(drop).map_err(|source| ProbeError::Socket { path: path.clone(), source })
        }
        Condition::Exists(path) if Path::new(path).exists() => Ok(()),
        Condition::Exists(path) => Err(ProbeError::Absent(path.clone())),
        Condition::Http(url) => http(url).await,
    }
}

async fn http(url: &str) -> Result<(), ProbeError> {
    let (uri, address) = loopback(url).ok_or_else(|| ProbeError::NotLoopback(url.to_owned()))?;
    let cannot = |text: String| ProbeError::Ask { url: url.to_owned(), text };
    let stream = TcpStream::connect(address).await.map_err(|e| cannot(e.to_string()))?;
    let status = if uri.scheme_str() == Some("https") {
        let name = ServerName::IpAddress(address.ip().into());
        let connector = tokio_rustls::TlsConnector::from(Arc::new(unverified()));
        let stream = connector.connect(name, stream).await.map_err(|e| cannot(e.to_string()))?;
        get(&uri, stream).await
    } else {
        get(&uri, stream).await
    };
    match status.map_err(|e| cannot(e.to_string()))? {
        StatusCode::OK => Ok(()),
        status => Err(ProbeError::Status { url: url.to_owned(), status: status.as_u16() }),
    }
}

/// The address, if it is an IP literal of loopback or `localhost`, which is 127.0.0.1: no name is looked up.
fn loopback(url: &str) -> Option<(Uri, SocketAddr)> {
    let uri: Uri = url.parse().ok()?;
    let usual = match uri.scheme_str()? {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let host = uri.host()?.trim_start_matches('[').trim_end_matches(']');
    let ip: IpAddr = if host == "localhost" { IpAddr::from([127, 0, 0, 1]) } else { host.parse().ok()? };
    let address = SocketAddr::new(ip, uri.port_u16().unwrap_or(usual));
    ip.is_loopback().then_some((uri, address))
}

async fn get(
    uri: &Uri,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<StatusCode, hyper::Error> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let path = uri.path_and_query().map_or("/", |p| p.as_str());
    let host = uri.authority().map_or("localhost", |a| a.as_str());
    let request = Request::get(path).header("host", host).body(Empty::<Bytes>::new());
    let request = request.expect("a path and an authority of a parsed address are legal");
    tokio::select! {
        answer = sender.send_request(request) => Ok(answer?.status()),
        ended = connection => ended.map(|()| StatusCode::BAD_GATEWAY),
    }
}

/// Takes any certificate: the peer is this host itself, and only a status is read.
fn unverified() -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let schemes = provider.signature_verification_algorithms.supported_schemes();
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.expect("ring has the default versions");
    builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(schemes))).with_no_client_auth()
}

#[derive(Debug)]
struct Anybody(Vec<SignatureScheme>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
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
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_asked() {
        for good in ["http://127.0.0.1:10248/healthz", "https://[::1]:6443/readyz?x=1", "http://localhost/"] {
            assert!(loopback(good).is_some(), "{good}");
        }
        for bad in
            ["http://10.0.0.1/", "http://example.org/", "file:///etc/passwd", "x", "http://127.0.0.1.x/"]
        {
            assert!(loopback(bad).is_none(), "{bad}");
        }
    }

    #[tokio::test]
    async fn sockets_and_paths_are_told_apart_from_their_absence() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s").to_str().unwrap().to_owned();
        assert!(check(&Condition::Socket(path.clone())).await.is_err());
        assert!(check(&Condition::Exists(path.clone())).await.is_err());
        let _listener = tokio::net::UnixListener::bind(&path).unwrap();
        check(&Condition::Socket(path.clone())).await.unwrap();
        check(&Condition::Exists(path)).await.unwrap();
    }
}
