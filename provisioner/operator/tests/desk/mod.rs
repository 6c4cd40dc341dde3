//! An appliance on loopback with people at it: the router over a real store, driver and catalog, on SQLite or PostgreSQL, with
//! a clock that stands until it is moved. Requests may come from any address.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod answer;

use std::{net::SocketAddr, path::Path, sync::Arc};

pub(crate) use answer::{Answer, Stream};
use axum::{
    extract::{ConnectInfo, Request},
    middleware::{Next, from_fn},
};
use bytes::Bytes;
use cairn_contract::{Digest, Timestamp};
use cairn_domain::{Effect, policies::Defaults};
use cairn_driver::{Driver, Execute, ExecuteError};
use cairn_identity::oidc::Provider;
use cairn_operator::{
    Added, AuthSettings, Chunks, CodeFile, Limits, Services, SessionLimits, UploadError, Uploads,
};
use cairn_postgres::Postgres;
use cairn_store::{Catalog, Clock as _, Database, ManualClock, Store};
use futures_util::future::BoxFuture;
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

/// The local operator token.
pub(crate) const LOCAL: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const PASSWORD: &str = "correct horse battery";
pub(crate) const START: Timestamp = Timestamp(1_800_000_000_000);

pub(crate) struct Desk {
    pub(crate) addr: SocketAddr,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Store,
    pub(crate) database: Database,
    dir: tempfile::TempDir,
    tasks: JoinSet<()>,
    _postgres: Option<Postgres>,
}

/// Which database, and how people come in.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) postgres: Option<Postgres>,
    pub(crate) oidc: Option<Provider>,
    pub(crate) no_local_token: bool,
    /// That of another appliance's desk: a second provisioner.
    pub(crate) shared: Option<Database>,
    /// Where the clock stands at first; absent: [`START`].
    pub(crate) at: Option<Timestamp>,
}

#[derive(Debug)]
struct NoHosts;

impl Execute for NoHosts {
    fn execute(&self, _: Effect) -> BoxFuture<'_, Result<(), ExecuteError>> {
        Box::pin(async { Ok(()) })
    }
}

struct NoUploads;

impl Uploads for NoUploads {
    fn add(&self, _: Chunks) -> BoxFuture<'_, Result<Added, UploadError>> {
        Box::pin(async { Err(UploadError::Malformed("none is taken here".into())) })
    }
}

/// From the address in the request's `x-peer`.
async fn as_peer(mut request: Request, next: Next) -> axum::response::Response {
    let named = request.headers().get("x-peer").and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
    let peer = SocketAddr::new(named.unwrap_or([192, 0, 2, 7].into()), 4711);
    request.extensions_mut().insert(ConnectInfo(peer));
    next.run(request).await
}

impl Options {
    pub(crate) fn postgres() -> Self {
        let postgres = Postgres::shared().unwrap_or_else(|e| panic!("{e}"));
        Self { postgres: Some(postgres), ..Self::default() }
    }

    pub(crate) async fn start(self) -> Desk {
        let database = match (&self.shared, &self.postgres) {
            (Some(shared), _) => shared.clone(),
            (None, Some(postgres)) => Database::Postgres(postgres.database().await.unwrap()),
            (None, None) => Database::Sqlite,
        };
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open_with(dir.path(), database.clone()).await.unwrap();
        let catalog = Catalog::load(store.clone()).await.unwrap();
        let clock = Arc::new(ManualClock::new(self.at.unwrap_or(START)));
        let defaults = Arc::new(Defaults::default());
        let shared = (store.clone(), catalog.clone());
        let driver = Arc::new(Driver::new(shared, Arc::clone(&defaults), clock.clone(), Arc::new(NoHosts)));
        let local_token = (!self.no_local_token).then(|| Digest::of(LOCAL.as_bytes()).0);
        let auth = AuthSettings {
            local_token,
            data: dir.path().to_owned(),
            sessions: SessionLimits::default(),
            oidc: self.oidc,
            clock: clock.clone(),
        };
        let services = Services {
            store: store.clone(),
            catalog: catalog.clone(),
            reporter: driver.clone(),
            uploads: Arc::new(NoUploads),
            auth,
            defaults,
            limits: Limits::default(),
        };
        let router = cairn_operator::router(services).layer(from_fn(as_peer));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        let follower = store.clone();
        tasks.spawn(async move { follower.follow(CancellationToken::new()).await });
        tasks.spawn(async move { catalog.follow(CancellationToken::new()).await });
        tasks.spawn(async move { driver.run(CancellationToken::new()).await });
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Desk { addr, clock, store, database, dir, tasks, _postgres: self.postgres }
    }
}

impl Desk {
    pub(crate) fn data(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn code(&self) -> String {
        CodeFile::issue(self.data(), self.now()).unwrap().expose().to_owned()
    }

    /// `GET`, `POST` ... of a path below `/api/v1` with a bearer token.
    pub(crate) async fn call(&self, token: &str, line: &str, body: Value) -> Answer {
        let bearer = format!("Bearer {token}");
        self.send(line, &[("authorization", &bearer)], body).await
    }

    /// The same with these headers. A body that is null is none.
    pub(crate) async fn send(&self, line: &str, headers: &[(&str, &str)], body: Value) -> Answer {
        let (response, _tasks) = self.open(line, headers, body).await;
        Answer::read(response).await
    }

    pub(crate) async fn stream(&self, token: &str, line: &str) -> Stream {
        let bearer = format!("Bearer {token}");
        let (response, tasks) = self.open(line, &[("authorization", &bearer)], Value::Null).await;
        assert_eq!(response.status(), 200);
        Stream::new(response.into_body(), tasks)
    }

    async fn open(
        &self,
        line: &str,
        headers: &[(&str, &str)],
        body: Value,
    ) -> (http::Response<hyper::body::Incoming>, JoinSet<()>) {
        let (method, path) = line.split_once(' ').unwrap();
        let stream = TcpStream::connect(self.addr).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { drop(connection.await) });
        let path = if path.starts_with("/api") { path.to_owned() } else { format!("/api/v1{path}") };
        let mut request =
            http::Request::builder().method(method).uri(path).header("host", self.addr.to_string());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let bytes = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        if !bytes.is_empty() {
            let patch = method == "PATCH";
            let kind = if patch { "application/merge-patch+json" } else { "application/json" };
            request = request.header("content-type", kind);
        }
        (sender.send_request(request.body(Full::<Bytes>::from(bytes)).unwrap()).await.unwrap(), tasks)
    }

    /// Logs in, with the right password.
    pub(crate) async fn log_in(&self, user: &str) -> String {
        let answer = self.send("POST /login", &[], json!({"user": user, "password": PASSWORD})).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["token"].as_str().unwrap().to_owned()
    }

    /// Makes a user with the password, as setup.
    pub(crate) async fn user(&self, name: &str) {
        self.make("User", "", name, json!({})).await;
        let set = self.call(LOCAL, &format!("POST /users/{name}/password"), json!({"new": PASSWORD})).await;
        assert_eq!(set.status, 204, "{}", set.text);
    }

    /// Gives a user a role in a namespace, as setup.
    pub(crate) async fn bind(&self, user: &str, role: &str, namespace: &str) {
        let spec = json!({"role": role, "subjects": [{"kind": "User", "name": user}]});
        self.make("RoleBinding", namespace, &format!("{user}-{role}"), spec).await;
    }

    /// Makes a resource, as setup.
    pub(crate) async fn make(&self, kind: &str, namespace: &str, name: &str, spec: Value) -> Value {
        let answer = self.create(LOCAL, kind, (namespace, name), spec).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()
    }

    pub(crate) async fn create(
        &self,
        token: &str,
        kind: &str,
        (namespace, name): (&str, &str),
        spec: Value,
    ) -> Answer {
        let plural = kind.parse::<cairn_domain::model::Kind>().unwrap().plural();
        let metadata = json!({"name": name, "namespace": namespace});
        let manifest = json!({"apiVersion": "cairn/v1", "kind": kind, "metadata": metadata, "spec": spec});
        self.call(token, &format!("POST /{plural}"), manifest).await
    }

    /// Two organisations, each with a project, and `anna`, administrator of the first's.
    pub(crate) async fn two_tenants(&self) {
        for org in ["acme", "other"] {
            self.make("Organisation", "", org, json!({})).await;
            self.make("Project", org, "retail", json!({})).await;
        }
        self.user("anna").await;
        self.bind("anna", "project-admin", "retail.acme").await;
    }

    /// The log as setup sees it, as `verb name outcome`.
    pub(crate) async fn audited(&self) -> Vec<String> {
        let page = self.call(LOCAL, "GET /audit?limit=500", Value::Null).await;
        assert_eq!(page.status, 200, "{}", page.text);
        let text = |entry: &Value, field: &str| entry[field].as_str().unwrap().to_owned();
        let line = |e: &Value| format!("{} {} {}", text(e, "verb"), text(e, "name"), text(e, "outcome"));
        page.json()["items"].as_array().unwrap().iter().map(line).collect()
    }
}

/// Each test of these runs twice, as `name::sqlite` and `name::postgres`.
#[macro_export]
macro_rules! on_both_engines {
    ($($(#[$meta:meta])* async fn $name:ident($desk:ident: &Desk) $body:block)*) => {$(
        mod $name {
            #[allow(unused_imports, reason = "not each test needs all")]
            use super::*;

            $(#[$meta])*
            async fn test($desk: &Desk) $body

            #[tokio::test]
            async fn sqlite() {
                test(&desk::Options::default().start().await).await;
            }

            #[tokio::test]
            async fn postgres() {
                test(&desk::Options::postgres().start().await).await;
            }
        }
    )*};
}
