//! A real server on loopback: the router over a real store and driver, and a small HTTP client.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod tls;

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use cairn_contract::Digest;
use cairn_domain::{Effect, Policy};
use cairn_driver::{Driver, Execute, ExecuteError};
use cairn_operator::{Added, BundleKind, Chunks, Limits, UploadError, Uploads};
use cairn_store::{Store, SystemClock};
use futures_util::{StreamExt as _, future::BoxFuture};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpStream, task::JoinSet};
use tokio_util::sync::CancellationToken;

pub(crate) const TOKEN: &str = "0123456789abcdef";

pub(crate) struct Site {
    pub(crate) addr: SocketAddr,
    pub(crate) store: Store,
    tasks: JoinSet<()>,
    _dir: tempfile::TempDir,
}

/// There are no connections to end in these tests.
#[derive(Debug)]
struct NoHosts;

impl Execute for NoHosts {
    fn execute(&self, _: Effect) -> BoxFuture<'_, Result<(), ExecuteError>> {
        Box::pin(async { Ok(()) })
    }
}

/// Reads a bundle to its end and tells its digest.
struct Reader;

impl Uploads for Reader {
    fn add(&self, mut chunks: Chunks) -> BoxFuture<'_, Result<Added, UploadError>> {
        Box::pin(async move {
            let mut all = Vec::new();
            while let Some(chunk) = chunks.next().await {
                all.extend_from_slice(&chunk.map_err(UploadError::Broken)?);
            }
            if !all.starts_with(b"bundle") {
                return Err(UploadError::Malformed("it does not begin with its mark".into()));
            }
            let (name, size) = ("tiny".to_owned(), all.len() as u64);
            Ok(Added { kind: BundleKind::Image, name, version: "1".into(), size, sha256: Digest::of(&all) })
        })
    }
}

pub(crate) async fn site() -> Site {
    site_with(Limits::default()).await
}

pub(crate) async fn site_with(limits: Limits) -> Site {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    serve(listener, addr, limits).await
}

/// Over TLS, with a certificate for `localhost`; gives its CA too.
pub(crate) async fn tls_site(addr: SocketAddr) -> (Site, String) {
    let listener = tokio::net::TcpListener::bind(addr).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (listener, ca) = tls::Tls::new(listener);
    (serve(listener, addr, Limits::default()).await, ca)
}

async fn serve<L>(listener: L, addr: SocketAddr, limits: Limits) -> Site
where
    L: axum::serve::Listener,
    L::Addr: std::fmt::Debug,
{
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let clock = Arc::new(SystemClock);
    let driver = Arc::new(Driver::new(store.clone(), Arc::new(Policy::default()), clock, Arc::new(NoHosts)));
    let token = Digest::of(TOKEN.as_bytes()).0;
    let router = cairn_operator::router(store.clone(), driver.clone(), Arc::new(Reader), token, limits);
    let peer = axum::extract::ConnectInfo(SocketAddr::from(([192, 0, 2, 7], 1)));
    let router = router.layer(axum::Extension(peer));
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { driver.run(CancellationToken::new()).await });
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    Site { addr, store, tasks, _dir: dir }
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }

    /// Last part of the problem's type.
    #[track_caller]
    pub(crate) fn problem(&self) -> String {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{}", self.text);
        let json = self.json();
        assert_eq!(json["status"], self.status.as_u16());
        assert!(json["title"].as_str().is_some_and(|t| !t.is_empty()));
        json["type"].as_str().unwrap().strip_prefix("urn:cairn:problem:").unwrap().to_owned()
    }
}

impl Site {
    /// With the token.
    pub(crate) async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let authorization = format!("Bearer {TOKEN}");
        let mut headers = vec![("authorization", authorization.as_str())];
        if body.is_some() {
            headers.push(("content-type", "application/json"));
        }
        let bytes = body.map(|b| b.to_string()).unwrap_or_default();
        self.send(method, path, &headers, Full::from(bytes)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, None).await
    }

    pub(crate) async fn send<B>(&self, method: &str, path: &str, headers: &[(&str, &str)], body: B) -> Answer
    where
        B: hyper::body::Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + Unpin + 'static,
    {
        let (response, _connection) = self.open(method, path, headers, body).await;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, text }
    }

    async fn open<B>(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: B,
    ) -> (http::Response<Incoming>, JoinSet<()>)
    where
        B: hyper::body::Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + Unpin + 'static,
    {
        let stream = TcpStream::connect(self.addr).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { drop(connection.await) });
        let mut request = Request::builder().method(method).uri(path).header("host", self.addr.to_string());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        (sender.send_request(request.body(body).unwrap()).await.unwrap(), tasks)
    }

    pub(crate) async fn watch(&self, path: &str, last: Option<i64>) -> Events {
        let authorization = format!("Bearer {TOKEN}");
        let last = last.map(|l| l.to_string());
        let mut headers = vec![("authorization", authorization.as_str())];
        headers.extend(last.as_deref().map(|l| ("last-event-id", l)));
        let (response, connection) = self.open("GET", path, &headers, Full::<Bytes>::default()).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Events { body: response.into_body(), text: String::new(), _connection: connection }
    }
}

pub(crate) struct Events {
    body: Incoming,
    text: String,
    _connection: JoinSet<()>,
}

impl Events {
    /// Next event: name, id, data. Comments are passed over.
    pub(crate) async fn next(&mut self) -> (String, Option<i64>, Value) {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let field =
                    |name: &str| block.lines().find_map(|l| Some(l.strip_prefix(name)?.trim().to_owned()));
                let found = field("event:").zip(field("data:"));
                let id = field("id:").map(|i| i.parse().unwrap());
                self.text = rest.to_owned();
                if let Some((name, data)) = found {
                    return (name, id, serde_json::from_str(&data).unwrap());
                }
            }
            let frame = tokio::time::timeout(std::time::Duration::from_secs(10), self.body.frame());
            let frame = frame.await.expect("an event comes").expect("the stream goes on").unwrap();
            self.text.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap());
        }
    }

    /// Next event with that name.
    pub(crate) async fn next_named(&mut self, wanted: &str) -> (Option<i64>, Value) {
        loop {
            let (name, id, data) = self.next().await;
            if name == wanted {
                return (id, data);
            }
        }
    }
}
