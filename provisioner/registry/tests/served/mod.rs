//! The registry behind a plain HTTP server on loopback, and a client that is one connection.

#![allow(dead_code, reason = "each test uses its part")]

pub(crate) mod layout;

use std::{convert::Infallible, net::SocketAddr, path::Path, sync::Arc};

use bytes::Bytes;
use cairn_contract::Digest;
use cairn_registry::{Access, Limits, Registry, RepositoryName};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinSet};

pub(crate) const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Long enough to outlive any test.
pub(crate) const NEVER: std::time::Duration = std::time::Duration::from_secs(3600);

/// A registry that takes requests until it is dropped.
pub(crate) struct Served {
    pub(crate) registry: Registry,
    pub(crate) address: SocketAddr,
    pub(crate) folder: Option<TempDir>,
    _server: JoinSet<()>,
}

/// Everybody may everything.
pub(crate) fn open() -> Arc<dyn Access> {
    Arc::new(|_: &RepositoryName, _| true)
}

impl Served {
    pub(crate) async fn start() -> Self {
        Self::with(open(), Limits::default()).await
    }

    pub(crate) async fn with(access: Arc<dyn Access>, limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let served = Self::over(folder.path(), access, limits).await;
        Self { folder: Some(folder), ..served }
    }

    pub(crate) async fn over(folder: &Path, access: Arc<dyn Access>, limits: Limits) -> Self {
        let registry = Registry::open(folder, limits).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut server = JoinSet::new();
        server.spawn(serve(registry.clone(), access, listener));
        Self { registry, address, folder: None, _server: server }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.as_ref().unwrap().path()
    }

    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Response<Bytes> {
        send(self.address, request).await
    }

    /// Sends; `headers` are pairs.
    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Response<Bytes> {
        let mut request = Request::builder().method(method).uri(path).header("host", "registry");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Full::new(body.into())).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Response<Bytes> {
        self.ask("GET", path, &[], "").await
    }

    /// Pushes in one request; its digest in OCI's form.
    pub(crate) async fn push_blob(&self, name: &str, content: impl Into<Bytes>) -> String {
        let content = content.into();
        let digest = digest(&content);
        let answer =
            self.ask("POST", &format!("/v2/{name}/blobs/uploads/?digest={digest}"), &[], content).await;
        assert_eq!(answer.status(), StatusCode::CREATED, "{:?}", answer.body());
        digest
    }

    /// Begins an upload; its location.
    pub(crate) async fn begin(&self, name: &str) -> String {
        let answer = self.ask("POST", &format!("/v2/{name}/blobs/uploads/"), &[], "").await;
        assert_eq!(answer.status(), StatusCode::ACCEPTED);
        header(&answer, "location")
    }

    pub(crate) async fn put_manifest(&self, name: &str, reference: &str, manifest: &str) -> Response<Bytes> {
        let kind = if manifest.contains("\"manifests\"") { INDEX } else { IMAGE };
        let path = format!("/v2/{name}/manifests/{reference}");
        self.ask("PUT", &path, &[("content-type", kind)], manifest.to_owned()).await
    }

    /// An image of one layer, pushed and tagged; its digest.
    pub(crate) async fn push_image(&self, name: &str, tag: &str, layer: &str) -> String {
        self.push_blob(name, "{}").await;
        self.push_blob(name, layer.to_owned()).await;
        let manifest = image("{}", layer, json!({}));
        let answer = self.put_manifest(name, tag, &manifest).await;
        assert_eq!(answer.status(), StatusCode::CREATED, "{:?}", answer.body());
        digest(manifest.as_bytes())
    }
}

pub(crate) fn digest(content: &[u8]) -> String {
    format!("sha256:{}", Digest::of(content))
}

/// A manifest of a config and a layer, with more fields.
pub(crate) fn image(config: &str, layer: &str, more: Value) -> String {
    let mut manifest = json!({
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(config.as_bytes()), "size": config.len() },
        "layers": [{ "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest(layer.as_bytes()), "size": layer.len() }],
    });
    manifest.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    manifest.to_string()
}

pub(crate) fn header(answer: &Response<Bytes>, name: &str) -> String {
    answer.headers().get(name).map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default()
}

/// The first error's code.
pub(crate) fn code(answer: &Response<Bytes>) -> String {
    let error: Value = serde_json::from_slice(answer.body()).unwrap();
    error["errors"][0]["code"].as_str().unwrap().to_owned()
}

pub(crate) fn json_of(answer: &Response<Bytes>) -> Value {
    serde_json::from_slice(answer.body()).unwrap()
}

pub(crate) async fn send(address: SocketAddr, request: Request<Full<Bytes>>) -> Response<Bytes> {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let mut driver = JoinSet::new();
    driver.spawn(async move { drop(connection.await) });
    let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
    Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
}

pub(crate) async fn serve(registry: Registry, access: Arc<dyn Access>, listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (registry, access) = (registry.clone(), Arc::clone(&access));
        let service = service_fn(move |request| {
            let (registry, access) = (registry.clone(), Arc::clone(&access));
            async move { Ok::<_, Infallible>(registry.handle(&*access, request).await) }
        });
        connections.spawn(async move {
            let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            drop(server.serve_connection(TokioIo::new(stream), service).await);
        });
    }
}
