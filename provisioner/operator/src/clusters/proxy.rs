//! `ANY /clusters/{key}/proxy/...`: a request to the cluster's API server, as who the caller is there. What is refused is refused
//! in the words of Kubernetes, so that kubectl shows it.

use axum::{
    body::Body,
    extract::{Path, Request, State},
    response::Response,
};
use cairn_domain::model::{Kind as Resource, Object, Uid, Verb};
use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use http_body_util::BodyExt as _;
use hyper::{body::Incoming, client::conn::http1, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;
use tokio::{task::JoinSet, time::Instant};

use super::{
    Duplex,
    carry::ended,
    kubeconfig::enter,
    persona::{Persona, persona},
    reach::{problem, tunnels},
    status,
};
use crate::{
    app::App,
    auth::{Caller, cluster as cluster_token},
    limit,
    problem::{Kind, Problem},
};

/// Any method of any path.
pub(super) async fn proxy(
    State(app): State<App>,
    Path(parts): Path<Vec<(String, String)>>,
    request: Request,
) -> Response {
    let key = parts.into_iter().find(|(name, _)| name == "key").map(|(_, key)| key).unwrap_or_default();
    match pass(&app, &key, request).await {
        Ok(response) => response,
        Err(problem) => status::response(&problem),
    }
}

async fn pass(app: &App, key: &str, request: Request) -> Result<Response, Problem> {
    let (caller, bound) = cluster_token::at_cluster(app, request.headers(), request.extensions()).await?;
    limit::one_more(app, &caller)?;
    let cluster = enter(app, &caller, key, "cluster.open").await?;
    belongs(&cluster, bound)?;
    let persona = app.view(&caller, |view| persona(view, &caller, &cluster));
    let asks = Asks::of(request)?;
    let into = asks.upgrade.is_some().then(|| asks.path.clone());
    tell(app, &caller, &cluster, into).await?;
    let uid = cluster.metadata.uid;
    let Persona { user, groups } = persona;
    let stream = tunnels(app)?.api_server(uid, user, groups).await;
    let stream = stream.map_err(|e| problem(&e, &format!("cluster {}", cluster.full_name())))?;
    let ended = ended(app.clone(), caller, (Verb::Secret, Resource::Cluster, uid));
    send(app, stream, asks, ended).await
}

fn belongs(cluster: &Object, bound: Option<Uid>) -> Result<(), Problem> {
    if bound.is_none_or(|uid| uid == cluster.metadata.uid) {
        return Ok(());
    }
    let next = format!("Get one for it: cairn cluster kubeconfig {}", cluster.full_name());
    Err(Problem::new(Kind::Forbidden, "This kubeconfig is for another cluster.", next))
}

/// A request as it goes on.
struct Asks {
    request: http::Request<Body>,
    upgrade: Option<OnUpgrade>,
    path: String,
}

impl Asks {
    fn of(mut request: Request) -> Result<Self, Problem> {
        let malformed = |_| Problem::new(Kind::Malformed, "The path cannot be passed on.", "");
        let path = below(request.uri()).to_owned();
        let protocol = request.headers().get(header::UPGRADE).cloned();
        let upgrade = protocol.as_ref().map(|_| hyper::upgrade::on(&mut request));
        let (parts, body) = request.into_parts();
        let mut onward = http::Request::new(body);
        *onward.method_mut() = parts.method;
        *onward.uri_mut() = path.parse().map_err(malformed)?;
        *onward.headers_mut() = passed_on(&parts.headers);
        // The agent puts the API server's own name here.
        onward.headers_mut().insert(header::HOST, HeaderValue::from_static("kubernetes"));
        if let Some(protocol) = protocol {
            onward.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
            onward.headers_mut().insert(header::UPGRADE, protocol);
        }
        Ok(Self { request: onward, upgrade, path })
    }
}

/// What follows `/clusters/KEY/proxy`, as it was written, with its query.
fn below(uri: &Uri) -> &str {
    let whole = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    match whole.split_once("/proxy") {
        Some((_, rest)) if rest.starts_with('/') => rest,
        Some(_) | None => "/",
    }
}

/// Without who one is, and what is of the connection alone (RFC 9110, 7.6.1).
fn passed_on(headers: &HeaderMap) -> HeaderMap {
    headers.iter().filter(|(name, _)| goes_on(name)).map(|(n, v)| (n.clone(), v.clone())).collect()
}

fn goes_on(name: &HeaderName) -> bool {
    let others = [
        header::AUTHORIZATION,
        header::COOKIE,
        header::SET_COOKIE,
        header::CONNECTION,
        header::HOST,
        header::REFERER,
        header::PROXY_AUTHORIZATION,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ];
    let text = name.as_str();
    let of_connection = text == "keep-alive" || text == "proxy-connection";
    !of_connection
        && !others.contains(name)
        && !text.starts_with("impersonate-")
        && !text.starts_with("x-remote-")
}

/// The audit log is told who came in from where, and of every stream into a pod, by its path.
async fn tell(app: &App, caller: &Caller, cluster: &Object, into: Option<String>) -> Result<(), Problem> {
    let is_news = app.opened.is_news(caller, cluster.metadata.uid, Instant::now());
    let mut deeds = Vec::new();
    if is_news {
        deeds.push(cluster_token::deed(caller, cluster, "cluster.open"));
    }
    if let Some(path) = into {
        let mut deed = cluster_token::deed(caller, cluster, "cluster.stream");
        let path = path.split('?').next().unwrap_or_default();
        deed.after = Some(serde_json::json!({ "path": cairn_domain::fact::plain(path, 500) }));
        deeds.push(deed);
    }
    if deeds.is_empty() {
        return Ok(());
    }
    app.store.audit(app.auth.now(), &deeds).await.map_err(|e| Problem::internal(&e))
}

async fn send(
    app: &App,
    stream: Box<dyn Duplex>,
    asks: Asks,
    ended: impl Future<Output = ()> + Send + 'static,
) -> Result<Response, Problem> {
    let broken = |error: hyper::Error| {
        tracing::debug!(%error, "a request to a cluster broke");
        Problem::new(Kind::NotConnected, "The connection to the cluster broke.", "Try again.")
    };
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let mut driver = JoinSet::new();
    driver.spawn(async move {
        // Whoever waits for the answer learns of it.
        let _ = connection.with_upgrades().await;
    });
    let mut response = sender.send_request(asks.request).await.map_err(broken)?;
    match asks.upgrade {
        Some(person) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
            let cluster = hyper::upgrade::on(&mut response);
            let inner = async move {
                let upgraded = cluster.await.ok()?;
                drop(driver);
                Some(Box::new(TokioIo::new(upgraded)) as Box<dyn Duplex>)
            };
            app.carried.between(person, inner, ended);
            Ok(response.map(|_| Body::empty()))
        }
        Some(_) | None => Ok(flowing(response, driver, ended)),
    }
}

/// The answer as it comes, for as long as the caller may have it.
fn flowing(
    response: http::Response<Incoming>,
    driver: JoinSet<()>,
    ended: impl Future<Output = ()> + Send + 'static,
) -> Response {
    let (mut parts, body) = response.into_parts();
    parts.headers = passed_on(&parts.headers);
    let pieces = body.into_data_stream().take_until(Box::pin(ended)).map(move |piece| {
        // The connection lives as long as what it carries.
        let _lives = &driver;
        piece
    });
    Response::from_parts(parts, Body::from_stream(pieces))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_proxy_goes_on_as_it_was_written() {
        let of = |text: &str| below(&text.parse::<Uri>().unwrap()).to_owned();
        assert_eq!(
            of("/clusters/a.b.c/proxy/api/v1/pods?watch=1&x=%2Fproxy"),
            "/api/v1/pods?watch=1&x=%2Fproxy"
        );
        assert_eq!(
            of("/clusters/a/proxy/api/v1/namespaces/n/services/s/proxy/x"),
            "/api/v1/namespaces/n/services/s/proxy/x"
        );
        assert_eq!(of("/clusters/a/proxy/"), "/");
        assert_eq!(of("/clusters/a/proxy"), "/");
    }

    #[test]
    fn neither_credentials_nor_names_go_on() {
        for name in [
            "authorization",
            "cookie",
            "impersonate-user",
            "impersonate-extra-x",
            "x-remote-group",
            "host",
            "te",
        ] {
            assert!(!goes_on(&HeaderName::from_static(name)), "{name}");
        }
        assert!(goes_on(&header::ACCEPT) && goes_on(&header::CONTENT_LENGTH));
    }
}
