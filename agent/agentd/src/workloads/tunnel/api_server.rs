//! The API server of this host's cluster: HTTP/1.1 under TLS that its CA verifies, as the administrator of the kubeconfig, and in
//! the name of whom the provisioner says (Kubernetes: "User impersonation").
//!
//! Of each request only method, path, body and harmless headers are passed on. Upgrades (SPDY, WebSocket: exec, attach, port-forward)
//! become plain bytes both ways; watches flow as they come.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::kubeconfig;

/// It is on this very host.
const LIMIT: Duration = Duration::from_secs(5);

/// Why the API server cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum ApiServerError {
    /// Another host's, or of a cluster that is gone.
    #[error("the control plane of this cluster is not on this host")]
    NotHere,
    /// Not written yet, for instance.
    #[error("cannot read {}: the control plane may not be up yet", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// No YAML.
    #[error("the cluster's kubeconfig is not understood")]
    Yaml(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Something is missing in it.
    #[error("the cluster's kubeconfig cannot be used: {0}")]
    Kubeconfig(&'static str),
    /// Its certificates.
    #[error("the certificates in the cluster's kubeconfig cannot be used")]
    Tls(#[source] rustls::Error),
    /// No connection.
    #[error("cannot reach the API server at {address}")]
    Connect {
        /// Where.
        address: SocketAddr,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// HTTP.
    #[error("the connection to the API server broke")]
    Http(#[source] hyper::Error),
    /// A name that headers cannot carry.
    #[error("this name cannot be passed on")]
    Name,
}

/// One API server.
#[derive(Debug)]
pub struct ApiServer {
    address: SocketAddr,
    name: ServerName<'static>,
    host: HeaderValue,
    tls: Arc<ClientConfig>,
}

impl ApiServer {
    /// The bytes of a kubeconfig.
    ///
    /// # Errors
    /// [`ApiServerError::File`].
    pub fn read(path: &Path) -> Result<Vec<u8>, ApiServerError> {
        kubeconfig::read(path)
    }

    /// What a kubeconfig says.
    ///
    /// # Errors
    /// [`ApiServerError`], before anything is connected.
    pub fn of(kubeconfig: &[u8]) -> Result<Self, ApiServerError> {
        let config = kubeconfig::parse(kubeconfig)?;
        let wrong = ApiServerError::Kubeconfig;
        let uri: Uri = config.server.parse().map_err(|_| wrong("its server is no URL"))?;
        let authority = uri.authority().filter(|_| uri.scheme_str() == Some("https"));
        let authority = authority.ok_or(wrong("its server is no https:// URL"))?;
        let host = authority.host().trim_matches(['[', ']']);
        // The C library's resolver is never called.
        let ip: IpAddr = match host {
            "localhost" => Ipv4Addr::LOCALHOST.into(),
            literal => literal.parse().map_err(|_| wrong("its server is not named by its address"))?,
        };
        let name = config.server_name.unwrap_or_else(|| host.to_owned());
        Ok(Self {
            address: SocketAddr::new(ip, authority.port_u16().unwrap_or(443)),
            name: ServerName::try_from(name).map_err(|_| wrong("its server has no name"))?,
            host: HeaderValue::from_str(authority.as_str()).map_err(|_| ApiServerError::Name)?,
            tls: tls(&config.authority, &config.certificate, &config.key)?,
        })
    }

    /// Connects.
    ///
    /// # Errors
    /// [`ApiServerError::Connect`], [`ApiServerError::Http`].
    pub async fn connect(&self) -> Result<Connection, ApiServerError> {
        let address = self.address;
        let failed = |source| ApiServerError::Connect { address, source };
        let dial = async {
            let tcp = TcpStream::connect(address).await?;
            tcp.set_nodelay(true)?;
            TlsConnector::from(Arc::clone(&self.tls)).connect(self.name.clone(), tcp).await
        };
        let stream = timeout(LIMIT, dial).await.map_err(|e| failed(e.into()))?.map_err(failed)?;
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(ApiServerError::Http)?;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%error, "a connection to the API server ended");
            }
        });
        Ok(Connection { sender, host: self.host.clone(), _driver: driver })
    }
}

fn tls(authority: &[u8], certificate: &[u8], key: &[u8]) -> Result<Arc<ClientConfig>, ApiServerError> {
    let wrong = ApiServerError::Kubeconfig;
    let mut roots = RootCertStore::empty();
    for ca in CertificateDer::pem_slice_iter(authority) {
        roots.add(ca.map_err(|_| wrong("its CA is no PEM"))?).map_err(ApiServerError::Tls)?;
    }
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate).collect();
    let chain = chain.map_err(|_| wrong("its client certificate is no PEM"))?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| wrong("its client key is no PEM"))?;
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(ApiServerError::Tls)?;
    let config = builder.with_root_certificates(roots).with_client_auth_cert(chain, key);
    Ok(Arc::new(config.map_err(ApiServerError::Tls)?))
}

/// One connection to it, for one stream.
#[derive(Debug)]
pub struct Connection {
    sender: SendRequest<Incoming>,
    host: HeaderValue,
    _driver: JoinSet<()>,
}

type Body = BoxBody<Bytes, hyper::Error>;
/// Both ends of what was upgraded.
type Upgrades = (OnUpgrade, OnUpgrade);

impl Connection {
    /// Serves HTTP on `stream` as `user` in `groups`, until either end leaves.
    ///
    /// # Errors
    /// [`ApiServerError::Name`], [`ApiServerError::Http`].
    pub async fn serve<S>(self, stream: S, user: String, groups: Vec<String>) -> Result<(), ApiServerError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let person = person(&user, &groups)?;
        let sender = tokio::sync::Mutex::new(self.sender);
        let upgraded: Mutex<Option<Upgrades>> = Mutex::default();
        let service = service_fn(|mut request: Request<Incoming>| {
            let ours = as_person(&mut request, &person, &self.host);
            let (sender, upgraded) = (&sender, &upgraded);
            async move { Ok::<_, hyper::Error>(forward(sender, request, ours, upgraded).await) }
        });
        let mut server = hyper::server::conn::http1::Builder::new();
        server.timer(TokioTimer::new()).header_read_timeout(None).half_close(false);
        let connection = server.serve_connection(TokioIo::new(stream), service).with_upgrades();
        connection.await.map_err(ApiServerError::Http)?;
        let Some((from, to)) = upgraded.into_inner().unwrap_or_else(PoisonError::into_inner) else {
            return Ok(());
        };
        let (from, to) = (from.await.map_err(ApiServerError::Http)?, to.await.map_err(ApiServerError::Http)?);
        // How it ends is between the two.
        let _ = tokio::io::copy_bidirectional(&mut TokioIo::new(from), &mut TokioIo::new(to)).await;
        Ok(())
    }
}

/// The person's headers.
fn person(user: &str, groups: &[String]) -> Result<HeaderMap, ApiServerError> {
    let value = |text: &str| HeaderValue::from_str(text).map_err(|_| ApiServerError::Name);
    let mut headers = HeaderMap::new();
    headers.insert(HeaderName::from_static("impersonate-user"), value(user)?);
    for group in groups {
        headers.append(HeaderName::from_static("impersonate-group"), value(group)?);
    }
    Ok(headers)
}

/// Takes out who the request says it is, and puts in who it is; gives the request's own upgrade, when it asks for one.
fn as_person(request: &mut Request<Incoming>, person: &HeaderMap, host: &HeaderValue) -> Option<OnUpgrade> {
    let upgrade = request.headers().get(header::UPGRADE).cloned();
    let kept: HeaderMap = request
        .headers()
        .iter()
        .filter(|(name, _)| is_passed_on(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    *request.headers_mut() = kept;
    let headers = request.headers_mut();
    headers.extend(person.clone());
    headers.insert(header::HOST, host.clone());
    let upgrade = upgrade?;
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, upgrade);
    Some(hyper::upgrade::on(request))
}

/// Nothing by which somebody says who they are, and nothing of the connection alone (RFC 9110, 7.6.1).
fn is_passed_on(name: &HeaderName) -> bool {
    let name = name.as_str();
    let of_identity = name.starts_with("impersonate-") || name.starts_with("x-remote-");
    let others = [
        "authorization",
        "cookie",
        "connection",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    !of_identity && !others.contains(&name)
}

async fn forward(
    sender: &tokio::sync::Mutex<SendRequest<Incoming>>,
    request: Request<Incoming>,
    ours: Option<OnUpgrade>,
    upgraded: &Mutex<Option<Upgrades>>,
) -> Response<Body> {
    let sent = async {
        let mut sender = sender.lock().await;
        sender.ready().await?;
        sender.send_request(request).await
    };
    let mut response = match sent.await {
        Ok(response) => response,
        Err(error) => return failed(&error),
    };
    if response.status() == StatusCode::SWITCHING_PROTOCOLS
        && let Some(ours) = ours
    {
        let theirs = hyper::upgrade::on(&mut response);
        *upgraded.lock().unwrap_or_else(PoisonError::into_inner) = Some((ours, theirs));
    } else {
        for name in [header::CONNECTION, header::TRANSFER_ENCODING, HeaderName::from_static("keep-alive")] {
            response.headers_mut().remove(name);
        }
    }
    response.map(|body| body.boxed())
}

fn failed(error: &hyper::Error) -> Response<Body> {
    let status = serde_json::json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 502,
        "reason": "ServiceUnavailable", "message": format!("the API server did not answer the agent: {error}"),
    });
    let body = Full::new(Bytes::from(status.to_string())).map_err(|never| match never {}).boxed();
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_header_by_which_one_could_be_somebody_else_is_passed_on() {
        let refused = [
            "Authorization",
            "Impersonate-User",
            "impersonate-group",
            "Impersonate-Uid",
            "Impersonate-Extra-Scopes",
            "X-Remote-User",
            "X-Remote-Group",
            "Cookie",
            "Connection",
            "Upgrade",
        ];
        for name in refused {
            assert!(!is_passed_on(&HeaderName::from_bytes(name.as_bytes()).unwrap()), "{name}");
        }
        for name in [
            "accept",
            "content-type",
            "content-length",
            "user-agent",
            "sec-websocket-protocol",
            "x-stream-protocol-version",
        ] {
            assert!(is_passed_on(&HeaderName::from_static(name)), "{name}");
        }
    }

    #[test]
    fn a_name_with_a_line_feed_is_no_header() {
        assert!(matches!(person("a\nb", &[]), Err(ApiServerError::Name)));
        let two = person("cairn:ann", &["cairn:viewer".to_owned(), "x".to_owned()]).unwrap();
        assert_eq!(two.get_all("impersonate-group").iter().count(), 2);
    }
}
