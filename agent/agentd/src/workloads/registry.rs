//! The appliance's registry on loopback: what asks for images on this host (containerd for kubelet, the agent's own runtime) has no
//! certificate; this passes `GET` and `HEAD` of `/v2/` on over the agent's connection. Plain HTTP, 127.0.0.1 only.

use std::convert::Infallible;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::calls::Calls;

/// Connections at once; one more waits.
const MOST: usize = 64;

type Body = BoxBody<Bytes, hyper::Error>;

/// Listens.
///
/// # Errors
/// As `bind(2)`.
pub async fn bind(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await
}

/// Serves until it is dropped.
pub async fn run(listener: TcpListener, calls: Arc<Calls>) {
    let mut connections = JoinSet::new();
    loop {
        let stream = tokio::select! {
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept(), if connections.len() < MOST => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        let calls = Arc::clone(&calls);
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let calls = Arc::clone(&calls);
                async move { Ok::<_, Infallible>(pass(&calls, request).await) }
            });
            let mut http = hyper::server::conn::http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(300));
            if let Err(error) = http.serve_connection(TokioIo::new(stream), service).await {
                tracing::debug!(%error, "a pull ended");
            }
        });
    }
}

async fn pass(calls: &Calls, request: Request<Incoming>) -> Response<Body> {
    let path = request.uri().path();
    let ours = path == "/v2" || path.starts_with("/v2/");
    if !ours || !matches!(*request.method(), Method::GET | Method::HEAD) {
        return refuse(StatusCode::METHOD_NOT_ALLOWED, "images are only pulled here");
    }
    let (mut parts, _) = request.into_parts();
    parts.headers.remove(header::AUTHORIZATION);
    parts.headers.remove(header::CONNECTION);
    match calls.forward(&Request::from_parts(parts, ())).await {
        Ok(response) => response.map(|body| body.boxed()),
        Err(error) => {
            let words =
                format!("the appliance's registry cannot be reached: {:#}", anyhow::Error::new(error));
            refuse(StatusCode::SERVICE_UNAVAILABLE, &words)
        }
    }
}

/// As the distribution specification wants errors.
fn refuse(status: StatusCode, why: &str) -> Response<Body> {
    let body = serde_json::json!({ "errors": [{ "code": "UNSUPPORTED", "message": why }] }).to_string();
    let body = Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

/// Tells containerd that `registry` is at `here` (containerd, "Registry Configuration": `config_path`).
///
/// # Errors
/// As `write(2)`: the folder may be read-only.
pub fn write_hosts(folder: &Path, registry: &str, here: SocketAddr) -> io::Result<()> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ".:-[]".contains(c);
    if registry.is_empty() || !registry.chars().all(is_plain) || registry.starts_with('.') {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let folder = folder.join(registry);
    fs::create_dir_all(&folder)?;
    let text = format!(
        "server = \"http://{here}\"\n\n[host.\"http://{here}\"]\n  capabilities = [\"pull\", \"resolve\"]\n"
    );
    let path = folder.join("hosts.toml");
    if fs::read_to_string(&path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    let part = folder.join("hosts.toml.part");
    fs::write(&part, text)?;
    fs::rename(part, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containerd_is_told_where_the_registry_is_and_names_lead_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 5051));
        write_hosts(folder.path(), "10.77.0.1:443", here).unwrap();
        let text = fs::read_to_string(folder.path().join("10.77.0.1:443/hosts.toml")).unwrap();
        assert!(text.contains("[host.\"http://127.0.0.1:5051\"]"), "{text}");
        for bad in ["", "..", "../x", "a/b", "a\"b", "a\nb"] {
            assert!(write_hosts(folder.path(), bad, here).is_err(), "{bad}");
        }
    }
}
