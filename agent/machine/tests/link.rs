//! The link against a real TLS server: who is believed, what both ends export, how deadlines and refusals show.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod rig;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use cairn_contract::{ALPN_HOST, SERVER_NAME, Timestamp};
use cairn_machine::clock;
use cairn_machine::link::{Identity, Link, LinkError, Protocol, Trust};
use cairn_machine::tpm::TpmSigningKey;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

const LIMIT: Duration = Duration::from_secs(10);

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A server of that authority; answers each request with the exporter and the number of client certificates.
struct Server {
    address: SocketAddr,
    _task: JoinSet<()>,
}

impl Server {
    async fn start(ca: &Authority) -> Self {
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec![SERVER_NAME.into()]).unwrap().signed_by(&key, ca).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(ca.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
        let verifier = verifier.allow_unauthenticated().build().unwrap();
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                connections.spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let session = stream.get_ref().1;
                    let exporter =
                        session.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", None).unwrap();
                    let certificates = session.peer_certificates().map_or(0, <[_]>::len);
                    let service = service_fn(move |request| answer(request, exporter, certificates));
                    let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, _task: task }
    }
}

async fn answer(
    request: http::Request<Incoming>,
    exporter: [u8; 32],
    certificates: usize,
) -> Result<http::Response<Full<bytes::Bytes>>, std::convert::Infallible> {
    let version = format!("{:?}", request.version());
    let bearer = request.headers().get("authorization").map(|v| v.to_str().unwrap().to_owned());
    let (status, body) = match request.uri().path() {
        "/slow" => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            (200, String::new())
        }
        "/no" => (403, "not you\n".to_owned()),
        "/nothing" => (204, String::new()),
        "/huge" => (200, format!("\"{}\"", "x".repeat(cairn_contract::MAX_BODY))),
        _ => (200, serde_json::to_string(&(exporter.to_vec(), certificates, version, bearer)).unwrap()),
    };
    let response = http::Response::builder().status(status).header("date", "Thu, 29 Feb 2024 12:00:00 GMT");
    Ok(response.body(Full::from(body)).unwrap())
}

type Seen = (Vec<u8>, usize, String, Option<String>);

#[tokio::test]
async fn both_ends_export_the_same_and_both_protocols_work() {
    let ca = authority();
    let server = Server::start(&ca).await;
    let trust = Trust::new(ca.der(), Timestamp(0), None).unwrap();
    for (protocol, name) in [(Protocol::Http1, "HTTP/1.1"), (Protocol::Http2, "HTTP/2.0")] {
        let mut link = Link::connect(server.address, &trust, protocol, LIMIT).await.unwrap();
        let seen: Seen = link.post_json("/", &1, Some("secret"), LIMIT).await.unwrap();
        assert_eq!(seen, (link.exporter().unwrap().to_vec(), 0, name.into(), Some("Bearer secret".into())));
        assert_eq!(link.server_time().map(Timestamp::seconds), Some(1_709_208_000));
        let () = link.post_json("/nothing", &1, None, LIMIT).await.unwrap();
    }
    assert_eq!(ALPN_HOST, b"cairn-host/1");
}

#[tokio::test]
async fn another_site_s_server_is_not_spoken_to() {
    let (ca, other) = (authority(), authority());
    let server = Server::start(&other).await;
    let trust = Trust::new(ca.der(), Timestamp(0), None).unwrap();
    let refused = Link::connect(server.address, &trust, Protocol::Http1, LIMIT).await;
    assert!(matches!(refused, Err(LinkError::Tls { .. })), "{refused:?}");
}

#[tokio::test]
async fn certificates_are_judged_at_the_later_of_clock_and_floor() {
    let ca = authority();
    let server = Server::start(&ca).await;
    // rcgen's certificates end in the year 4096.
    let far = Trust::new(ca.der(), Timestamp(70_000_000_000_000), None).unwrap();
    let refused = Link::connect(server.address, &far, Protocol::Http1, LIMIT).await;
    assert!(matches!(refused, Err(LinkError::Tls { .. })), "{refused:?}");
    assert!(clock::now().0 < 70_000_000_000_000);
}

#[tokio::test]
async fn refusals_deadlines_and_floods_are_told_apart() {
    let ca = authority();
    let server = Server::start(&ca).await;
    let trust = Trust::new(ca.der(), Timestamp(0), None).unwrap();
    let mut link = Link::connect(server.address, &trust, Protocol::Http1, LIMIT).await.unwrap();
    let no = link.post_json::<_, ()>("/no", &1, None, LIMIT).await;
    assert!(
        matches!(&no, Err(LinkError::Status { status, text, .. }) if *status == 403 && text == "not you")
    );
    let wrong = link.post_json::<_, u8>("/", &1, None, LIMIT).await;
    assert!(matches!(wrong, Err(LinkError::Json(_))), "{wrong:?}");
    let huge = link.post_json::<_, String>("/huge", &1, None, LIMIT).await;
    assert!(matches!(huge, Err(LinkError::Long { .. })), "{huge:?}");
    let mut link = Link::connect(server.address, &trust, Protocol::Http1, LIMIT).await.unwrap();
    let slow = link.post_json::<_, ()>("/slow", &1, None, Duration::from_millis(100)).await;
    assert!(matches!(slow, Err(LinkError::Slow { .. })), "{slow:?}");
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let none = Link::connect(gone, &trust, Protocol::Http1, LIMIT).await;
    assert!(matches!(none, Err(LinkError::Unreachable { .. })), "{none:?}");
}

#[tokio::test]
async fn a_key_in_the_tpm_authenticates_this_host() {
    let Some(state) = rig::State::with_certificates("link") else { return };
    let swtpm = rig::Swtpm::start(&state);
    let key = Arc::new(swtpm.tpm().create_tls_key().unwrap());
    let ca = authority();
    let public = rcgen::SubjectPublicKeyInfo::from_der(&key.spki().unwrap()).unwrap();
    let params = CertificateParams::new(vec!["host.cairn.internal".into()]).unwrap();
    let chain = vec![CertificateDer::from(params.signed_by(&public, &ca).unwrap().der().to_vec())];
    let identity = Identity { chain, key: Arc::new(TpmSigningKey::new(key)) };
    let server = Server::start(&ca).await;
    let trust = Trust::new(ca.der(), Timestamp(0), Some(identity)).unwrap();
    let mut link = Link::connect(server.address, &trust, Protocol::Http2, LIMIT).await.unwrap();
    let seen: Seen = link.post_json("/", &1, None, LIMIT).await.unwrap();
    assert_eq!(seen.1, 1, "the server saw no client certificate");
}
