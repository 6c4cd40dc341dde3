//! A small HTTP client for tests: TLS with the site's CA, one connection for one caller, HTTP/1.1 or HTTP/2.
//!
//! Not the command line's: a measurement wants its own connections, and many from other addresses of the loopback.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::net::TcpSocket;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Opens connections to one server.
#[derive(Debug, Clone)]
pub(crate) struct Dialer {
    config: Arc<ClientConfig>,
    at: SocketAddr,
    /// Name in the server's certificate.
    name: ServerName<'static>,
    /// Each connection takes the next.
    tokens: Arc<[String]>,
    taken: Arc<AtomicUsize>,
}

/// A client's certificate and key.
pub(crate) type Identity = (CertificateDer<'static>, PrivateKeyDer<'static>);

impl Dialer {
    /// To `at`, whose certificate is for its address; the requests of a connection carry one of the bearer tokens.
    pub(crate) fn new(at: SocketAddr, ca: &Path, tokens: &[String]) -> Result<Self> {
        let config = ClientConfig::builder().with_root_certificates(roots(ca)?).with_no_client_auth();
        let (config, taken) = (Arc::new(config), Arc::default());
        Ok(Self { config, at, name: ServerName::from(at.ip()), tokens: tokens.into(), taken })
    }

    /// To the hosts' side, as a host with this certificate.
    pub(crate) fn of_host(at: SocketAddr, ca: &Path, (certificate, key): Identity) -> Result<Self> {
        let config = ClientConfig::builder_with_protocol_versions(&[&rustls::version::TLS13]);
        let config = config.with_root_certificates(roots(ca)?);
        let mut config =
            config.with_client_auth_cert(vec![certificate], key).context("the host's certificate")?;
        config.alpn_protocols = vec![cairn_contract::ALPN_HOST.to_vec()];
        let name = ServerName::try_from(cairn_contract::SERVER_NAME).context("the server's name")?;
        Ok(Self { config: Arc::new(config), at, name, tokens: Arc::default(), taken: Arc::default() })
    }

    /// An HTTP/1.1 connection that is kept open.
    pub(crate) async fn http1(&self, from: Ipv4Addr) -> Result<Http1> {
        let tls = self.tls(from, None).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(tls)).await?;
        let mut driver = JoinSet::new();
        driver.spawn(async move { drop(connection.await) });
        Ok(Http1 { sender, authority: self.at.to_string(), token: self.token(), _driver: driver })
    }

    /// An HTTP/2 connection, for many requests at once.
    pub(crate) async fn http2(&self, from: Ipv4Addr) -> Result<Http2> {
        let tls = self.tls(from, Some(b"h2")).await?;
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(tls)).await?;
        let mut driver = JoinSet::new();
        driver.spawn(async move { drop(connection.await) });
        Ok(Http2 { sender, authority: self.at.to_string(), token: self.token(), _driver: driver })
    }

    fn token(&self) -> Option<String> {
        let number = self.taken.fetch_add(1, Ordering::Relaxed);
        self.tokens.get(number.checked_rem(self.tokens.len())?).cloned()
    }

    async fn tls(&self, from: Ipv4Addr, alpn: Option<&[u8]>) -> Result<TlsStream<tokio::net::TcpStream>> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((from, 0)))?;
        let tcp = socket.connect(self.at).await.with_context(|| format!("cannot reach {}", self.at))?;
        tcp.set_nodelay(true)?;
        let config = match alpn {
            Some(protocol) => {
                let mut config = ClientConfig::clone(&self.config);
                config.alpn_protocols = vec![protocol.to_vec()];
                Arc::new(config)
            }
            None => Arc::clone(&self.config),
        };
        TlsConnector::from(config).connect(self.name.clone(), tcp).await.context("no TLS")
    }
}

fn roots(ca: &Path) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca).context("the CA")? {
        roots.add(certificate?)?;
    }
    Ok(roots)
}

/// A connection for one request after the other.
#[derive(Debug)]
pub(crate) struct Http1 {
    sender: http1::SendRequest<Full<Bytes>>,
    authority: String,
    token: Option<String>,
    /// Ends with it.
    _driver: JoinSet<()>,
}

/// A connection for many requests at once.
#[derive(Debug)]
pub(crate) struct Http2 {
    sender: http2::SendRequest<Full<Bytes>>,
    authority: String,
    token: Option<String>,
    /// Ends with it.
    _driver: JoinSet<()>,
}

impl Http1 {
    /// Sends a request and reads the whole answer.
    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes)> {
        self.sender.ready().await.context("the connection ended")?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, &self.authority)
            .header(header::CONTENT_TYPE, "application/json");
        let request = authorised(request, self.token.as_deref()).body(Full::new(body))?;
        let response = self.sender.send_request(request).await.context("no answer")?;
        let status = response.status();
        Ok((status, response.into_body().collect().await.context("half an answer")?.to_bytes()))
    }

    /// Reads `path`; fails on any answer but 200.
    pub(crate) async fn get(&mut self, path: &str) -> Result<Bytes> {
        let (status, body) = self.send(Method::GET, path, Bytes::new()).await?;
        ensure!(status == StatusCode::OK, "GET {path}: {status}: {}", String::from_utf8_lossy(&body));
        Ok(body)
    }

    /// Reads JSON.
    pub(crate) async fn json(&mut self, path: &str) -> Result<Value> {
        serde_json::from_slice(&self.get(path).await?).with_context(|| format!("GET {path} gave no JSON"))
    }

    /// Posts JSON; fails when it is refused.
    pub(crate) async fn post(&mut self, path: &str, body: &Value) -> Result<Value> {
        let (status, answer) = self.send(Method::POST, path, Bytes::from(serde_json::to_vec(body)?)).await?;
        ensure!(status.is_success(), "POST {path}: {status}: {}", String::from_utf8_lossy(&answer));
        serde_json::from_slice(&answer).with_context(|| format!("POST {path} gave no JSON"))
    }
}

impl Http2 {
    /// Opens a stream of events; its body goes on.
    pub(crate) async fn stream(&mut self, path: &str) -> Result<Response<Incoming>> {
        self.sender.ready().await.context("the connection ended")?;
        let request = Request::builder()
            .uri(format!("https://{}{path}", self.authority))
            .header(header::ACCEPT, "text/event-stream");
        let request = authorised(request, self.token.as_deref()).body(Full::default())?;
        let response = self.sender.send_request(request).await.context("no answer")?;
        ensure!(response.status() == StatusCode::OK, "GET {path}: {}", response.status());
        Ok(response)
    }
}

fn authorised(request: http::request::Builder, token: Option<&str>) -> http::request::Builder {
    match token {
        Some(token) => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
        None => request,
    }
}

/// Percent-encodes all but unreserved characters (RFC 3986 §2.3).
pub(crate) fn escape(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    let each = text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") });
    each.collect()
}
