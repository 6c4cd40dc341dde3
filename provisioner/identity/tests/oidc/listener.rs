//! An issuer's discovery over HTTP or TLS, as far as tests need it to be wrong.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::PrivateKeyDer;

/// A CA and a certificate of it for 127.0.0.1.
pub(crate) struct Tls {
    pub(crate) ca_pem: String,
    config: Arc<ServerConfig>,
}

impl Tls {
    pub(crate) fn new() -> Self {
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = config.with_no_client_auth().with_single_cert(vec![leaf.der().clone()], key).unwrap();
        Self { ca_pem: ca.pem(), config: Arc::new(config) }
    }
}

/// Answers `/.well-known/openid-configuration` with what it was given and all else with no keys; stops when dropped.
pub(crate) struct Issuer {
    pub(crate) address: String,
    at: SocketAddr,
    questions: Arc<AtomicU32>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Issuer {
    pub(crate) fn start(tls: Option<&Tls>, document: impl FnOnce(&str) -> String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let address = format!("{}://{at}", if tls.is_some() { "https" } else { "http" });
        let (questions, stop) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
        let served = Served {
            document: document(&address),
            tls: tls.map(|t| Arc::clone(&t.config)),
            questions: Arc::clone(&questions),
        };
        let ended = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                // A client that does not trust us breaks off.
                let _ = served.answer(stream);
            }
        });
        Self { address, at, questions, stop, thread: Some(thread) }
    }

    /// How often it was asked about itself.
    pub(crate) fn questions(&self) -> u32 {
        self.questions.load(Ordering::SeqCst)
    }

    pub(crate) fn stop(mut self) -> Self {
        self.end();
        self
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.at);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.end();
    }
}

struct Served {
    document: String,
    tls: Option<Arc<ServerConfig>>,
    questions: Arc<AtomicU32>,
}

impl Served {
    fn answer(&self, tcp: TcpStream) -> std::io::Result<()> {
        match &self.tls {
            None => self.exchange(tcp),
            Some(config) => {
                let session = ServerConnection::new(Arc::clone(config)).map_err(std::io::Error::other)?;
                self.exchange(StreamOwned::new(session, tcp))
            }
        }
    }

    fn exchange(&self, mut stream: impl Read + Write) -> std::io::Result<()> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.extend_from_slice(&byte);
        }
        let body = if head.starts_with(b"GET /.well-known/openid-configuration ") {
            self.questions.fetch_add(1, Ordering::SeqCst);
            self.document.as_str()
        } else {
            "{\"keys\": []}"
        };
        write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )?;
        stream.flush()
    }
}

/// A whole discovery document of the issuer at `address`, with `more` fields.
pub(crate) fn document(address: &str, more: &str) -> String {
    format!(
        "{{{more} \"issuer\": {address:?}, \"authorization_endpoint\": \"{address}/authorization\",
        \"token_endpoint\": \"{address}/token\", \"userinfo_endpoint\": \"{address}/userinfo\",
        \"device_authorization_endpoint\": \"{address}/device_authorization\", \"jwks_uri\": \"{address}/jwks\",
        \"response_types_supported\": [\"code\"], \"subject_types_supported\": [\"public\"],
        \"id_token_signing_alg_values_supported\": [\"RS256\"]}}"
    )
}
