//! A real `cairn` on loopback for tests: a site in a folder, its server as a child process, and a client of its API.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use cairn_cli::ClientFile;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use serde_json::{Value, json};
use tokio::{net::TcpStream, task::JoinSet};
use tokio_rustls::TlsConnector;

/// For a server to be ready, a command to end.
const PATIENCE: Duration = Duration::from_secs(30);
/// What every project of a new site has.
pub(crate) const PROJECT: &str = "default.default";

/// A site's data folder, and its server while one runs.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) dir: PathBuf,
    pub(crate) port: u16,
    server: Option<Child>,
}

/// `cairn` with these words. The kernel ends it with the thread that starts it.
pub(crate) fn command(words: &[&str]) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", env!("CARGO_BIN_EXE_cairn")]).args(words);
    command.env_remove("CAIRN_DATA").env("HOME", "/nonexistent").stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub(crate) fn run(words: &[&str]) -> Output {
    command(words).output().unwrap()
}

/// Runs it; what it printed.
#[track_caller]
pub(crate) fn done(words: &[&str]) -> String {
    let output = run(words);
    let said = said(&output);
    assert!(output.status.success(), "cairn {}: {said}", words.join(" "));
    said
}

/// Runs it; it must fail. What it printed.
#[track_caller]
pub(crate) fn refused(words: &[&str]) -> String {
    let output = run(words);
    let said = said(&output);
    assert!(!output.status.success(), "cairn {} went well: {said}", words.join(" "));
    said
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), output.stderr.as_slice()].concat()).into_owned()
}

pub(crate) fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

impl Site {
    /// `cairn init`, and settings before all others.
    pub(crate) fn init(dir: PathBuf, settings: &str) -> Self {
        done(&["init", "--data", path(&dir), "--site", "shop", "--address", "127.0.0.1"]);
        let mut site = Self { dir, port: 0, server: None };
        site.settle(settings);
        site
    }

    /// A data folder that is there already, on a port of its own.
    pub(crate) fn at(dir: PathBuf) -> Self {
        let mut site = Self { dir, port: 0, server: None };
        site.settle("");
        site
    }

    /// Puts it on a free port of loopback, without other services.
    fn settle(&mut self, settings: &str) {
        self.port = free_port();
        let file = self.dir.join("cairn.toml");
        let text = fs::read_to_string(&file).unwrap();
        let text = text.split("\n[listen]").next().unwrap();
        let listen = format!(
            "\n[listen]\naddress = \"127.0.0.1\"\ntls = {}\nhttp = 0\ntftp = 0\nboot = \"https\"\n",
            self.port
        );
        fs::write(&file, format!("{settings}{text}{listen}")).unwrap();
        let mut client = ClientFile::load(&self.dir).unwrap();
        client.url = format!("https://127.0.0.1:{}", self.port);
        client.save(&self.dir).unwrap();
    }

    /// Starts the server and waits until it listens.
    pub(crate) fn serve(&mut self) {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log_file()).unwrap();
        let mut command = command(&["serve", "--data", path(&self.dir)]);
        let mut child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let since = Instant::now();
        while std::net::TcpStream::connect(self.address()).is_err() {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none() && since.elapsed() < PATIENCE, "not ready: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
        self.server = Some(child);
    }

    /// As a power cut would, but for the disk.
    pub(crate) fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().unwrap();
            server.wait().unwrap();
        }
    }

    /// As systemd would.
    pub(crate) fn stop(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        let pid = nix::unistd::Pid::from_raw(i32::try_from(server.id()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        assert!(server.wait().unwrap().success(), "{}", self.log());
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.server.as_mut().is_some_and(|server| server.try_wait().unwrap().is_none())
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// Beside the folder: a full disk must not take the log away.
    fn log_file(&self) -> PathBuf {
        std::env::temp_dir().join(format!("cairn-test-{}-{}.log", std::process::id(), self.port))
    }

    /// Runs `cairn` on this site.
    #[track_caller]
    pub(crate) fn cairn(&self, words: &[&str]) -> String {
        done(&[&["--data", path(&self.dir)], words].concat())
    }

    pub(crate) fn client(&self) -> Client {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut roots = RootCertStore::empty();
        let client = ClientFile::load(&self.dir).unwrap();
        roots.add(CertificateDer::from_pem_slice(client.ca.as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Client { config: Arc::new(config), at: self.address(), token: client.token.clone(), open: None }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.kill();
        drop(fs::remove_file(self.log_file()));
    }
}

/// One connection, opened again when it broke.
pub(crate) struct Client {
    config: Arc<ClientConfig>,
    at: SocketAddr,
    token: String,
    open: Option<(SendRequest<Full<Bytes>>, JoinSet<()>)>,
}

/// An answer, or that none came.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    Came { status: StatusCode, retry_after: Option<String>, body: Value },
    None,
}

impl Answer {
    pub(crate) fn is_success(&self) -> bool {
        matches!(self, Self::Came { status, .. } if status.is_success())
    }

    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::Came { status, .. } => status.as_u16(),
            Self::None => 0,
        }
    }

    #[track_caller]
    pub(crate) fn json(self) -> Value {
        match self {
            Self::Came { status, body, .. } if status.is_success() => body,
            other => panic!("{other:?}"),
        }
    }
}

impl Client {
    /// On a connection of its own.
    pub(crate) fn again(&self) -> Self {
        Self { config: Arc::clone(&self.config), at: self.at, token: self.token.clone(), open: None }
    }

    pub(crate) fn with_token(mut self, token: &str) -> Self {
        token.clone_into(&mut self.token);
        self
    }

    async fn dial(&self) -> Option<(SendRequest<Full<Bytes>>, JoinSet<()>)> {
        let tcp = TcpStream::connect(self.at).await.ok()?;
        tcp.set_nodelay(true).ok()?;
        let tls = TlsConnector::from(Arc::clone(&self.config));
        let tls = tls.connect(ServerName::from(self.at.ip()), tcp).await.ok()?;
        let (sender, connection) = http1::handshake(TokioIo::new(tls)).await.ok()?;
        let mut driver = JoinSet::new();
        driver.spawn(async move { drop(connection.await) });
        Some((sender, driver))
    }

    fn request(&self, method: &Method, path: &str, body: Option<&Value>) -> Request<Full<Bytes>> {
        let kind = if *method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
        let mut request = Request::builder().method(method).uri(path);
        request = request.header(header::HOST, self.at.to_string());
        request = request.header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        request.body(Full::from(body.map(Value::to_string).unwrap_or_default())).unwrap()
    }

    pub(crate) async fn send(&mut self, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.try_send(&method, path, body.as_ref()).await.unwrap_or(Answer::None)
    }

    async fn try_send(&mut self, method: &Method, path: &str, body: Option<&Value>) -> Option<Answer> {
        let kept = self.open.take().filter(|(sender, _)| !sender.is_closed());
        let (mut sender, driver) = match kept {
            Some(open) => open,
            None => self.dial().await?,
        };
        sender.ready().await.ok()?;
        let response = sender.send_request(self.request(method, path, body)).await.ok()?;
        let status = response.status();
        let retry_after = response.headers().get(header::RETRY_AFTER);
        let retry_after = retry_after.and_then(|v| v.to_str().ok()).map(str::to_owned);
        let bytes = response.into_body().collect().await.ok()?.to_bytes();
        self.open = Some((sender, driver));
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Some(Answer::Came { status, retry_after, body })
    }

    pub(crate) async fn get(&mut self, path: &str) -> Value {
        self.send(Method::GET, path, None).await.json()
    }

    pub(crate) async fn register(&mut self, name: &str) -> Answer {
        self.send(Method::POST, "/api/v1/hosts", Some(host(name))).await
    }

    pub(crate) async fn label(&mut self, name: &str, key: &str, value: &str) -> Answer {
        let patch = json!({ "metadata": { "labels": { key: value } } });
        self.send(Method::PATCH, &format!("/api/v1/hosts/{name}.{PROJECT}"), Some(patch)).await
    }

    /// All resources of all kinds, by kind and uid.
    pub(crate) async fn everything(&mut self) -> Vec<Value> {
        let mut all = Vec::new();
        for kind in cairn_domain::model::Kind::ALL {
            all.extend(self.all_of(kind.plural()).await);
        }
        all.sort_by_key(|o| (o["kind"].to_string(), o["metadata"]["uid"].to_string()));
        all
    }

    pub(crate) async fn all_of(&mut self, plural: &str) -> Vec<Value> {
        let (mut all, mut next) = (Vec::new(), String::new());
        loop {
            let page = self.get(&format!("/api/v1/{plural}?limit=500{next}")).await;
            all.extend(page["items"].as_array().unwrap().iter().cloned());
            match page["metadata"]["continue"].as_str().filter(|c| !c.is_empty()) {
                Some(cursor) => next = format!("&continue={cursor}"),
                None => return all,
            }
        }
    }

    /// The whole audit log, and that its chain holds.
    pub(crate) async fn audit(&mut self) -> Vec<Value> {
        let chain = self.get("/api/v1/audit/verify").await;
        assert_eq!(chain["ok"], true, "{chain}");
        let (mut all, mut after) = (Vec::new(), 0);
        loop {
            let page = self.get(&format!("/api/v1/audit?limit=500&after={after}")).await;
            let items = page["items"].as_array().unwrap();
            all.extend(items.iter().cloned());
            match page["next"].as_i64().filter(|next| *next > after && !items.is_empty()) {
                Some(next) => after = next,
                None => return all,
            }
        }
    }

    /// The body of an endless answer.
    pub(crate) async fn watch(&mut self, path: &str) -> Watch {
        let (mut sender, driver) = self.dial().await.unwrap();
        let response = sender.send_request(self.request(&Method::GET, path, None)).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        Watch { body: response.into_body(), text: String::new(), _open: (sender, driver) }
    }
}

/// Events as they come.
pub(crate) struct Watch {
    body: hyper::body::Incoming,
    text: String,
    _open: (SendRequest<Full<Bytes>>, JoinSet<()>),
}

impl Watch {
    /// Waits until something with these words came.
    pub(crate) async fn until(&mut self, words: &str) {
        while !self.text.contains(words) {
            let frame = self.body.frame().await.expect("the watch goes on").unwrap();
            self.text.push_str(&String::from_utf8_lossy(frame.data_ref().map_or(&[][..], |d| d)));
        }
    }
}

pub(crate) fn host(name: &str) -> Value {
    json!({
        "apiVersion": "cairn/v1", "kind": "Host", "metadata": { "name": name, "namespace": PROJECT },
        "spec": { "serial": format!("SN-{name}") },
    })
}

pub(crate) fn name(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap().to_owned()
}
