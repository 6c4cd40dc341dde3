//! A real server on loopback: the router over a real store and driver, and a small HTTP client.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod tls;

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use cairn_contract::Digest;
use cairn_domain::{Effect, policies::Defaults};
use cairn_driver::{Driver, Execute, ExecuteError};
use cairn_operator::{
    Added, AuthSettings, BundleKind, Chunks, Limits, Services, SessionLimits, UploadError, Uploads,
};
use cairn_postgres::Postgres;
use cairn_store::{Catalog, DataKey, Database, Store, SystemClock};
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
    pub(crate) catalog: Catalog,
    tasks: JoinSet<()>,
    _dir: tempfile::TempDir,
    _postgres: Option<Postgres>,
}

/// What a site runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
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

pub(crate) async fn site_on(engine: Engine) -> Site {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    serve(listener, addr, (Limits::default(), engine)).await
}

pub(crate) async fn site_with(limits: Limits) -> Site {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    serve(listener, addr, (limits, Engine::Sqlite)).await
}

/// Over TLS, with a certificate for `localhost`; gives its CA too.
pub(crate) async fn tls_site(addr: SocketAddr) -> (Site, String) {
    let listener = tokio::net::TcpListener::bind(addr).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (listener, ca) = tls::Tls::new(listener);
    (serve(listener, addr, (Limits::default(), Engine::Sqlite)).await, ca)
}

async fn serve<L>(listener: L, addr: SocketAddr, (limits, engine): (Limits, Engine)) -> Site
where
    L: axum::serve::Listener,
    L::Addr: std::fmt::Debug,
{
    let dir = tempfile::tempdir().unwrap();
    let postgres = (engine == Engine::Postgres).then(|| Postgres::shared().unwrap_or_else(|e| panic!("{e}")));
    let database = match &postgres {
        Some(postgres) => Database::Postgres(postgres.database().await.unwrap()),
        None => Database::Sqlite,
    };
    let key = DataKey::new([7; 32].into());
    let store = Store::open_with(dir.path(), database).await.unwrap().with_data_key(key);
    let catalog = Catalog::load(store.clone()).await.unwrap();
    let (clock, defaults) = (Arc::new(SystemClock), Arc::new(Defaults::default()));
    let shared = (store.clone(), catalog.clone());
    let driver = Arc::new(Driver::new(shared, defaults.clone(), clock.clone(), Arc::new(NoHosts)));
    let router = cairn_operator::router(Services {
        store: store.clone(),
        catalog: catalog.clone(),
        reporter: driver.clone(),
        uploads: Arc::new(Reader),
        auth: AuthSettings {
            local_token: Some(Digest::of(TOKEN.as_bytes()).0),
            data: dir.path().to_owned(),
            sessions: SessionLimits::default(),
            oidc: None,
            clock,
        },
        defaults,
        limits,
    });
    let peer = axum::extract::ConnectInfo(SocketAddr::from(([192, 0, 2, 7], 1)));
    let router = router.layer(axum::Extension(peer));
    let mut tasks = JoinSet::new();
    let (followed, following) = (store.clone(), catalog.clone());
    tasks.spawn(async move { followed.follow(CancellationToken::new()).await });
    tasks.spawn(async move { following.follow(CancellationToken::new()).await });
    tasks.spawn(async move { driver.run(CancellationToken::new()).await });
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    Site { addr, store, catalog, tasks, _dir: dir, _postgres: postgres }
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
    /// Makes a resource, with the token.
    pub(crate) async fn make(&self, kind: &str, (namespace, name): (&str, &str), spec: Value) -> Value {
        let answer = self.post(kind, (namespace, name), spec).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()
    }

    /// Asks for a resource to be made.
    pub(crate) async fn post(&self, kind: &str, (namespace, name): (&str, &str), spec: Value) -> Answer {
        let plural = kind.parse::<cairn_domain::model::Kind>().unwrap().plural();
        let body = manifest(kind, (namespace, name), spec);
        self.call("POST", &format!("/api/v1/{plural}"), Some(body)).await
    }

    /// An organisation with a project `retail`, regions `eu` and in it `berlin`, and a site `store-1` there.
    pub(crate) async fn tree(&self, organisation: &str) {
        let project = format!("retail.{organisation}");
        self.make("Organisation", ("", organisation), serde_json::json!({})).await;
        self.make("Project", (organisation, "retail"), serde_json::json!({})).await;
        self.make("Region", (&project, "eu"), serde_json::json!({})).await;
        self.make("Region", (&project, "berlin"), serde_json::json!({"parent": "eu"})).await;
        self.make("Site", (&project, "store-1"), serde_json::json!({"region": "berlin"})).await;
    }

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
        let last = last.map(|l| l.to_string());
        let last: Vec<_> = last.as_deref().map(|l| ("last-event-id", l)).into_iter().collect();
        self.events(TOKEN, path, &last).await
    }

    /// With another token.
    pub(crate) async fn watch_as(&self, secret: &str, path: &str) -> Events {
        self.events(secret, path, &[]).await
    }

    async fn events(&self, secret: &str, path: &str, more: &[(&str, &str)]) -> Events {
        let authorization = format!("Bearer {secret}");
        let mut headers = vec![("authorization", authorization.as_str())];
        headers.extend(more);
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
        let next = tokio::time::timeout(std::time::Duration::from_secs(10), self.next_slow());
        next.await.expect("an event comes")
    }

    /// The same, however long it takes.
    pub(crate) async fn next_slow(&mut self) -> (String, Option<i64>, Value) {
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
            let frame = self.body.frame().await.expect("the stream goes on").unwrap();
            self.text.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap());
        }
    }

    /// Reads to the end.
    pub(crate) async fn ends(&mut self) {
        let end = async {
            while let Some(Ok(frame)) = self.body.frame().await {
                drop(frame)
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(10), end).await.expect("the stream ends");
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

pub(crate) fn manifest(kind: &str, (namespace, name): (&str, &str), spec: Value) -> Value {
    let mut metadata = serde_json::json!({"name": name});
    if !namespace.is_empty() {
        metadata["namespace"] = namespace.into();
    }
    serde_json::json!({"apiVersion": "cairn/v1", "kind": kind, "metadata": metadata, "spec": spec})
}

/// Each test of these runs twice, as `name::sqlite` and `name::postgres`.
#[macro_export]
macro_rules! on_both_engines {
    ($($(#[$meta:meta])* async fn $name:ident($site:ident: &Site) $body:block)*) => {$(
        mod $name {
            #[allow(unused_imports, reason = "not each test needs all")]
            use super::*;

            $(#[$meta])*
            async fn test($site: &Site) $body

            #[tokio::test]
            async fn sqlite() {
                test(&support::site_on(support::Engine::Sqlite).await).await;
            }

            #[tokio::test]
            async fn postgres() {
                test(&support::site_on(support::Engine::Postgres).await).await;
            }
        }
    )*};
}
