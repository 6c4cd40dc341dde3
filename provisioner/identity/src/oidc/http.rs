//! The HTTP that a relying party needs: one request, one answer, both small and soon; no redirects, no proxies, no cookies.

use std::error::Error as StdError;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
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
const PATIENCE_OF_ONE: Duration = Duration::from_secs(3);

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
    #[error("{0} did not answer in time")]
    Slow(String),
}

/// Asks the issuer.
pub(super) struct Http {
    /// None when the issuer is on loopback without TLS.
    tls: Option<TlsConnector>,
    /// For a whole question.
    patience: Duration,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl Http {
    /// For the issuer at `issuer`, with `ca_file` besides the system's certificates.
    pub(super) fn new(issuer: &Url, ca_file: Option<&Path>) -> Result<Self, SetupError> {
        if is_loopback_http(issuer) {
            return Ok(Self { tls: None, patience: PATIENCE });
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.map_err(SetupError::Tls)?.with_root_certificates(roots(ca_file)?);
        let tls = TlsConnector::from(Arc::new(config.with_no_client_auth()));
        Ok(Self { tls: Some(tls), patience: PATIENCE })
    }

    /// Whether an address that the issuer names may be asked or shown: as safe as the issuer's own.
    pub(super) fn may_use(&self, url: &Url) -> bool {
        let nobody = url.username().is_empty() && url.password().is_none();
        nobody && (url.scheme() == "https" || self.tls.is_none() && is_loopback_http(url))
    }

    /// One request. A redirect is an answer like others.
    pub(super) async fn ask(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        timeout(self.patience, self.exchange(request, &host))
            .await
            .unwrap_or_else(|_| Err(HttpError::Slow(host)))
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
        let tcp = first_of(&addresses).await.map_err(failed)?;
        let Some(tls) = self.tls.as_ref().filter(|_| !plain) else { return Ok(Box::new(tcp)) };
        let name = ServerName::try_from(bare.to_owned());
        let name = name.map_err(|_| HttpError::Address(url.to_string()))?;
        Ok(Box::new(tls.connect(name, tcp).await.map_err(failed)?))
    }
}

/// Each address gets its time, so that one which swallows packets (IPv6 at many sites) does not take all.
async fn first_of(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match timeout(PATIENCE_OF_ONE, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::Error::new(io::ErrorKind::TimedOut, "no answer"),
        }
    }
    Err(last)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn http(issuer: &str) -> Http {
        Http::new(&Url::parse(issuer).unwrap(), None).unwrap()
    }

    async fn asked(http: &Http, url: &str) -> HttpError {
        http.ask(Request::get(url).body(Vec::new()).unwrap()).await.unwrap_err()
    }

    #[test]
    fn plain_http_is_used_on_loopback_only_and_by_an_issuer_there_only() {
        let (local, far) = (http("http://127.0.0.1:1"), Http { tls: Some(no_roots()), patience: PATIENCE });
        let may = |http: &Http, url: &str| http.may_use(&Url::parse(url).unwrap());
        assert!(may(&local, "http://[::1]:2/x") && may(&local, "https://a.test/"));
        assert!(!may(&local, "http://192.0.2.1/") && !may(&local, "http://u:p@127.0.0.1/"));
        assert!(
            may(&far, "https://a.test/")
                && !may(&far, "http://127.0.0.1/")
                && !may(&far, "file:///etc/passwd")
        );
    }

    #[tokio::test]
    async fn other_addresses_are_not_even_tried() {
        let local = http("http://127.0.0.1:1");
        for url in ["http://192.0.2.1/", "http://user@127.0.0.1/", "ftp://127.0.0.1/"] {
            assert!(matches!(asked(&local, url).await, HttpError::Address(_)), "{url}");
        }
        let far = Http { tls: Some(no_roots()), patience: PATIENCE };
        assert!(matches!(asked(&far, "http://127.0.0.1/").await, HttpError::Address(_)));
    }

    #[tokio::test]
    async fn an_issuer_that_says_nothing_is_left() {
        let mute = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", mute.local_addr().unwrap());
        let hasty = Http { tls: None, patience: Duration::from_millis(20) };
        assert!(matches!(asked(&hasty, &url).await, HttpError::Slow(_)));
    }

    fn no_roots() -> TlsConnector {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        TlsConnector::from(Arc::new(
            config.with_root_certificates(RootCertStore::empty()).with_no_client_auth(),
        ))
    }
}
