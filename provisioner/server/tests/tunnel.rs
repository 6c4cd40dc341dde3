//! The whole way into a cluster: kubectl, `cairn` over TLS, the tunnel of a real agent, a real API server.
#![allow(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod support;

use std::{
    path::Path,
    process::{Command, Output},
    sync::Arc,
    time::{Duration, Instant},
};

use cairn_agentd::workloads::{self, access::Access};
use cairn_contract::{Digest, HostId, InstallId, Inventory, Mac, Timestamp};
use cairn_domain::{Effect, Event, Fact, HostSpec, Subject, audit::Actor, fact::Claim};
use cairn_driver::{Driver, Execute, ExecuteError};
use cairn_fleet::Gateway;
use cairn_kube_rig::Cluster;
use cairn_machine::link::{Identity, Trust};
use cairn_store::{By, Catalog, Clock as _, NewInstall, Order, Reporter as _, Run, Store, SystemClock};
use cairn_trust::{SiteKeys, ca};
use futures_util::future::BoxFuture;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData as _};
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use support::{Client, PROJECT, Site};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite},
    net::TcpStream,
    sync::watch,
    task::JoinSet,
};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

#[derive(Debug)]
struct NoConnections;

impl Execute for NoConnections {
    fn execute(&self, _: Effect) -> BoxFuture<'_, Result<(), ExecuteError>> {
        Box::pin(async { Ok(()) })
    }
}

/// A running host `edge-1`, put into the tables before the server starts.
async fn running_host(site: &Site) -> HostId {
    let store = Store::open(&site.dir).await.unwrap();
    let catalog = Catalog::load(store.clone()).await.unwrap();
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let (follower, token) = (catalog.clone(), stop.clone());
    tasks.spawn(async move { follower.follow(token).await });
    let parts = (store.clone(), catalog);
    let driver = Arc::new(Driver::new(parts, Arc::default(), Arc::new(SystemClock), Arc::new(NoConnections)));
    let gateway = Gateway::new(store.clone(), driver.clone(), Arc::new(SystemClock));
    let mac = Mac([2, 0, 0, 0, 0, 1]);
    let spec = HostSpec { name: "edge-1".into(), macs: vec![mac], ..HostSpec::default() };
    let by = By { actor: Actor::system("a test"), run: Run::Commit };
    let id = driver.order(Order::Register(Box::new(spec.into())), by).await.unwrap().id;
    let claim = Claim { ek: Digest::of(b"1"), boot_mac: mac, inventory: Inventory::default(), class: None };
    let proven =
        |event| Fact { subject: Subject::Proven(Box::new(claim.clone())), event: Some(event), note: None };
    let install = InstallId(Uuid::new_v4());
    let token = install.to_string();
    let new = NewInstall { token_sha256: Digest::of(token.as_bytes()), image: "tiny".into(), version: 1 };
    driver.report_install(proven(Event::InstallerProven(install)), new).await.unwrap();
    let kind = cairn_contract::report::ReportKind::Finished {
        disk: "vda".into(),
        phases: vec![],
        resumed: 0,
        target: None,
    };
    gateway.report(&token, cairn_contract::Report { install, kind }).await.unwrap();
    driver.report(proven(Event::AgentProven)).await.unwrap();
    stop.cancel();
    while tasks.join_next().await.is_some() {}
    store.close().await;
    id
}

/// What the agent gets by proving itself; its key is a file's, not a TPM's.
fn access(site: &Site, host: HostId) -> Access {
    let keys = SiteKeys::load(&site.dir.join("keys")).unwrap();
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let chain =
        ca::issue_host(&keys.site_ca, "shop", host, &key.subject_public_key_info(), SystemClock.now());
    let der = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let key = rustls::crypto::ring::sign::any_supported_type(&der).unwrap();
    let identity = Identity { chain: chain.unwrap(), key };
    let trust = Trust::new(keys.site_ca.certificate.as_ref(), Timestamp(0), Some(identity)).unwrap();
    Access { server: site.address(), trust, host }
}

/// A site, its one host with a real agent, and a cluster whose API server is real.
struct Chain {
    folder: tempfile::TempDir,
    site: Site,
    client: Client,
    kube: Cluster,
    _tell: watch::Sender<Option<Access>>,
    _agent: JoinSet<()>,
}

async fn chain() -> Chain {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let kube = tokio::task::spawn_blocking(|| Cluster::start().unwrap()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut site = Site::init(folder.path().join("site"), "");
    let host = running_host(&site).await;
    site.serve();
    let mut client = site.client();
    let ca = folder.path().join("ca.crt");
    std::fs::write(&ca, kube.ca_pem()).unwrap();
    let run = json!({"adminKubeconfig": kube.kubeconfig(), "caCertificate": ca});
    let spec = json!({"family": "kubeadm", "version": "1.20.2", "run": run});
    create(&mut client, "Distribution", "plain", spec).await;
    let spec = json!({"version": "1.0.0", "distribution": "plain", "default": true});
    create(&mut client, "ClusterTemplate", "edge", spec).await;
    create(&mut client, "Cluster", "shop", json!({"hosts": ["edge-1"]})).await;
    create(&mut client, "Cluster", "other", json!({"hosts": []})).await;
    let (tell, accesses) = watch::channel(Some(access(&site, host)));
    let config = workloads::Config {
        state: folder.path().join("state"),
        run: folder.path().join("run"),
        registry_port: 0,
        registry_hosts: vec![folder.path().join("certs.d")],
        server: site.address(),
    };
    let mut agent = JoinSet::new();
    agent.spawn(async move { workloads::run(config, accesses).await.unwrap() });
    Chain { folder, site, client, kube, _tell: tell, _agent: agent }
}

async fn create(client: &mut Client, kind: &str, name: &str, spec: Value) {
    let plural = format!("{}s", kind.to_lowercase());
    let body = json!({"apiVersion": "cairn/v1", "kind": kind, "spec": spec,
        "metadata": {"name": name, "namespace": PROJECT}});
    let made = client.send(Method::POST, &format!("/api/v1/{plural}"), Some(body)).await;
    assert!(made.is_success() || name == "other", "{made:?}");
}

impl Chain {
    /// A kubeconfig of whoever `client` is, in a file.
    async fn kubeconfig(&self, client: &mut Client, name: &str) -> std::path::PathBuf {
        let made =
            client.send(Method::POST, &format!("/api/v1/clusters/shop.{PROJECT}/kubeconfig"), None).await;
        assert_eq!(made.status(), 201, "{made:?}");
        let path = self.folder.path().join(name);
        std::fs::write(&path, made.json()["config"].to_string()).unwrap();
        path
    }

    async fn kubectl(&self, kubeconfig: &Path, words: &[&str]) -> Output {
        let mut command = Command::new(self.kube.binaries().program("kubectl").unwrap());
        command.arg("--kubeconfig").arg(kubeconfig).arg("--cache-dir").arg(self.folder.path().join("cache"));
        command.args(words).env("HOME", self.folder.path());
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    /// Waits until the tunnel is dialled and the control plane answers.
    async fn ready(&self, kubeconfig: &Path) {
        let since = Instant::now();
        loop {
            let output = self.kubectl(kubeconfig, &["get", "namespaces", "-o", "name"]).await;
            if output.status.success() {
                assert!(text(&output).contains("namespace/kube-system"), "{}", text(&output));
                return;
            }
            assert!(since.elapsed() < Duration::from_secs(40), "{}\n{}", text(&output), self.site.log());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Opens `path` of the cluster as a WebSocket, with a session's own token.
    async fn socket(&self, path: &str) -> (StatusCode, impl AsyncRead + AsyncWrite + Unpin + use<>) {
        let keys = SiteKeys::load(&self.site.dir.join("keys")).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(keys.site_ca.certificate.clone()).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let tcp = TcpStream::connect(self.site.address()).await.unwrap();
        let name = ServerName::from(self.site.address().ip());
        let tls = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(tls)).await.unwrap();
        let driver = async move { drop(connection.with_upgrades().await) };
        let (headers, key) = cairn_tunnel::upgrade::ask().unwrap();
        let token = cairn_cli::ClientFile::load(&self.site.dir).unwrap().token.clone();
        let mut request = Request::get(format!("/api/v1/clusters/shop.{PROJECT}/proxy{path}"))
            .header(header::HOST, self.site.address().to_string())
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            // The API server wants one; no cookie opens this path, so it says nothing here.
            .header(header::ORIGIN, "https://127.0.0.1")
            .body(Empty::<bytes::Bytes>::new())
            .unwrap();
        request.headers_mut().extend(headers);
        let mut tasks = JoinSet::new();
        tasks.spawn(driver);
        let mut response = sender.send_request(request).await.unwrap();
        let status = response.status();
        if status != StatusCode::SWITCHING_PROTOCOLS {
            let body = response.into_body().collect().await.unwrap().to_bytes();
            panic!("{status}: {body:?}");
        }
        key.check(response.headers()).unwrap();
        let upgraded = hyper::upgrade::on(&mut response).await.unwrap();
        (status, TokioIo::new(upgraded))
    }
}

fn text(output: &Output) -> String {
    support::said(output)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn kubectl_reaches_the_cluster_as_whom_the_person_is_until_the_host_falls() {
    let mut chain = chain().await;
    let mut operator = chain.client.again();
    let admin = chain.kubeconfig(&mut operator, "admin").await;
    chain.ready(&admin).await;

    // Whoever may do everything here may do everything there; the agent's bindings are there for the others.
    let can = chain.kubectl(&admin, &["auth", "can-i", "create", "clusterroles"]).await;
    assert!(can.status.success(), "{}", text(&can));
    let since = Instant::now();
    while !chain.kubectl(&admin, &["get", "clusterrolebinding", "cairn:app-deployer"]).await.status.success()
    {
        assert!(since.elapsed() < Duration::from_secs(30), "the agent binds no groups");
    }
    let mut deployer = token(&mut chain, "app-deployer").await;
    let theirs = chain.kubeconfig(&mut deployer, "theirs").await;
    let may = chain.kubectl(&theirs, &["auth", "can-i", "create", "deployments.apps"]).await;
    assert!(may.status.success(), "{}", text(&may));
    let refused =
        chain.kubectl(&theirs, &["create", "clusterrole", "x", "--verb=get", "--resource=pods"]).await;
    assert!(text(&refused).contains("cairn:token:app-deployer"), "{}", text(&refused));

    refusals(&chain, &admin, &mut deployer).await;
    falls(&mut chain, &admin).await;
}

/// A service token with this role, and whoever has it.
async fn token(chain: &mut Chain, role: &str) -> Client {
    let spec = json!({"role": role, "expires": "2027-06-01T00:00:00Z"});
    let body = json!({"apiVersion": "cairn/v1", "kind": "Token", "spec": spec,
        "metadata": {"name": role, "namespace": PROJECT}});
    let made = chain.client.send(Method::POST, "/api/v1/tokens", Some(body)).await.json();
    chain.client.again().with_token(made["secret"].as_str().unwrap())
}

async fn refusals(chain: &Chain, admin: &Path, deployer: &mut Client) {
    // A kubeconfig opens its cluster, and nothing else of the API.
    let config: Value = serde_json::from_slice(&std::fs::read(admin).unwrap()).unwrap();
    let token = config.pointer("/users/0/user/token").unwrap().as_str().unwrap().to_owned();
    let mut stolen = chain.client.again().with_token(&token);
    assert_eq!(stolen.send(Method::GET, "/api/v1/hosts", None).await.status(), 401);
    let elsewhere = format!("/api/v1/clusters/other.{PROJECT}/proxy/version");
    let answer = stolen.send(Method::GET, &elsewhere, None).await;
    assert!(matches!(answer.status(), 403 | 404), "{answer:?}");
    let unknown = chain.client.again().with_token("x").send(Method::GET, &elsewhere, None).await;
    assert_eq!(unknown.status(), 401, "{unknown:?}");
    // Revoked, it is void at once, and kubectl says so.
    let theirs = chain.folder.path().join("theirs");
    let path = format!("/api/v1/clusters/shop.{PROJECT}/kubeconfig");
    assert_eq!(deployer.send(Method::DELETE, &path, None).await.status(), 204);
    let void = chain.kubectl(&theirs, &["get", "pods"]).await;
    assert!(!void.status.success() && text(&void).contains("logged in"), "{}", text(&void));
    // The audit log knows who came, and that a kubeconfig was made.
    let log = chain.site.cairn(&["audit", "ls", "-o", "json"]);
    for verb in ["kubeconfig.create", "cluster.open", "kubeconfig.revoke"] {
        assert!(log.contains(verb), "{verb}: {log}");
    }
    assert!(!log.contains(&token) && !chain.site.log().contains(&token));
}

/// A watch by WebSocket flows through everything, and is cut within a second when the host loses its standing.
async fn falls(chain: &mut Chain, admin: &Path) {
    let (_, mut socket) = chain.socket("/api/v1/namespaces?watch=true").await;
    let mut bytes = vec![0; 64 << 10];
    let read = tokio::time::timeout(Duration::from_secs(10), socket.read(&mut bytes)).await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&bytes[..read]).contains("ADDED"), "{:?}", &bytes[..read]);
    let path = format!("/api/v1/hosts/edge-1.{PROJECT}/deauthorise");
    let fell = chain.client.send(Method::POST, &path, Some(json!({}))).await;
    assert!(fell.is_success(), "{fell:?}");
    let cut = async { while !matches!(socket.read(&mut bytes).await, Ok(0) | Err(_)) {} };
    tokio::time::timeout(Duration::from_secs(1), cut).await.expect("the stream is cut within a second");
    let away = chain.kubectl(admin, &["get", "pods"]).await;
    assert!(!away.status.success() && text(&away).contains("not connected"), "{}", text(&away));
}
