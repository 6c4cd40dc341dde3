//! The HTTP that a relying party needs: one request, one answer, both small and soon; no redirects, no proxies, no cookies.

use std::error::Error as StdError;
use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, HeaderValue, USER_AGENT};
use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use openidconnect::url::Url;
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::config::{SetupError, is_loopback_http};

const LARGEST_ANSWER: usize = 512 * 1024;
const PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The address may not be asked.
    #[error("{0} is neither https nor on loopback")]
    Address(String),
    /// It cannot be reached.
    #[error("cannot connect to {host}")]
    Connect {
        /// Which host.
        host: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The exchange broke.
    #[error("the connection to {host} broke")]
    Broke {
        /// Which host.
        host: String,
        /// Why.
        #[source]
        source: hyper::Error,
    },
    /// The answer is too large, or broke off.
    #[error("cannot read the answer of {host}: {why}")]
    Answer {
        /// Which host.
        host: String,
        /// Why.
        why: String,
    },
    /// Too slow.
    #[error("{0} did not answer within 10 seconds")]
    Slow(String),
}

/// Asks the issuer.
pub(super) struct Http {
    /// None when the issuer is on loopback without TLS.
    tls: Option<TlsConnector>,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl Http {
    /// For the issuer at `issuer`, with `ca_file` besides the system's certificates.
    pub(super) fn new(issuer: &Url, ca_file: Option<&Path>) -> Result<Self, SetupError> {
        if is_loopback_http(issuer) {
            return Ok(Self { tls: None });
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.map_err(SetupError::Tls)?.with_root_certificates(roots(ca_file)?);
        Ok(Self { tls: Some(TlsConnector::from(Arc::new(config.with_no_client_auth()))) })
    }

    /// Whether an address that the issuer names may be asked or shown: as safe as the issuer's own.
    pub(super) fn may_use(&self, url: &Url) -> bool {
        match self.tls {
            Some(_) => url.scheme() == "https",
            None => url.scheme() == "https" || is_loopback_http(url),
        }
    }

    /// One request. A redirect is an answer like others.
    pub(super) async fn ask(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        timeout(PATIENCE, self.exchange(request, &host)).await.unwrap_or_else(|_| Err(HttpError::Slow(host)))
    }

    async fn exchange(&self, request: HttpRequest, host: &str) -> Result<HttpResponse, HttpError> {
        let stream = self.connect(request.uri(), host).await?;
        let broke = |source| HttpError::Broke { host: host.to_owned(), source };
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broke)?;
        let request = on_the_wire(request, host)?;
        let mut exchange = pin!(async move {
            let answer = sender.send_request(request).await.map_err(broke)?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, LARGEST_ANSWER).collect().await;
            let body = body.map_err(|e| HttpError::Answer { host: host.to_owned(), why: e.to_string() })?;
            Ok(Response::from_parts(head, body.to_bytes().to_vec()))
        });
        tokio::select! {
            answer = &mut exchange => return answer,
            _ = connection => {} // what it still had is with the exchange, as is its error
        }
        exchange.await
    }

    async fn connect(&self, uri: &Uri, host: &str) -> Result<Box<dyn Stream>, HttpError> {
        let failed = |source| HttpError::Connect { host: host.to_owned(), source };
        let url = Url::parse(&uri.to_string()).ok().filter(|u| self.may_use(u));
        let url = url.ok_or_else(|| HttpError::Address(uri.to_string().chars().take(200).collect()))?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let port = url.port_or_known_default().unwrap_or(443);
        let addresses: Vec<_> = tokio::net::lookup_host((bare, port)).await.map_err(failed)?.collect();
        let plain = url.scheme() == "http";
        if plain && !addresses.iter().all(|a| a.ip().is_loopback()) {
            return Err(HttpError::Address(url.to_string()));
        }
        let tcp = TcpStream::connect(addresses.as_slice()).await.map_err(failed)?;
        let Some(tls) = self.tls.as_ref().filter(|_| !plain) else { return Ok(Box::new(tcp)) };
        let name = ServerName::try_from(bare.to_owned());
        let name = name.map_err(|_| HttpError::Address(url.to_string()))?;
        Ok(Box::new(tls.connect(name, tcp).await.map_err(failed)?))
    }
}

impl std::fmt::Debug for Http {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Http").field("tls", &self.tls.is_some()).finish()
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.ask(request))
    }
}

/// With a path only, and the headers that hyper leaves to us.
fn on_the_wire(request: HttpRequest, host: &str) -> Result<Request<Full<Bytes>>, HttpError> {
    let refused = || HttpError::Address(host.to_owned());
    let (mut head, body) = request.into_parts();
    let authority = head.uri.authority().ok_or_else(refused)?.as_str();
    let value = HeaderValue::from_str(authority).map_err(|_| refused())?;
    head.headers.insert(HOST, value);
    head.headers.insert(USER_AGENT, HeaderValue::from_static("cairn"));
    let path = head.uri.path_and_query().map_or("/", |p| p.as_str());
    head.uri = path.parse().map_err(|_| refused())?;
    Ok(Request::from_parts(head, Full::from(body)))
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, SetupError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca_file {
        let failed = |source| SetupError::Read { field: "ca_file", path: path.to_owned(), source };
        let pem = std::fs::read(path).map_err(failed)?;
        let certificates = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok);
        let (added, _) = roots.add_parsable_certificates(certificates);
        if added == 0 {
            return Err(SetupError::NoCertificate(path.to_owned()));
        }
    }
    if roots.is_empty() {
        return Err(SetupError::NoRoots);
    }
    Ok(roots)
}

/// `error` and its causes in one line, for a message that has no place for a chain.
pub(super) fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
