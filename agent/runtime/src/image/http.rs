//! The pull side of the OCI distribution protocol over HTTP/1.1, on connections that somebody else opens and trusts.

use std::fmt::{self, Debug};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cairn_contract::Digest;
use futures_util::StreamExt as _;
use http_body_util::{BodyExt as _, BodyStream, Empty, Limited};
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;

use super::Reference;
use super::manifest::{ACCEPT, MAX_MANIFEST};
use super::registry::{Answer, Blob, Fetched, Registry, RegistryError};

/// Until the head of an answer, and between two pieces of a blob.
const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes both ways.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection, once it is open.
pub type Dialled<'a> = Pin<Box<dyn Future<Output = io::Result<Box<dyn Duplex>>> + Send + 'a>>;

/// Opens connections to the registry: plain on loopback, else TLS with whatever proves this host and the appliance.
pub trait Dial: Send + Sync {
    /// One connection.
    fn dial(&self) -> Dialled<'_>;
}

/// A registry behind a [`Dial`]. Redirects are not followed: nothing else is trusted.
#[derive(Clone)]
pub struct HttpRegistry {
    address: String,
    also: Option<String>,
    dial: Arc<dyn Dial>,
}

impl Debug for HttpRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpRegistry({})", self.address)
    }
}

impl HttpRegistry {
    /// `address` is what references may name it by, `host:port`; it is sent as `Host`.
    #[must_use]
    pub fn new(address: impl Into<String>, dial: Arc<dyn Dial>) -> Self {
        Self { address: address.into(), also: None, dial }
    }

    /// Another `host:port` that references may name it by: where others know it.
    #[must_use]
    pub fn known_as(self, address: impl Into<String>) -> Self {
        Self { also: Some(address.into()), ..self }
    }

    async fn get(&self, of: &Reference, path: String) -> Result<Got, RegistryError> {
        let is_own = |name: &String| *name == self.address || Some(name) == self.also.as_ref();
        if let Some(other) = of.registry.as_ref().filter(|r| !is_own(r)) {
            return Err(RegistryError::Foreign(other.clone()));
        }
        let asked = tokio::time::timeout(PATIENCE, self.ask(&path)).await;
        let got = asked.unwrap_or_else(|_| Err(RegistryError::Away(io::ErrorKind::TimedOut.into())))?;
        match got.response.status() {
            StatusCode::OK => Ok(got),
            StatusCode::NOT_FOUND => Err(RegistryError::NotFound(of.to_string())),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(RegistryError::Denied(of.to_string())),
            status => Err(RegistryError::Odd(status.to_string())),
        }
    }

    async fn ask(&self, path: &str) -> Result<Got, RegistryError> {
        let stream = self.dial.dial().await.map_err(RegistryError::Away)?;
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(away)?;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to the registry broke");
            }
        });
        let request = Request::get(path).header("host", &self.address).header("accept", ACCEPT);
        let request = request.body(Empty::<Bytes>::new()).map_err(|e| RegistryError::Odd(e.to_string()))?;
        let response = sender.send_request(request).await.map_err(away)?;
        Ok(Got { response, _driver: driver })
    }
}

/// An answer, and what moves its bytes.
struct Got {
    response: Response<Incoming>,
    _driver: JoinSet<()>,
}

impl Registry for HttpRegistry {
    fn manifest<'a>(&'a self, of: &'a Reference) -> Answer<'a, Fetched> {
        Box::pin(async move {
            let path = format!("/v2/{}/manifests/{}", of.repository, of.selector());
            let got = self.get(of, path).await?;
            let kind = got.response.headers().get("content-type").and_then(|v| v.to_str().ok());
            let media_type = kind.unwrap_or_default().to_owned();
            let body = Limited::new(got.response.into_body(), MAX_MANIFEST).collect();
            let body = tokio::time::timeout(PATIENCE, body).await;
            let body = body.map_err(|_| RegistryError::Away(io::ErrorKind::TimedOut.into()))?;
            let body = body.map_err(|e| RegistryError::Odd(format!("a manifest that breaks off: {e}")))?;
            Ok(Fetched { media_type, bytes: body.to_bytes() })
        })
    }

    fn blob<'a>(&'a self, of: &'a Reference, digest: Digest) -> Answer<'a, Blob> {
        Box::pin(async move {
            let got = self.get(of, format!("/v2/{}/blobs/sha256:{digest}", of.repository)).await?;
            let Got { response, _driver } = got;
            let state = (BodyStream::new(response.into_body()), _driver);
            let pieces = futures_util::stream::try_unfold(state, |(mut body, driver)| async move {
                let next = tokio::time::timeout(PATIENCE, body.next()).await;
                let next = next.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?;
                let piece = next.transpose().map_err(io::Error::other)?;
                Ok(piece.map(|frame| (frame.into_data().unwrap_or_default(), (body, driver))))
            });
            Ok(Blob(Box::pin(pieces)))
        })
    }
}

fn away(error: hyper::Error) -> RegistryError {
    RegistryError::Away(io::Error::other(error))
}
