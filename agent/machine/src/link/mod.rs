//! The HTTP client of hosts: one connection to an IP literal, mutual TLS under the site's CA, or plain for frames.
//!
//! Not a general client: no names, no redirects, no proxies, no pool. A [`Link`] is one connection; when it breaks,
//! make another. Called by the installer (HTTP/1.1) and the agent (HTTP/2; HTTP/1.1 to attest and for its tunnel).

mod body;
mod error;
mod frames;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cairn_contract::Timestamp;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

pub use body::RangeBody;
pub use error::LinkError;
pub use frames::{FrameBody, FrameSource, Frames};
pub use tls::{Identity, Trust};

use crate::clock;

/// What is spoken after the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1, one request after another.
    Http1,
    /// HTTP/2.
    Http2,
}

#[derive(Debug)]
enum Sender {
    Http1(hyper::client::conn::http1::SendRequest<Full<Bytes>>),
    Http2(hyper::client::conn::http2::SendRequest<Full<Bytes>>),
}

/// One connection.
#[derive(Debug)]
pub struct Link {
    sender: Sender,
    peer: SocketAddr,
    local: Option<SocketAddr>,
    exporter: Option<[u8; 32]>,
    server_time: Option<Timestamp>,
    /// Drives the connection, and ends with the last that uses it.
    driver: Arc<JoinSet<()>>,
}

impl Link {
    /// Connects with TLS 1.3, within `limit`.
    ///
    /// # Errors
    /// [`LinkError`], which tells an unreachable server from one that is not the site's.
    pub async fn connect(
        peer: SocketAddr,
        trust: &Trust,
        protocol: Protocol,
        limit: Duration,
    ) -> Result<Self, LinkError> {
        timeout(limit, Self::connect_tls(peer, trust, protocol))
            .await
            .map_err(|_| LinkError::Slow { peer })?
    }

    async fn connect_tls(peer: SocketAddr, trust: &Trust, protocol: Protocol) -> Result<Self, LinkError> {
        let stream = tcp(peer).await?;
        let local = stream.local_addr().ok();
        let (stream, exporter) = trust.handshake(peer, stream, protocol).await?;
        let mut link = Self::over(stream, peer, protocol).await?;
        link.exporter = Some(exporter);
        link.local = local;
        Ok(link)
    }

    /// Connects without TLS, within `limit`: for bytes that are checked one by one against a signed manifest.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn plain(peer: SocketAddr, limit: Duration) -> Result<Self, LinkError> {
        let connect = async { Self::over(tcp(peer).await?, peer, Protocol::Http1).await };
        timeout(limit, connect).await.map_err(|_| LinkError::Slow { peer })?
    }

    async fn over<S>(stream: S, peer: SocketAddr, protocol: Protocol) -> Result<Self, LinkError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let io = TokioIo::new(stream);
        let failed = |source| LinkError::Http { peer, source };
        let mut driver = JoinSet::new();
        let ended = |result: Result<(), hyper::Error>| {
            if let Err(error) = result {
                tracing::debug!(%error, "a connection ended");
            }
        };
        let sender = match protocol {
            Protocol::Http1 => {
                let (sender, connection) = hyper::client::conn::http1::handshake(io).await.map_err(failed)?;
                driver.spawn(async move { ended(connection.with_upgrades().await) });
                Sender::Http1(sender)
            }
            Protocol::Http2 => {
                let (sender, connection) =
                    hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.map_err(failed)?;
                driver.spawn(async move { ended(connection.await) });
                Sender::Http2(sender)
            }
        };
        Ok(Self { sender, peer, local: None, exporter: None, server_time: None, driver: Arc::new(driver) })
    }

    /// The TLS exporter for channel binding (RFC 9266): the same at both ends of this very connection.
    #[must_use]
    pub fn exporter(&self) -> Option<&[u8; 32]> {
        self.exporter.as_ref()
    }

    /// Our own address on this connection.
    #[must_use]
    pub fn local(&self) -> Option<SocketAddr> {
        self.local
    }

    /// The server's clock as its last answer told it.
    #[must_use]
    pub fn server_time(&self) -> Option<Timestamp> {
        self.server_time
    }

    /// Another use of the same connection, at the same time. `None` with HTTP/1.1, which has one use at a time.
    #[must_use]
    pub fn share(&self) -> Option<Self> {
        let Sender::Http2(sender) = &self.sender else { return None };
        Some(Self { sender: Sender::Http2(sender.clone()), driver: Arc::clone(&self.driver), ..*self })
    }

    /// Posts JSON and reads JSON, all within `limit`. `bearer` goes into `Authorization`.
    ///
    /// # Errors
    /// [`LinkError::Status`] for anything but 200; `204` is read as JSON `null`.
    pub async fn post_json<Q: Serialize, A: DeserializeOwned>(
        &mut self,
        path: &str,
        question: &Q,
        bearer: Option<&str>,
        limit: Duration,
    ) -> Result<A, LinkError> {
        let mut request = self.posting(path, question)?;
        if let Some(token) = bearer {
            let mut value = header::HeaderValue::from_str(&format!("Bearer {token}"))
                .map_err(|e| LinkError::Request(e.into()))?;
            value.set_sensitive(true);
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        self.answer(request, limit, cairn_contract::MAX_BODY).await
    }

    /// The same without a bearer, for answers of up to `most` bytes.
    ///
    /// # Errors
    /// As [`Self::post_json`].
    pub async fn post_large<Q: Serialize, A: DeserializeOwned>(
        &mut self,
        path: &str,
        question: &Q,
        limit: Duration,
        most: usize,
    ) -> Result<A, LinkError> {
        let request = self.posting(path, question)?;
        self.answer(request, limit, most).await
    }

    fn posting<Q: Serialize>(&self, path: &str, question: &Q) -> Result<Request<Full<Bytes>>, LinkError> {
        let bytes = serde_json::to_vec(question).map_err(LinkError::Json)?;
        let mut request = self.request(Method::POST, path)?;
        let json = header::HeaderValue::from_static("application/json");
        request.headers_mut().insert(header::CONTENT_TYPE, json);
        *request.body_mut() = Full::new(bytes.into());
        Ok(request)
    }

    async fn answer<A: DeserializeOwned>(
        &mut self,
        request: Request<Full<Bytes>>,
        limit: Duration,
        most: usize,
    ) -> Result<A, LinkError> {
        let peer = self.peer;
        let exchange = async {
            let response = self.send(request).await?;
            body::json(peer, response, most).await
        };
        timeout(limit, exchange).await.map_err(|_| LinkError::Slow { peer })?
    }

    /// Asks for another protocol (RFC 9110, 7.8) with `headers`, within `limit`; what the `101` said, and the connection itself.
    /// HTTP/1.1 only.
    ///
    /// # Errors
    /// [`LinkError::Status`] for any other answer.
    pub async fn upgrade(
        mut self,
        path: &str,
        headers: HeaderMap,
        limit: Duration,
    ) -> Result<(HeaderMap, TokioIo<Upgraded>), LinkError> {
        let mut request = self.request(Method::GET, path)?;
        request.headers_mut().extend(headers);
        let peer = self.peer;
        let failed = |source| LinkError::Http { peer, source };
        let switch = async {
            let mut response = self.pass(request).await?;
            match response.status() {
                StatusCode::SWITCHING_PROTOCOLS => {}
                status => return Err(body::refusal(peer, status, response).await),
            }
            let upgraded = hyper::upgrade::on(&mut response).await.map_err(failed)?;
            Ok((response.headers().clone(), TokioIo::new(upgraded)))
        };
        timeout(limit, switch).await.map_err(|_| LinkError::Slow { peer })?
    }

    /// Passes a request of somebody else on, whatever its answer is. Only its method, path and headers count.
    ///
    /// # Errors
    /// [`LinkError::Http`], [`LinkError::Request`].
    pub async fn forward(&mut self, request: &Request<()>) -> Result<Response<Incoming>, LinkError> {
        let path = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let mut passed = self.request(request.method().clone(), path)?;
        for (name, value) in request.headers() {
            if *name != header::HOST {
                passed.headers_mut().append(name, value.clone());
            }
        }
        self.pass(passed).await
    }

    /// Begins to read `len` bytes at `at` of a resource (RFC 9110, 14). The caller sets the pace and the deadlines.
    ///
    /// # Errors
    /// [`LinkError::Range`] when the server answers with another range.
    pub async fn get_range(&mut self, path: &str, at: u64, len: u64) -> Result<RangeBody, LinkError> {
        let mut request = self.request(Method::GET, path)?;
        let last = at.saturating_add(len).saturating_sub(1);
        let value = header::HeaderValue::from_str(&format!("bytes={at}-{last}"))
            .map_err(|e| LinkError::Request(e.into()))?;
        request.headers_mut().insert(header::RANGE, value);
        let response = self.send(request).await?;
        RangeBody::of(self.peer, response, at)
    }

    fn request(&self, method: Method, path: &str) -> Result<Request<Full<Bytes>>, LinkError> {
        let builder = match self.sender {
            Sender::Http1(_) => Request::builder().uri(path).header(header::HOST, self.peer.to_string()),
            Sender::Http2(_) => Request::builder().uri(format!("https://{}{path}", self.peer)),
        };
        builder.method(method).body(Full::default()).map_err(LinkError::Request)
    }

    async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, LinkError> {
        let peer = self.peer;
        let response = self.pass(request).await?;
        match response.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::NO_CONTENT => Ok(response),
            status => Err(body::refusal(peer, status, response).await),
        }
    }

    async fn pass(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, LinkError> {
        let peer = self.peer;
        let failed = |source| LinkError::Http { peer, source };
        let response = match &mut self.sender {
            Sender::Http1(sender) => {
                sender.ready().await.map_err(failed)?;
                sender.send_request(request).await
            }
            Sender::Http2(sender) => {
                sender.ready().await.map_err(failed)?;
                sender.send_request(request).await
            }
        };
        let response = response.map_err(failed)?;
        let date = response.headers().get(header::DATE).and_then(|d| d.to_str().ok());
        self.server_time = date.and_then(clock::parse_http_date).or(self.server_time);
        Ok(response)
    }
}

async fn tcp(peer: SocketAddr) -> Result<TcpStream, LinkError> {
    let stream = TcpStream::connect(peer).await.map_err(|source| LinkError::Unreachable { peer, source })?;
    // Requests are small and answered at once; Nagle's delay would be added to each.
    stream.set_nodelay(true).map_err(|source| LinkError::Unreachable { peer, source })?;
    Ok(stream)
}
