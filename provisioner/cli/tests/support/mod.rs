//! A real server over TLS on loopback: the operator's router with a real store, catalog and driver; and a person at it, with
//! folders for what the commands read and write.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod tls;

use std::{
    io::{self, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use cairn_cli::{Cli, ClientFile, Context, Environment};
use cairn_contract::Digest;
use cairn_domain::{Effect, policies::Defaults};
use cairn_driver::{Driver, Execute, ExecuteError};
use cairn_operator::{
    Added, AuthSettings, BundleKind, Chunks, Limits, Services, SessionLimits, UploadError, Uploads,
};
use cairn_store::{Catalog, DataKey, Store, SystemClock};
use clap::Parser as _;
use futures_util::{StreamExt as _, future::BoxFuture};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";

pub(crate) struct Site {
    pub(crate) addr: SocketAddr,
    /// PEM.
    pub(crate) ca: String,
    /// SHA-256 of the CA, hexadecimal.
    pub(crate) ca_sha256: String,
    pub(crate) store: Store,
    /// The server's data folder.
    pub(crate) dir: tempfile::TempDir,
    _tasks: JoinSet<()>,
}

/// There are no connections to end in these tests.
#[derive(Debug)]
struct NoHosts;

impl Execute for NoHosts {
    fn execute(&self, _: Effect) -> BoxFuture<'_, Result<(), ExecuteError>> {
        Box::pin(async { Ok(()) })
    }
}

/// Reads a bundle to its end and tells its digest: keeping it is not these tests' matter.
struct Reader;

impl Uploads for Reader {
    fn add(&self, mut chunks: Chunks) -> BoxFuture<'_, Result<Added, UploadError>> {
        Box::pin(async move {
            let mut all = Vec::new();
            while let Some(chunk) = chunks.next().await {
                all.extend_from_slice(&chunk.map_err(UploadError::Broken)?);
            }
            if !all.starts_with(b"bundle") {
                return Err(UploadError::Malformed("it does not begin with its mark".into()));
            }
            let (name, size) = ("tiny".to_owned(), all.len() as u64);
            Ok(Added { kind: BundleKind::Image, name, version: "1".into(), size, sha256: Digest::of(&all) })
        })
    }
}

pub(crate) async fn site() -> Site {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (listener, ca, ca_sha256) = tls::Tls::new(listener);
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap().with_data_key(DataKey::new([7; 32].into()));
    let catalog = Catalog::load(store.clone()).await.unwrap();
    let (clock, defaults) = (Arc::new(SystemClock), Arc::new(Defaults::default()));
    let shared = (store.clone(), catalog.clone());
    let driver = Arc::new(Driver::new(shared, defaults.clone(), clock.clone(), Arc::new(NoHosts)));
    let router = cairn_operator::router(Services {
        store: store.clone(),
        catalog: catalog.clone(),
        reporter: driver.clone(),
        uploads: Arc::new(Reader),
        auth: AuthSettings {
            local_token: Some(Digest::of(TOKEN.as_bytes()).0),
            data: dir.path().to_owned(),
            sessions: SessionLimits::default(),
            oidc: None,
            clock,
        },
        defaults,
        limits: Limits::default(),
    });
    let peer = axum::extract::ConnectInfo(SocketAddr::from(([192, 0, 2, 7], 1)));
    let router = router.layer(axum::Extension(peer));
    let mut tasks = JoinSet::new();
    let (followed, following) = (store.clone(), catalog);
    tasks.spawn(async move { followed.follow(CancellationToken::new()).await });
    tasks.spawn(async move { following.follow(CancellationToken::new()).await });
    tasks.spawn(async move { driver.run(CancellationToken::new()).await });
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    Site { addr, ca, ca_sha256, store, dir, _tasks: tasks }
}

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Buffer {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// What one command said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: u8,
}

impl Said {
    /// It went well; gives its output.
    #[track_caller]
    pub(crate) fn good(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (0, ""), "{}", self.out);
        self.out
    }

    /// It ended with `code`; gives its errors.
    #[track_caller]
    pub(crate) fn bad(self, code: u8) -> String {
        assert_eq!(self.code, code, "{} {}", self.out, self.err);
        self.err
    }

    /// It went well and printed JSON.
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        serde_json::from_str(&self.good()).unwrap()
    }
}

/// A person with a folder: `client.json` with the operator token, config.yaml, and files.
pub(crate) struct Desk {
    pub(crate) site: Site,
    pub(crate) data: tempfile::TempDir,
}

pub(crate) async fn desk() -> Desk {
    let site = site().await;
    let data = tempfile::tempdir().unwrap();
    let file = ClientFile {
        url: format!("https://{}", site.addr),
        ca: site.ca.clone(),
        server_name: "localhost".into(),
        token: TOKEN.into(),
    };
    file.save(data.path()).unwrap();
    Desk { site, data }
}

impl Desk {
    /// With the operator token; words are parted by spaces.
    pub(crate) async fn run(&self, line: &str) -> Said {
        let data = self.data.path().to_str().unwrap();
        let words = ["cairn", "--data", data].into_iter().chain(line.split_whitespace());
        run(words, Environment::default(), "").await
    }

    /// From config.yaml, with what is typed at passwords.
    pub(crate) async fn logged_in(&self, line: &str, typed: &str) -> Said {
        let words = ["cairn"].into_iter().chain(line.split_whitespace());
        run(words, self.environment(), typed).await
    }

    pub(crate) fn environment(&self) -> Environment {
        Environment::with_config(self.data.path().join("config.yaml"))
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut ClientFile)) {
        let mut file = ClientFile::load(self.data.path()).unwrap();
        change(&mut file);
        file.save(self.data.path()).unwrap();
    }

    /// Writes a file beside client.json.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.data.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// An organisation `acme` with a project `retail`, regions `eu` and in it `berlin`, sites `north` there and `south`.
    pub(crate) async fn tree(&self) {
        let head = "apiVersion: cairn/v1\nkind: ";
        let node = |kind: &str, name: &str, namespace: &str, spec: &str| {
            format!("{head}{kind}\nmetadata: {{name: {name}, namespace: '{namespace}'}}\nspec: {spec}\n---\n")
        };
        let text = [
            node("Organisation", "acme", "", "{}"),
            node("Project", "retail", "acme", "{}"),
            node("Region", "eu", "retail.acme", "{}"),
            node("Region", "berlin", "retail.acme", "{parent: eu}"),
            node("Site", "north", "retail.acme", "{region: berlin, timezone: Europe/Berlin}"),
            node("Site", "south", "retail.acme", "{region: eu}"),
        ]
        .concat();
        let path = self.write("tree.yaml", &text);
        let said = self.run(&format!("apply -f {}", path.display())).await.good();
        assert_eq!(said.lines().count(), 6, "{said}");
    }
}

/// Any words, in any environment.
pub(crate) async fn run<'a>(
    words: impl IntoIterator<Item = &'a str>,
    environment: Environment,
    typed: &str,
) -> Said {
    let cli = Cli::try_parse_from(words).unwrap();
    let (out, err) = (Buffer::default(), Buffer::default());
    let input = io::Cursor::new(typed.to_owned().into_bytes());
    let cx = Context::to(&cli.globals, Box::new(out.clone()), Box::new(err.clone()));
    let cx = cx.within(environment).reading(Box::new(input));
    let code = cairn_cli::run(cli.command, cx).await.unwrap();
    let code = (0..=255).find(|n| std::process::ExitCode::from(*n) == code).unwrap();
    Said { out: out.text(), err: err.text(), code }
}

/// Words with spaces in them.
pub(crate) async fn run_in(data: &Path, words: &[&str]) -> Said {
    let all = ["cairn", "--data", data.to_str().unwrap()].into_iter().chain(words.iter().copied());
    run(all, Environment::default(), "").await
}

/// Output that a test looks at while a command still runs.
#[derive(Clone, Default)]
pub(crate) struct Tap(Buffer);

impl Tap {
    pub(crate) fn text(&self) -> String {
        self.0.text()
    }

    /// Waits until `word` is there.
    pub(crate) async fn until(&self, word: &str) {
        for _ in 0..500 {
            if self.text().contains(word) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("no {word:?} in {}", self.text());
    }
}

/// Runs a command that does not end by itself.
pub(crate) async fn tapped<'a>(words: impl IntoIterator<Item = &'a str>, tap: &Tap) {
    let cli = Cli::try_parse_from(words).unwrap();
    let cx = Context::to(&cli.globals, Box::new(tap.0.clone()), Box::new(tap.0.clone()));
    cairn_cli::run(cli.command, cx).await.unwrap();
}
