//! Paths of the host side (contract/src/lib.rs) to calls: JSON in, JSON out, nothing decided here.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use cairn_contract::{HostId, MAX_BODY};
use cairn_fleet::{Gateway, Leashes, Tunnels, gateway::GatewayError};
use cairn_netboot::http::{Body, BootHttp};
use cairn_trust::{Attestation, attestation::Exchange};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited, combinators::UnsyncBoxBody};
use hyper::{body::Incoming, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use tokio_util::sync::CancellationToken;

use crate::host_work::HostWork;

const TUNNEL: &str = "/host/v1/tunnel";
const BODY_DEADLINE: Duration = Duration::from_secs(30);

/// What is behind `/host/v1`.
pub(crate) struct HostSide {
    pub(crate) attestation: Arc<Attestation>,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) leashes: Arc<Leashes>,
    pub(crate) tunnels: Arc<Tunnels>,
    pub(crate) work: HostWork,
}

/// One connection of a host.
pub(crate) struct Peer {
    exchange: Exchange,
    host: Option<HostId>,
    from: SocketAddr,
    leash: CancellationToken,
    /// What the connection becomes when its HTTP ends: the host's tunnel.
    tunnel: Mutex<Option<OnUpgrade>>,
}

impl Peer {
    /// From a finished handshake.
    pub(crate) fn of(tls: &rustls::ServerConnection, from: SocketAddr, side: &HostSide) -> Self {
        let host = tls.peer_certificates().and_then(|chain| side.attestation.host_of(chain.first()?));
        // Fails only before the handshake is complete; an all-zero exporter matches no evidence then.
        let exporter =
            tls.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", None).unwrap_or([0; 32]);
        let leash = host.map_or_else(CancellationToken::new, |host| side.leashes.of(host));
        Self {
            exchange: Arc::clone(&side.attestation).exchange(exporter),
            host,
            from,
            leash,
            tunnel: Mutex::default(),
        }
    }

    /// Dies when the host must leave.
    pub(crate) fn gone(&self) -> CancellationToken {
        self.leash.clone()
    }
}

impl HostSide {
    /// Goes on with a connection whose HTTP has ended: as the host's tunnel, when it asked for one.
    pub(crate) async fn after_http(&self, peer: &Peer) {
        let upgraded = peer.tunnel.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (Some(host), Some(upgraded)) = (peer.host, upgraded) else { return };
        match upgraded.await {
            Ok(socket) => self.tunnels.serve(host, TokioIo::new(socket)).await,
            Err(error) => tracing::debug!(%error, "a tunnel did not begin"),
        }
    }

    /// `101`, when the host may have a tunnel.
    async fn begin_tunnel(&self, peer: &Peer, request: Request<Incoming>) -> Result<Response<Sent>, Answer> {
        let host = peer.host.ok_or_else(no_certificate)?;
        self.gateway.admits(host).await.map_err(|e| failed(&e))?;
        let headers = cairn_tunnel::upgrade::answer(request.headers())
            .map_err(|e| refuse(StatusCode::UPGRADE_REQUIRED, &e.to_string()))?;
        *peer.tunnel.lock().unwrap_or_else(PoisonError::into_inner) = Some(hyper::upgrade::on(request));
        let mut response = Response::new(sent(Body::empty()));
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        *response.headers_mut() = headers;
        Ok(response)
    }

    /// Answers one request.
    pub(crate) async fn handle(
        &self,
        peer: &Peer,
        boot: &BootHttp,
        request: Request<Incoming>,
    ) -> Response<Sent> {
        let request = match self.work.handle(peer.host, request).await {
            Ok(response) => return response,
            Err(another) => another,
        };
        if !request.uri().path().starts_with("/host/") {
            return boot.handle(request, peer.from).await.map(sent);
        }
        let answer = if request.uri().path() == TUNNEL && request.method() == Method::GET {
            match self.begin_tunnel(peer, request).await {
                Ok(switching) => return switching,
                Err(refusal) => Err(refusal),
            }
        } else {
            self.route(peer, request).await
        };
        text(answer.unwrap_or_else(|refusal| refusal))
    }

    async fn route(&self, peer: &Peer, request: Request<Incoming>) -> Result<Answer, Answer> {
        if request.method() != Method::POST {
            return Err(refuse(StatusCode::METHOD_NOT_ALLOWED, "only POST is known here"));
        }
        let path = request.uri().path().to_owned();
        let token = bearer(&request);
        match path.as_str() {
            "/host/v1/hello" => reply(&peer.exchange.hello(read(request).await?).await),
            "/host/v1/evidence" => reply(&peer.exchange.evidence(read(request).await?).await),
            "/host/v1/report" => {
                match self.gateway.report(token.as_deref().unwrap_or(""), read(request).await?).await {
                    Ok(answer) => reply(&answer),
                    Err(error) => Err(failed(&error)),
                }
            }
            "/host/v1/wiped" => match self.attestation.wiped(read(request).await?).await {
                Ok(answer) => reply(&answer),
                Err(error) => Err(busy(&error)),
            },
            "/host/v1/trouble" => {
                self.gateway.trouble(&read(request).await?);
                Ok((StatusCode::NO_CONTENT, Bytes::new()))
            }
            "/host/v1/heartbeat" => {
                let host = peer.host.ok_or_else(no_certificate)?;
                let beat = read(request).await?;
                self.gateway.heartbeat(host, &beat).await.map_or_else(|e| Err(failed(&e)), |a| reply(&a))
            }
            "/host/v1/inventory" => {
                let host = peer.host.ok_or_else(no_certificate)?;
                let inventory = read(request).await?;
                let noted = self.gateway.inventory(host, inventory).await;
                noted.map_or_else(|e| Err(failed(&e)), |()| Ok((StatusCode::NO_CONTENT, Bytes::new())))
            }
            _ => Err(refuse(StatusCode::NOT_FOUND, "no such path")),
        }
    }
}

/// Status and JSON.
pub(crate) type Answer = (StatusCode, Bytes);

/// The body of an answer: JSON, or a file.
pub(crate) type Sent = UnsyncBoxBody<Bytes, io::Error>;

fn sent(body: Body) -> Sent {
    body.boxed_unsync()
}

/// As a response.
pub(crate) fn text((status, body): Answer) -> Response<Sent> {
    let mut response = Response::new(sent(Body::text(body)));
    *response.status_mut() = status;
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, json);
    response
}

async fn read<T: DeserializeOwned>(request: Request<Incoming>) -> Result<T, Answer> {
    read_up_to(request, MAX_BODY).await
}

/// A body of so many bytes at most.
pub(crate) async fn read_up_to<T: DeserializeOwned>(
    request: Request<Incoming>,
    most: usize,
) -> Result<T, Answer> {
    let too_large = || format!("the body is larger than {} KiB or broke off", most >> 10);
    let body = Limited::new(request.into_body(), most).collect();
    let body = tokio::time::timeout(BODY_DEADLINE, body)
        .await
        .map_err(|_| refuse(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in 30 s"))?
        .map_err(|_| refuse(StatusCode::PAYLOAD_TOO_LARGE, &too_large()))?;
    serde_json::from_slice(&body.to_bytes())
        .map_err(|e| refuse(StatusCode::BAD_REQUEST, &format!("the body is not understood: {e}")))
}

/// For the other paths too.
pub(crate) fn reply<T: Serialize>(value: &T) -> Result<Answer, Answer> {
    let json =
        serde_json::to_vec(value).map_err(|e| refuse(StatusCode::INTERNAL_SERVER_ERROR, &e.to_string()))?;
    Ok((StatusCode::OK, json.into()))
}

/// For the other paths too.
pub(crate) fn refuse(status: StatusCode, why: &str) -> Answer {
    (status, serde_json::json!({ "why": why }).to_string().into())
}

/// For the other paths too.
pub(crate) fn no_certificate() -> Answer {
    refuse(StatusCode::FORBIDDEN, "this needs the certificate of a running host")
}

fn failed(error: &GatewayError) -> Answer {
    match error {
        GatewayError::Forbidden(_) => refuse(StatusCode::FORBIDDEN, &error.to_string()),
        GatewayError::Read(_) | GatewayError::Report(_) => busy(error),
    }
}

/// For the other paths too.
pub(crate) fn busy(error: &(dyn std::error::Error + 'static)) -> Answer {
    tracing::error!(error, "a host's call failed");
    refuse(StatusCode::SERVICE_UNAVAILABLE, "the provisioner cannot do this now; try again")
}

fn bearer(request: &Request<Incoming>) -> Option<String> {
    let value = request.headers().get(http::header::AUTHORIZATION)?.to_str().ok()?;
    value.strip_prefix("Bearer ").map(str::to_owned)
}
