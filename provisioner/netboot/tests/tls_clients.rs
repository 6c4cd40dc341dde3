//! The recorded ClientHellos of real firmware, and real handshakes with OpenSSL as firmware without curves.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use cairn_netboot::http::BootHttp;
use cairn_netboot::tls::{Audience, ConfigError, Curves, Dhe, classify, firmware_config};
use cairn_netboot::*;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::Acceptor;
use rustls::{CipherSuite, ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use support::{installer, parts};
use tokio::net::TcpListener;
use tokio_rustls::LazyConfigAcceptor;

const HAS: Audience = Audience::Firmware { curves: Curves::Has };
const NONE: Audience = Audience::Firmware { curves: Curves::None };

const HELLOS: [(&str, &[u8], Audience, CipherSuite); 6] = [
    (
        "iPXE 1.21.1",
        include_bytes!("data/hello/ipxe-1.21.1.hello.bin"),
        HAS,
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "iPXE 2.0.0",
        include_bytes!("data/hello/ipxe-2.0.0.hello.bin"),
        HAS,
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "iPXE 2.0.0 BIOS",
        include_bytes!("data/hello/ipxe-2.0.0-bios.hello.bin"),
        HAS,
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "OVMF 2022.11",
        include_bytes!("data/hello/ovmf-2022.11-https-dhe.hello.bin"),
        NONE,
        CipherSuite::TLS_DHE_RSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "OVMF 2025.02",
        include_bytes!("data/hello/ovmf-2025.02-https-dhe.hello.bin"),
        NONE,
        CipherSuite::TLS_DHE_RSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "OVMF 2026.08",
        include_bytes!("data/hello/ovmf-2026.08-https-rustls.hello.bin"),
        HAS,
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    ),
];

/// A key and certificate by OpenSSL, or `None` (said aloud) without it: ring cannot make RSA keys.
fn identity(
    folder: &Path,
    algorithm: &str,
) -> Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let (key, cert) = (folder.join("key.pem"), folder.join("cert.pem"));
    let ran = Command::new("openssl")
        .args(["req", "-x509", "-nodes", "-days", "30", "-subj", "/CN=127.0.0.1", "-newkey", algorithm])
        .args([
            "-pkeyopt",
            if algorithm == "ec" { "ec_paramgen_curve:P-256" } else { "rsa_keygen_bits:3072" },
        ])
        .args(["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"])
        .args(["-keyout".as_ref(), key.as_os_str(), "-out".as_ref(), cert.as_os_str()])
        .output();
    match ran {
        Err(error) => {
            eprintln!("SKIPPED: no openssl: {error}");
            None
        }
        Ok(ran) => {
            assert!(ran.status.success(), "{ran:?}");
            let chain = CertificateDer::pem_file_iter(cert).unwrap().map(Result::unwrap).collect();
            Some((chain, PrivateKeyDer::from_pem_file(key).unwrap()))
        }
    }
}

fn configs(folder: &Path) -> Option<(Arc<ServerConfig>, Arc<ServerConfig>)> {
    let (chain, key) = identity(folder, "rsa")?;
    let ecdhe = firmware_config(chain.clone(), key.clone_key(), Dhe::Without).unwrap();
    let dhe = firmware_config(chain, key, Dhe::Only).unwrap();
    Some((Arc::new(ecdhe), Arc::new(dhe)))
}

fn accept(mut bytes: &[u8]) -> rustls::server::Accepted {
    let mut acceptor = Acceptor::default();
    acceptor.read_tls(&mut bytes).unwrap();
    acceptor.accept().map_err(|(error, _)| error).unwrap().expect("a whole ClientHello")
}

#[test]
fn recorded_firmware_is_told_apart() {
    for (name, hello, audience, _) in HELLOS {
        assert_eq!(classify(&accept(hello).client_hello()), audience, "{name}");
    }
}

/// The first flight is made and signed for each: suite, group and signature scheme are agreed.
#[test]
fn each_recorded_firmware_is_answered_with_a_suite_it_knows() {
    let folder = tempfile::tempdir().unwrap();
    let Some((ecdhe, dhe)) = configs(folder.path()) else { return };
    for (name, hello, audience, suite) in HELLOS {
        let accepted = accept(hello);
        let config = if audience == NONE { &dhe } else { &ecdhe };
        let mut connection: ServerConnection =
            accepted.into_connection(Arc::clone(config)).map_err(|(error, _)| error).expect(name);
        assert_eq!(connection.negotiated_cipher_suite().unwrap().suite(), suite, "{name}");
        let mut flight = Vec::new();
        connection.write_tls(&mut flight).unwrap();
        assert_eq!(flight[0], 22, "{name}: a handshake record, not an alert");
    }
}

#[test]
fn hosts_and_people_are_told_apart_from_firmware() {
    let hello = |alpn: &[&[u8]]| {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        let name = ServerName::try_from("localhost").unwrap();
        let mut bytes = Vec::new();
        ClientConnection::new(Arc::new(config), name).unwrap().write_tls(&mut bytes).unwrap();
        classify(&accept(&bytes).client_hello())
    };
    assert_eq!(hello(&[cairn_contract::ALPN_HOST]), Audience::Host);
    assert_eq!(hello(&[b"h2", b"http/1.1"]), Audience::People);
    assert_eq!(hello(&[]), Audience::People, "a tool without ALPN, by its TLS 1.3");
}

#[test]
fn a_key_that_firmware_cannot_verify_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let Some((chain, key)) = identity(folder.path(), "ec") else { return };
    assert!(matches!(firmware_config(chain, key, Dhe::Without), Err(ConfigError::NotRsa(_))));
}

/// Serves one connection as the server crate will: classify, choose, handshake, HTTP.
async fn serve_one(
    listener: &TcpListener,
    configs: &(Arc<ServerConfig>, Arc<ServerConfig>),
    handler: BootHttp,
) -> Audience {
    let (stream, peer) = listener.accept().await.unwrap();
    let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await.unwrap();
    let audience = classify(&start.client_hello());
    let config = if audience == NONE { &configs.1 } else { &configs.0 };
    let stream = start.into_stream(Arc::clone(config)).await.unwrap();
    let service = service_fn(|request| {
        let handler = handler.clone();
        async move { Ok::<_, std::convert::Infallible>(handler.handle(request, peer).await) }
    });
    // s_client may close without close_notify; what counts is what it received.
    let _ended =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    audience
}

fn s_client(addr: SocketAddr, ca: &Path, args: &[&str]) -> String {
    let mut child = Command::new("openssl")
        .args(["s_client", "-connect", &addr.to_string(), "-verify_return_error", "-ign_eof", "-CAfile"])
        .arg(ca)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"GET /boot/boot.ipxe HTTP/1.0\r\n\r\n").unwrap();
    let ran = child.wait_with_output().unwrap();
    String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openssl_without_curves_boots_over_dhe_rsa() {
    let folder = tempfile::tempdir().unwrap();
    let Some(configs) = configs(folder.path()) else { return };
    let (parts, events) = parts(Site::plain([127, 0, 0, 1].into()), installer);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    for (args, audience, words) in [
        (&["-tls1_2", "-cipher", "DHE-RSA-AES256-GCM-SHA384"][..], NONE, "DHE-RSA-AES256-GCM-SHA384"),
        (&["-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256"][..], NONE, "DHE-RSA-AES128-GCM-SHA256"),
        (&["-tls1_2"][..], HAS, "ECDHE-RSA-AES256-GCM-SHA384"),
        (&["-tls1_3"][..], Audience::People, "TLS_AES_256_GCM_SHA384"),
    ] {
        let ca = folder.path().join("cert.pem");
        let client = tokio::task::spawn_blocking(move || s_client(addr, &ca, args));
        let seen = serve_one(&listener, &configs, BootHttp::new(parts.clone())).await;
        let said = client.await.unwrap();
        assert_eq!(seen, audience, "{args:?}");
        assert!(said.contains(words), "{args:?}: {said}");
        assert!(said.contains("Verify return code: 0 (ok)"), "{said}");
        assert!(said.contains("kernel installer.efi"), "{said}");
        if audience == NONE {
            assert!(said.contains("Temp Key: DH, 2048 bits"), "{said}");
        }
    }
    events.wait_for("iPXE got boot.ipxe").await;
}
