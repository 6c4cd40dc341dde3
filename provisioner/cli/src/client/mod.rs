//! HTTP over TLS to one server. One connection for each call: commands are short.

mod connect;
mod connection;
mod events;
pub(crate) mod pin;
mod upgrade;

pub(crate) use connection::Connection;
pub(crate) use events::{Event, Events};

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, header};
use http_body_util::{BodyExt as _, Full, Limited, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::Problem;
use connect::Connector;

/// Largest answer that is read; a page of 500 hosts is far below.
const MAX_ANSWER: usize = 64 << 20;
/// Until a quick call has its answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A body to send; errors of its source end the connection.
pub(crate) type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Nothing answers there, or not with the site's certificate.
    #[error("cannot reach {url}")]
    Unreachable {
        /// Where.
        url: String,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server said no.
    #[error("{}", .0.detail)]
    Refused(Box<Problem>),
    /// The answer broke off.
    #[error("the answer of the server broke off")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The answer is not what this version understands.
    #[error("the answer of the server is not understood; are both of the same version?")]
    Content(#[source] serde_json::Error),
    /// The context or `client.json` is no good.
    #[error("{0}")]
    Connection(&'static str),
}

/// Calls one server.
#[derive(Debug)]
pub(crate) struct Client {
    connection: Connection,
    connector: Connector,
}

/// An answer whose body is still to be read; the connection lives as long.
pub(crate) struct Open {
    pub(crate) response: Response<Incoming>,
    _connection: JoinSet<()>,
}

/// What a request carries.
struct Content {
    kind: &'static str,
    length: u64,
    body: Body,
}

impl Client {
    /// Trusts only the CA of `connection`.
    pub(crate) fn new(connection: Connection) -> Result<Self, CallError> {
        let connector = Connector::new(&connection)?;
        Ok(Self { connection, connector })
    }

    /// Where it calls.
    pub(crate) fn url(&self) -> &str {
        self.connection.url.trim_end_matches('/')
    }

    /// Connects, and tells the name by which the server proved itself.
    pub(crate) async fn prove(&self) -> Result<String, CallError> {
        let (_, name) = self.connector.connect_as().await.map_err(|e| self.unreachable(e))?;
        Ok(name.to_str().into_owned())
    }

    /// Reads JSON.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CallError> {
        self.quick(Method::GET, path, None).await
    }

    /// Sends JSON or nothing and reads JSON.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, CallError> {
        let body = body.map(serde_json::to_vec).transpose().map_err(CallError::Content)?;
        self.quick(Method::POST, path, body.map(|b| ("application/json", b))).await
    }

    /// Sends JSON and reads JSON; waits for the answer as long as it takes.
    pub(crate) async fn post_patiently<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, CallError> {
        let body = serde_json::to_vec(body).map_err(CallError::Content)?;
        let content =
            Content { kind: "application/json", length: body.len() as u64, body: whole(body.into()) };
        answer(self.send(Method::POST, path, Some(content)).await?).await
    }

    /// Puts JSON, which may hold secrets, and reads JSON.
    pub(crate) async fn put(&self, path: &str, body: &str) -> Result<Value, CallError> {
        self.quick(Method::PUT, path, Some(("application/json", body.as_bytes().to_vec()))).await
    }

    /// Merges `patch` into something (RFC 7396).
    pub(crate) async fn patch(&self, path: &str, patch: &Value) -> Result<Value, CallError> {
        let body = ("application/merge-patch+json", patch.to_string().into_bytes());
        self.quick(Method::PATCH, path, Some(body)).await
    }

    /// Removes something; an empty answer is null.
    pub(crate) async fn delete(&self, path: &str) -> Result<Value, CallError> {
        self.quick(Method::DELETE, path, None).await
    }

    /// Sends text of another kind than JSON.
    pub(crate) async fn send_text(
        &self,
        path: &str,
        kind: &'static str,
        text: Vec<u8>,
    ) -> Result<Value, CallError> {
        self.quick(Method::POST, path, Some((kind, text))).await
    }

    /// Streams a file; waits for the answer as long as it takes.
    pub(crate) async fn upload<T: DeserializeOwned>(
        &self,
        path: &str,
        length: u64,
        body: Body,
    ) -> Result<T, CallError> {
        let content = Content { kind: "application/octet-stream", length, body };
        answer(self.send(Method::POST, path, Some(content)).await?).await
    }

    /// Puts a file at a path; waits for the answer as long as it takes.
    pub(crate) async fn put_file(&self, path: &str, length: u64, body: Body) -> Result<Value, CallError> {
        let content = Content { kind: "application/octet-stream", length, body };
        answer(self.send(Method::PUT, path, Some(content)).await?).await
    }

    /// Opens a live stream.
    pub(crate) async fn events(&self, path: &str) -> Result<Events, CallError> {
        Ok(Events::new(self.open(path).await?))
    }

    /// Opens an answer that is read bit by bit.
    pub(crate) async fn open(&self, path: &str) -> Result<Open, CallError> {
        let open = self.patiently(self.send(Method::GET, path, None)).await?;
        if open.response.status().is_success() { Ok(open) } else { Err(refusal(open).await) }
    }

    async fn quick<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<(&'static str, Vec<u8>)>,
    ) -> Result<T, CallError> {
        let content =
            body.map(|(kind, bytes)| Content { kind, length: bytes.len() as u64, body: whole(bytes.into()) });
        let call = async { answer(self.send(method, path, content).await?).await };
        self.patiently(call).await
    }

    async fn patiently<T>(&self, call: impl Future<Output = Result<T, CallError>>) -> Result<T, CallError> {
        tokio::time::timeout(PATIENCE, call).await.unwrap_or_else(|elapsed| Err(self.unreachable(elapsed)))
    }

    async fn send(&self, method: Method, path: &str, content: Option<Content>) -> Result<Open, CallError> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.connector.authority())
            .header(header::USER_AGENT, concat!("cairn/", env!("CARGO_PKG_VERSION")));
        if let Some(token) = &self.connection.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", token.reveal()));
        }
        let body = match content {
            Some(Content { kind, length, body }) => {
                request = request.header(header::CONTENT_TYPE, kind).header(header::CONTENT_LENGTH, length);
                body
            }
            None => whole(Bytes::new()),
        };
        let impossible = |_| CallError::Connection("the token or url has impossible characters");
        let request = request.body(body).map_err(impossible)?;
        let stream = self.connector.connect().await.map_err(|e| self.unreachable(e))?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(stream))
                .await
                .map_err(|e| self.unreachable(e))?;
        let mut driving = JoinSet::new();
        driving.spawn(async move { drop(connection.await) });
        let response = sender.send_request(request).await.map_err(|e| CallError::Broken(e.into()))?;
        Ok(Open { response, _connection: driving })
    }

    fn unreachable(&self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> CallError {
        CallError::Unreachable { url: self.url().to_owned(), source: source.into() }
    }
}

async fn answer<T: DeserializeOwned>(open: Open) -> Result<T, CallError> {
    if !open.response.status().is_success() {
        return Err(refusal(open).await);
    }
    let bytes = read(open).await?;
    let bytes = if bytes.is_empty() { b"null" } else { bytes.as_ref() };
    serde_json::from_slice(bytes).map_err(CallError::Content)
}

/// The server's problem, or one made of its status when the answer is none.
async fn refusal(open: Open) -> CallError {
    let status = open.response.status();
    let parsed = match read(open).await {
        Ok(bytes) => Problem::read(&bytes),
        Err(_) => None,
    };
    CallError::Refused(Box::new(parsed.unwrap_or_else(|| Problem {
        kind: "urn:cairn:problem:internal".into(),
        title: "The answer is no problem document".into(),
        status: status.as_u16(),
        detail: format!("The server answered {status}."),
        next: "Is this url a Cairn server?".into(),
        ..Problem::default()
    })))
}

async fn read(open: Open) -> Result<Bytes, CallError> {
    let body = Limited::new(open.response.into_body(), MAX_ANSWER);
    body.collect().await.map(|all| all.to_bytes()).map_err(CallError::Broken)
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never: Infallible| match never {}).boxed_unsync()
}
