//! Hosts and people at the one port: orders, secrets, files and images, over real TLS with real certificates.
#![allow(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod support;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use cairn_cli::ClientFile;
use cairn_contract::{
    ALPN_HOST, Digest, HostId, InstallId, Inventory, Mac, SERVER_NAME,
    workload::{Ask, Desired, NodeObserved, Observed, Phase, Secrets, SecretsAsk},
};
use cairn_domain::{Effect, Event, Fact, HostSpec, Subject, audit::Actor, fact::Claim};
use cairn_driver::{Driver, Execute, ExecuteError};
use cairn_fleet::Gateway;
use cairn_store::{By, Catalog, Clock as _, NewInstall, Order, Reporter as _, Run, Store, SystemClock};
use cairn_trust::{SiteKeys, ca};
use futures_util::future::BoxFuture;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData as _};
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use support::{Client, PROJECT, Site};
use tokio::{net::TcpStream, task::JoinSet};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// What must come, comes within it.
const SOON: Duration = Duration::from_secs(20);

#[derive(Debug)]
struct NoConnections;

impl Execute for NoConnections {
    fn execute(&self, _: Effect) -> BoxFuture<'_, Result<(), ExecuteError>> {
        Box::pin(async { Ok(()) })
    }
}

/// Two running hosts, put into the tables before the server starts.
async fn two_hosts(site: &Site) -> [HostId; 2] {
    let store = Store::open(&site.dir).await.unwrap();
    let catalog = Catalog::load(store.clone()).await.unwrap();
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let (follower, token) = (catalog.clone(), stop.clone());
    tasks.spawn(async move { follower.follow(token).await });
    let parts = (store.clone(), catalog);
    let driver = Arc::new(Driver::new(parts, Arc::default(), Arc::new(SystemClock), Arc::new(NoConnections)));
    let gateway = Gateway::new(store.clone(), driver.clone(), Arc::new(SystemClock));
    let mut hosts = Vec::new();
    for number in [1, 2] {
        let mac = Mac([2, 0, 0, 0, 0, number]);
        let spec = HostSpec { name: format!("edge-{number}"), macs: vec![mac], ..HostSpec::default() };
        let by = By { actor: Actor::system("a test"), run: Run::Commit };
        hosts.push(driver.order(Order::Register(Box::new(spec.into())), by).await.unwrap().id);
        let claim =
            Claim { ek: Digest::of(&[number]), boot_mac: mac, inventory: Inventory::default(), class: None };
        let proven = |event| Fact {
            subject: Subject::Proven(Box::new(claim.clone())),
            event: Some(event),
            note: None,
        };
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
    }
    stop.cancel();
    while tasks.join_next().await.is_some() {}
    store.close().await;
    hosts.try_into().unwrap()
}

/// Who a connection says it is.
#[derive(Clone, Copy)]
enum As {
    Host(HostId),
    Stranger,
}

fn config(site: &Site, who: As) -> ClientConfig {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let keys = SiteKeys::load(&site.dir.join("keys")).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(keys.site_ca.certificate.clone()).unwrap();
    let builder = ClientConfig::builder().with_root_certificates(roots);
    let mut config = match who {
        As::Stranger => builder.with_no_client_auth(),
        As::Host(host) => {
            let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
            let spki = key.subject_public_key_info();
            let chain: Vec<CertificateDer<'static>> =
                ca::issue_host(&keys.site_ca, "shop", host, &spki, SystemClock.now()).unwrap();
            let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    };
    config.alpn_protocols = vec![ALPN_HOST.to_vec()];
    config
}

async fn dial(site: &Site, config: ClientConfig) -> TlsStream<TcpStream> {
    let tcp = TcpStream::connect(site.address()).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    let name = ServerName::try_from(SERVER_NAME).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap()
}

/// One HTTP/2 connection, as an agent keeps one.
struct Agent {
    sender: http2::SendRequest<Full<Bytes>>,
    connection: JoinSet<()>,
}

struct Came {
    status: StatusCode,
    headers: http::HeaderMap,
    bytes: Bytes,
}

impl Came {
    #[track_caller]
    fn json<T: serde::de::DeserializeOwned>(&self) -> T {
        assert_eq!(self.status, StatusCode::OK, "{:?}", self.bytes);
        serde_json::from_slice(&self.bytes).unwrap()
    }
}

impl Agent {
    async fn of(site: &Site, who: As) -> Self {
        let stream = dial(site, config(site, who)).await;
        let (sender, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { drop(connection.await) });
        Self { sender, connection: tasks }
    }

    async fn ask(&self, request: Request<Full<Bytes>>) -> Result<Came, hyper::Error> {
        let response = self.sender.clone().send_request(request).await?;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await?.to_bytes();
        Ok(Came { status: parts.status, headers: parts.headers, bytes })
    }

    async fn post<T: serde::Serialize>(&self, path: &str, body: &T) -> Came {
        let body = Full::from(serde_json::to_vec(body).unwrap());
        let request = Request::post(format!("https://{SERVER_NAME}{path}")).body(body).unwrap();
        self.ask(request).await.unwrap()
    }

    async fn get(&self, path: &str, range: Option<&str>) -> Came {
        let mut request = Request::get(format!("https://{SERVER_NAME}{path}"));
        if let Some(range) = range {
            request = request.header(header::RANGE, range);
        }
        self.ask(request.body(Full::default()).unwrap()).await.unwrap()
    }

    /// What it is told, when it is as `fits` says.
    async fn told(&self, fits: impl Fn(&Desired) -> bool) -> Desired {
        let wait = async {
            let mut have = None;
            loop {
                let came = self.post("/host/v1/desired", &Ask { have }).await;
                if came.status == StatusCode::NO_CONTENT {
                    continue;
                }
                let desired: Desired = came.json();
                if fits(&desired) {
                    return desired;
                }
                have = Some(desired.revision);
            }
        };
        tokio::time::timeout(SOON, wait).await.expect("the host is not told")
    }
}

async fn create(client: &mut Client, kind: &str, name: &str, spec: Value) {
    let plural = format!("{}s", kind.to_lowercase());
    let body = json!({"apiVersion": "cairn/v1", "kind": kind, "spec": spec,
        "metadata": {"name": name, "namespace": PROJECT}});
    let made = client.send(Method::POST, &format!("/api/v1/{plural}"), Some(body)).await;
    assert!(made.is_success(), "{made:?}");
}

async fn hello(client: &mut Client) {
    create(client, "Secret", "door", json!({})).await;
    let values = json!({"values": {"key": "sesame"}});
    let set = client.send(Method::PUT, &format!("/api/v1/secrets/door.{PROJECT}/values"), Some(values)).await;
    assert!(set.is_success(), "{set:?}");
    let package = json!({"package": "hello", "version": "1.0.0", "parameters": [{"name": "password", "type": "secret"}],
        "applications": [{"name": "web", "source": {"container": {"image": format!("{PROJECT}/hello:1"),
            "env": ["PASSWORD=${password}"]}}}]});
    create(client, "Package", "hello-1-0-0", package).await;
    let spec = json!({"package": "hello", "parameters": {"password": "door/key"},
        "targets": {"kind": "host", "selector": {"matchLabels": {"role": "edge"}}}});
    create(client, "Deployment", "hello", spec).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_is_told_within_a_second_gets_its_secrets_and_is_cut_off_when_it_falls() {
    let folder = tempfile::tempdir().unwrap();
    let mut site = Site::init(folder.path().join("site"), "");
    let [first, second] = two_hosts(&site).await;
    site.serve();
    let mut client = site.client();
    hello(&mut client).await;
    let (agent, other) = (Agent::of(&site, As::Host(first)).await, Agent::of(&site, As::Host(second)).await);
    let stranger = Agent::of(&site, As::Stranger).await;
    for path in ["/host/v1/desired", "/host/v1/observed", "/host/v1/secrets", "/v2/"] {
        assert_eq!(stranger.post(path, &json!({})).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let empty = agent.told(|d| d.releases.is_empty()).await;
    assert_eq!(empty.registry.as_ref().unwrap().address, site.address().to_string());

    let since = Instant::now();
    let has = Ask { have: Some(empty.revision) };
    let wait = agent.post("/host/v1/desired", &has);
    let (came, label) = tokio::join!(wait, client.label("edge-1", "role", "edge"));
    assert!(label.is_success() && since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
    let told: Desired = came.json();
    let release = &told.releases[0];
    let ask = SecretsAsk::Release { deployment: release.deployment, revision: release.revision };
    let secrets: Secrets = agent.post("/host/v1/secrets", &ask).await.json();
    assert_eq!(secrets.values.values().collect::<Vec<_>>(), ["sesame"]);
    let refused = other.post("/host/v1/secrets", &ask).await;
    let unknown = SecretsAsk::Release { deployment: Uuid::nil(), revision: release.revision };
    let nothing = other.post("/host/v1/secrets", &unknown).await;
    assert_eq!((refused.status, refused.bytes), (StatusCode::FORBIDDEN, nothing.bytes));
    assert!(!site.log().contains("sesame"));

    let bad = agent.post("/host/v1/observed", &json!({"releases": "none"})).await;
    assert_eq!(bad.status, StatusCode::BAD_REQUEST);
    let observed = Observed { revision: Some(told.revision), ..Observed::default() };
    assert_eq!(agent.post("/host/v1/observed", &observed).await.status, StatusCode::NO_CONTENT);

    let fall = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let path = format!("/api/v1/hosts/edge-1.{PROJECT}/deauthorise");
        let fell = client.send(Method::POST, &path, Some(json!({}))).await;
        assert!(fell.is_success(), "{fell:?}");
        Instant::now()
    };
    let Agent { sender, mut connection } = agent;
    let waiting = async {
        let body = Full::from(serde_json::to_vec(&Ask { have: Some(told.revision) }).unwrap());
        let request = Request::post(format!("https://{SERVER_NAME}/host/v1/desired")).body(body).unwrap();
        (sender.clone().send_request(request).await.is_err(), Instant::now())
    };
    let ((cut, when), fell) = tokio::join!(waiting, fall);
    assert!(cut, "the connection of a host that fell is closed");
    assert!(when.saturating_duration_since(fell) < Duration::from_secs(1));
    connection.join_next().await;
    let again = Agent::of(&site, As::Host(first)).await;
    assert_eq!(again.post("/host/v1/desired", &Ask { have: None }).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_its_distribution_come_in_parts_and_to_its_nodes_only() {
    let folder = tempfile::tempdir().unwrap();
    let mut site = Site::init(folder.path().join("site"), "");
    let [first, second] = two_hosts(&site).await;
    site.serve();
    let mut client = site.client();
    let bytes: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let digest = Digest::of(&bytes);
    let put =
        raw(&site, "PUT", &format!("/api/v1/artifacts/sha256:{digest}"), bytes.clone(), Some(&bearer(&site)))
            .await;
    assert!(put.status.is_success(), "{:?}", put.bytes);
    let artifact =
        json!({"name": "kubelet", "size": bytes.len(), "digest": digest, "place": {"program": "kubelet"}});
    let spec = json!({"family": "kubeadm", "version": "1.36.1", "run": {"artifacts": [artifact],
        "adminKubeconfig": "/etc/kubernetes/admin.conf", "caCertificate": "/etc/kubernetes/pki/ca.crt"}});
    create(&mut client, "Distribution", "plain", spec).await;
    let spec = json!({"version": "1.0.0", "distribution": "plain", "default": true});
    create(&mut client, "ClusterTemplate", "edge", spec).await;
    create(&mut client, "Cluster", "shop", json!({"hosts": ["edge-1"]})).await;
    let (agent, other) = (Agent::of(&site, As::Host(first)).await, Agent::of(&site, As::Host(second)).await);
    let told = agent.told(|d| d.node.is_some()).await;
    let path = format!("/host/v1/blob/sha256:{digest}");
    let whole = agent.get(&path, None).await;
    assert_eq!((whole.status, whole.bytes.len()), (StatusCode::OK, bytes.len()));
    assert_eq!(Digest::of(&whole.bytes), digest);
    let part = agent.get(&path, Some("bytes=1000-1999")).await;
    assert_eq!((part.status, part.bytes.as_ref()), (StatusCode::PARTIAL_CONTENT, &bytes[1000..2000]));
    let range = format!("bytes 1000-1999/{}", bytes.len());
    assert_eq!(part.headers[header::CONTENT_RANGE], range.as_str());
    let rest = agent.get(&path, Some("bytes=11999990-")).await;
    assert_eq!(rest.bytes.as_ref(), &bytes[11_999_990..]);
    assert_eq!(agent.get(&path, Some("bytes=12000000-")).await.status, StatusCode::RANGE_NOT_SATISFIABLE);
    let nothing = format!("/host/v1/blob/sha256:{}", Digest::of(b"nothing"));
    let (refused, absent) = (other.get(&path, None).await, other.get(&nothing, None).await);
    assert_eq!((refused.status, refused.bytes), (StatusCode::FORBIDDEN, absent.bytes));
    assert_eq!(
        agent.get("/host/v1/blob/sha256:../../etc/passwd", None).await.status,
        StatusCode::BAD_REQUEST
    );

    let node = NodeObserved {
        cluster: told.node.as_ref().unwrap().cluster,
        phase: Phase::Progressing,
        reason: "Starting".into(),
        message: "the API server does not answer yet".into(),
        endpoint: None,
        ca_pin: None,
        nodes: vec![],
        spent_tokens: vec![],
    };
    let observed = Observed { revision: Some(told.revision), node: Some(node), releases: vec![] };
    assert_eq!(agent.post("/host/v1/observed", &observed).await.status, StatusCode::NO_CONTENT);
    let path = format!("/api/v1/clusters/shop.{PROJECT}/nodes");
    let since = Instant::now();
    while client.get(&path).await["items"][0]["message"] != "the API server does not answer yet" {
        assert!(since.elapsed() < SOON, "{}", client.get(&path).await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn bearer(site: &Site) -> String {
    format!("Bearer {}", ClientFile::load(&site.dir).unwrap().token)
}

/// One request of a person's program.
async fn raw(site: &Site, method: &str, path: &str, body: Vec<u8>, authorization: Option<&str>) -> Came {
    let mut config = config(site, As::Stranger);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let stream = dial(site, config).await;
    let (mut sender, connection) = http1::handshake::<_, Full<Bytes>>(TokioIo::new(stream)).await.unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { drop(connection.await) });
    let mut request = Request::builder().method(method).uri(path).header(header::HOST, SERVER_NAME);
    if let Some(value) = authorization {
        request = request.header(header::AUTHORIZATION, value);
    }
    if path.contains("/manifests/") {
        request = request.header(header::CONTENT_TYPE, "application/vnd.oci.image.manifest.v1+json");
    } else if !body.is_empty() {
        request = request.header(header::CONTENT_TYPE, "application/octet-stream");
    }
    let response = sender.send_request(request.body(Full::from(body)).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    Came { status: parts.status, headers: parts.headers, bytes }
}

/// One blob with its manifest.
async fn push(site: &Site, repository: &str, bytes: &[u8], authorization: &str) -> StatusCode {
    let digest = Digest::of(bytes);
    let begin =
        raw(site, "POST", &format!("/v2/{repository}/blobs/uploads/"), vec![], Some(authorization)).await;
    if begin.status != StatusCode::ACCEPTED {
        return begin.status;
    }
    let place = begin.headers[header::LOCATION].to_str().unwrap().to_owned();
    let joint = if place.contains('?') { '&' } else { '?' };
    let end = raw(
        site,
        "PUT",
        &format!("{place}{joint}digest=sha256:{digest}"),
        bytes.to_vec(),
        Some(authorization),
    )
    .await;
    assert_eq!(end.status, StatusCode::CREATED, "{:?}", end.bytes);
    let content = json!({"mediaType": "application/octet-stream", "digest": format!("sha256:{digest}"), "size": bytes.len()});
    let manifest = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": content, "layers": [content]});
    let path = format!("/v2/{repository}/manifests/1");
    raw(site, "PUT", &path, manifest.to_string().into_bytes(), Some(authorization)).await.status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_push_with_their_rights_and_hosts_pull_their_own_tenants_images() {
    let folder = tempfile::tempdir().unwrap();
    let mut site = Site::init(folder.path().join("site"), "");
    let [first, _] = two_hosts(&site).await;
    site.serve();
    let asked = raw(&site, "GET", "/v2/", vec![], None).await;
    assert_eq!(asked.status, StatusCode::UNAUTHORIZED);
    assert!(asked.headers[header::WWW_AUTHENTICATE].to_str().unwrap().starts_with("Basic realm="));
    let mut client = site.client();
    let org =
        json!({"apiVersion": "cairn/v1", "kind": "Organisation", "metadata": {"name": "globex"}, "spec": {}});
    assert!(client.send(Method::POST, "/api/v1/organisations", Some(org)).await.is_success());

    // Larger than any other body that the operator side takes.
    let layer = vec![7; 24 << 20];
    let token = ClientFile::load(&site.dir).unwrap().token.clone();
    let basic = format!(
        "Basic {}",
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("me:{token}"))
    );
    assert_eq!(raw(&site, "GET", "/v2/", vec![], Some(&basic)).await.status, StatusCode::OK);
    assert_eq!(
        raw(&site, "GET", "/v2/", vec![], Some("Basic bWU6bm8=")).await.status,
        StatusCode::UNAUTHORIZED
    );
    let ours = format!("{PROJECT}/hello");
    assert_eq!(push(&site, &ours, &layer, &basic).await, StatusCode::CREATED);
    assert_eq!(push(&site, "globex/hello", b"theirs", &bearer(&site)).await, StatusCode::CREATED);
    assert_eq!(
        push(&site, "nobody/hello", b"x", &basic).await,
        StatusCode::NOT_FOUND,
        "there is no such tenant"
    );
    assert_eq!(push(&site, "hello", b"x", &basic).await, StatusCode::NOT_FOUND, "it names no namespace");

    let agent = Agent::of(&site, As::Host(first)).await;
    assert_eq!(agent.get("/v2/", None).await.status, StatusCode::OK);
    let manifest = agent.get(&format!("/v2/{ours}/manifests/1"), None).await;
    assert_eq!(manifest.status, StatusCode::OK, "{:?}", manifest.bytes);
    let blob = agent.get(&format!("/v2/{ours}/blobs/sha256:{}", Digest::of(&layer)), None).await;
    assert_eq!(Digest::of(&blob.bytes), Digest::of(&layer));
    for foreign in ["globex/hello", "nobody/hello"] {
        let refused = agent.get(&format!("/v2/{foreign}/manifests/1"), None).await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{foreign}");
    }
    let pushes = agent.post(&format!("/v2/{ours}/blobs/uploads/"), &json!({})).await;
    assert_eq!(pushes.status, StatusCode::FORBIDDEN, "hosts only pull");
    let audit = client.audit().await;
    let pushed: Vec<_> =
        audit.iter().filter(|row| row["verb"] == "push").map(|row| row["name"].clone()).collect();
    assert_eq!(pushed, [json!(format!("{ours}:1")), json!("globex/hello:1")]);
}
