//! The floor: a server that sends the same bytes without doing anything, over the same TLS and HTTP, asked by the same
//! client. What a list takes beyond it is the product's.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{Method, Response};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::figure::Times;
use crate::http::Dialer;

/// How long so many answers of `body` take, each.
pub(crate) async fn measure(body: Bytes, requests: usize) -> Result<Times> {
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(vec![Ipv4Addr::LOCALHOST.to_string()])?.self_signed(&key)?;
    let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![certificate.der().clone()], private)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let at = listener.local_addr()?;
    let mut server = JoinSet::new();
    server.spawn(serve(listener, Arc::new(config), body));
    let folder = tempfile::tempdir()?;
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, certificate.pem())?;
    let mut client = Dialer::new(at, &ca, &[])?.http1(Ipv4Addr::LOCALHOST).await?;
    let mut times = Vec::with_capacity(requests);
    for _ in 0..requests {
        let since = Instant::now();
        client.send(Method::GET, "/", Bytes::new()).await.context("the floor gave way")?;
        times.push(since.elapsed());
    }
    Ok(Times::new(times))
}

async fn serve(listener: TcpListener, config: Arc<ServerConfig>, body: Bytes) {
    let acceptor = TlsAcceptor::from(config);
    while let Ok((tcp, _)) = listener.accept().await {
        let _ = tcp.set_nodelay(true);
        let Ok(tls) = acceptor.accept(tcp).await else { continue };
        let answer = service_fn(|_| {
            let body = body.clone();
            async move { Ok::<_, std::convert::Infallible>(Response::new(Full::new(body))) }
        });
        // One client, one connection at a time.
        let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(tls), answer).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_floor_answers_over_tls() {
        drop(rustls::crypto::ring::default_provider().install_default());
        let times = measure(Bytes::from_static(b"x"), 5).await.unwrap();
        assert!(times.percentile(50) > 0.0);
    }
}
