//! HTTP over TLS to the one server that `client.json` names. One connection for each call: commands are short.

mod connect;
mod events;

pub(crate) use events::Events;

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use cairn_operator::Problem;
use http::{Method, Request, Response, header};
use http_body_util::{BodyExt as _, Full, Limited, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use serde::{Serialize, de::DeserializeOwned};
use tokio::task::JoinSet;

use crate::ClientFile;
use connect::Connector;

/// Largest answer that is read; a page of 500 hosts is far below.
const MAX_ANSWER: usize = 16 << 20;
/// Until a quick call has its answer.
const PATIENCE: Duration = Duration::from_secs(30);

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
    /// `client.json` is no good.
    #[error("{0}")]
    File(&'static str),
}

/// Calls one server.
#[derive(Debug)]
pub struct Client {
    file: ClientFile,
    connector: Connector,
}

/// An answer whose body is still to be read; the connection lives as long.
pub(crate) struct Open {
    pub(crate) response: Response<Incoming>,
    _connection: JoinSet<()>,
}

impl Client {
    /// Trusts only the CA in `file`.
    pub fn new(file: ClientFile) -> Result<Self, CallError> {
        let connector = Connector::new(&file)?;
        Ok(Self { file, connector })
    }

    /// Where it calls.
    pub fn url(&self) -> &str {
        self.file.url.trim_end_matches('/')
    }

    /// Reads JSON.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CallError> {
        self.quick(Method::GET, path, None::<&()>).await
    }

    /// Sends JSON or nothing and reads JSON.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, CallError> {
        self.quick(Method::POST, path, body).await
    }

    /// Removes something.
    pub(crate) async fn delete(&self, path: &str) -> Result<(), CallError> {
        let open = self.patiently(self.send(Method::DELETE, path, None, empty())).await?;
        if open.response.status().is_success() { Ok(()) } else { Err(refusal(open).await) }
    }

    /// Streams a file; waits for the answer as long as it takes.
    pub(crate) async fn upload<T: DeserializeOwned>(
        &self,
        path: &str,
        size: u64,
        body: Body,
    ) -> Result<T, CallError> {
        answer(self.send(Method::POST, path, Some(("application/octet-stream", size)), body).await?).await
    }

    /// Opens a live stream that goes on after line `after`.
    pub(crate) async fn events(&self, path: &str, after: i64) -> Result<Events, CallError> {
        let path = format!("{path}?after={after}");
        let open = self.patiently(self.send(Method::GET, &path, None, empty())).await?;
        if open.response.status().is_success() { Ok(Events::new(open)) } else { Err(refusal(open).await) }
    }

    async fn quick<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, CallError> {
        let bytes = body.map(serde_json::to_vec).transpose().map_err(CallError::Content)?;
        let kind = bytes.as_ref().map(|b| ("application/json", b.len() as u64));
        let body = bytes.map_or_else(empty, |b| whole(b.into()));
        let call = async { answer(self.send(method, path, kind, body).await?).await };
        self.patiently(call).await
    }

    async fn patiently<T>(&self, call: impl Future<Output = Result<T, CallError>>) -> Result<T, CallError> {
        tokio::time::timeout(PATIENCE, call).await.unwrap_or_else(|elapsed| Err(self.unreachable(elapsed)))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        kind: Option<(&str, u64)>,
        body: Body,
    ) -> Result<Open, CallError> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.connector.authority())
            .header(header::AUTHORIZATION, format!("Bearer {}", self.file.token))
            .header(header::USER_AGENT, concat!("cairn/", env!("CARGO_PKG_VERSION")));
        if let Some((kind, length)) = kind {
            request = request.header(header::CONTENT_TYPE, kind).header(header::CONTENT_LENGTH, length);
        }
        let request =
            request.body(body).map_err(|_| CallError::File("its token or url has impossible characters"))?;
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
    serde_json::from_slice(&read(open).await?).map_err(CallError::Content)
}

/// The server's problem, or one made of its status when the answer is none.
async fn refusal(open: Open) -> CallError {
    let status = open.response.status();
    let parsed = match read(open).await {
        Ok(bytes) => serde_json::from_slice::<Problem>(&bytes).ok(),
        Err(_) => None,
    };
    CallError::Refused(Box::new(parsed.unwrap_or_else(|| {
        let kind = cairn_operator::problem::Kind::Internal;
        let mut problem =
            Problem::new(kind, format!("The server answered {status}."), "Is this url a Cairn server?");
        problem.status = status.as_u16();
        problem
    })))
}

async fn read(open: Open) -> Result<Bytes, CallError> {
    let body = Limited::new(open.response.into_body(), MAX_ANSWER);
    body.collect().await.map(|all| all.to_bytes()).map_err(CallError::Broken)
}

fn empty() -> Body {
    whole(Bytes::new())
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never: Infallible| match never {}).boxed_unsync()
}
