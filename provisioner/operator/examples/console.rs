//! Shows the console over a made-up estate, for work on its looks: `cargo run -p cairn-operator --example console`.
//! It prints where it is and how to log in; nothing outlives it. `-- empty` makes nothing, `-- 1000` that many hosts more,
//! `-- 127.0.0.1:9443` serves there.
//!
//! Places, people, policies and hosts are made through the API; what only machines can do (states, inventories, timelines) is
//! put into the store.

#[path = "../tests/support/mod.rs"]
mod support;

use std::sync::Arc;

use cairn_contract::{
    Digest, HostId, InstallId, Inventory, Smbios, Timestamp,
    inventory::{DiskInfo, NicInfo, TpmInfo, Transport},
    report::FailureKind,
    workload::{ApplicationObserved, Phase, ReleaseObserved, WorkloadObserved},
};
use cairn_domain::{
    Level, Note, State, Why,
    audit::Actor,
    host::Installed,
    model::{Kind, Namespace, Uid},
};
use cairn_store::{
    AssignedKind, Batch, Change, Clock as _, Line, OrderWrite, Progress, ResourceWrite, Said, Store,
    SystemClock, Trail, Whose,
};
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Bytes, client::conn::http1::SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore, crypto,
        pki_types::{CertificateDer, ServerName, pem::PemObject as _},
    },
};

/// Of all users here.
const PASSWORD: &str = "correct horse battery";
/// What a machine or a person may send to do harm: the console shows it as it is.
const HOSTILE: &str = "<img src=x onerror=alert(1)><script>alert(2)</script>\u{202e}gnp.exe & \"quotes\"";

#[tokio::main]
async fn main() {
    let wishes: Vec<String> = std::env::args().skip(1).collect();
    let addr = wishes.iter().find_map(|wish| wish.parse().ok());
    let addr = addr.unwrap_or_else(|| std::net::SocketAddr::from(([127, 0, 0, 1], 8443)));
    let (site, ca) = support::tls_site(addr).await;
    let mut api = Api::connect(&ca, site.addr).await;
    if !wishes.iter().any(|wish| wish == "empty") {
        people(&mut api).await;
        places(&mut api).await;
        policies(&mut api).await;
        hosts(&mut api, &site.store).await;
        many(&mut api, wishes.iter().find_map(|n| n.parse().ok()).unwrap_or(0)).await;
        notes(&site.store).await;
        workloads(&mut api, &site).await;
    }
    eprintln!(
        "https://{}/   token: {}   users: alice (admin), bob, nora (no role); password: {PASSWORD}",
        site.addr,
        support::TOKEN
    );
    tokio::signal::ctrl_c().await.expect("signals work");
}

/// A client of the API, with the token.
struct Api {
    sender: SendRequest<Full<Bytes>>,
    host: String,
    _connection: tokio::task::JoinSet<()>,
}

impl Api {
    async fn connect(ca: &str, addr: std::net::SocketAddr) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).expect("a certificate")).expect("a CA");
        let provider = Arc::new(crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.expect("versions").with_root_certificates(roots).with_no_client_auth();
        let stream = tokio::net::TcpStream::connect(addr).await.expect("it listens");
        let name = ServerName::try_from("localhost").expect("a name");
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.expect("TLS");
        let (sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("HTTP");
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move { drop(connection.await) });
        Self { sender, host: addr.to_string(), _connection: tasks }
    }

    async fn post(&mut self, path: &str, body: Value) -> Value {
        let request = Request::post(format!("/api/v1{path}"))
            .header("host", &self.host)
            .header("authorization", format!("Bearer {}", support::TOKEN))
            .header("content-type", "application/json")
            .body(Full::from(body.to_string()))
            .expect("a request");
        self.sender.ready().await.expect("the connection stands");
        let response = self.sender.send_request(request).await.expect("an answer");
        let status = response.status();
        let bytes = response.into_body().collect().await.expect("a body").to_bytes();
        assert!(status.is_success(), "{path}: {}", String::from_utf8_lossy(&bytes));
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// All of these, as `cairn apply` does.
    async fn apply(&mut self, items: Vec<Value>) -> Vec<Value> {
        let mut answer = self.post("/apply", json!({ "items": items })).await;
        let items = answer["items"].as_array_mut().map(std::mem::take).unwrap_or_default();
        for item in &items {
            assert!(item.get("problem").is_none(), "{item}");
        }
        items
    }
}

fn manifest(kind: &str, (namespace, name): (&str, &str), labels: Value, spec: Value) -> Value {
    let metadata = json!({ "name": name, "namespace": namespace, "labels": labels });
    json!({ "apiVersion": "cairn/v1", "kind": kind, "metadata": metadata, "spec": spec })
}

async fn people(api: &mut Api) {
    let user =
        |name: &str, full: &str| manifest("User", ("", name), json!({}), json!({ "displayName": full }));
    let users =
        vec![user("alice", "Alice Example"), user("bob", "Bob, who runs Berlin"), user("nora", HOSTILE)];
    api.apply(users).await;
    for name in ["alice", "bob", "nora"] {
        api.post(&format!("/users/{name}/password"), json!({ "new": PASSWORD })).await;
    }
    let binding = |name: &str, role: &str| {
        let subjects = json!([{ "kind": "User", "name": name }]);
        manifest(
            "RoleBinding",
            ("", &format!("{name}-{role}")),
            json!({}),
            json!({ "role": role, "subjects": subjects }),
        )
    };
    api.apply(vec![binding("alice", "admin")]).await;
}

async fn places(api: &mut Api) {
    let retail = "retail.acme";
    let node = |kind: &str, place: (&str, &str), spec: Value| manifest(kind, place, json!({}), spec);
    let mut all = vec![
        manifest(
            "Organisation",
            ("", "acme"),
            json!({ "tenant": "acme" }),
            json!({ "displayName": "ACME Stores", "settings": { "ntp": "10.0.0.1" } }),
        ),
        node(
            "Organisation",
            ("", "a-tenant-with-a-name-as-long-as-a-name-can-be-that-is-63-letter"),
            json!({ "displayName": HOSTILE }),
        ),
        node("Project", ("acme", "retail"), json!({ "displayName": "Retail" })),
        node("Project", ("acme", "factories"), json!({})),
        manifest(
            "Region",
            (retail, "europe"),
            json!({ "zone": "eu" }),
            json!({ "displayName": "Europe", "settings": { "ntp": "10.9.0.1" } }),
        ),
        node("Region", (retail, "berlin"), json!({ "parent": "europe" })),
        node("Region", (retail, "nordics"), json!({ "parent": "europe", "displayName": "Nordics" })),
        manifest(
            "Site",
            (retail, "store-1"),
            json!({ "env": "prod" }),
            json!({ "region": "berlin", "timezone": "Europe/Berlin", "displayName": "Alexanderplatz" }),
        ),
        node("Site", (retail, "store-2"), json!({ "region": "berlin", "timezone": "Europe/Berlin" })),
        node("Site", (retail, "store-3"), json!({ "region": "nordics", "timezone": "Europe/Oslo" })),
        node("Site", (retail, "warehouse"), json!({})),
    ];
    all.extend((1..=150).map(|i| node("Site", ("factories.acme", &format!("line-{i:03}")), json!({}))));
    api.apply(all).await;
    let at = json!({ "kind": "Region", "name": "berlin" });
    let spec = json!({ "role": "site-operator", "subjects": [{ "kind": "User", "name": "bob" }], "at": at });
    api.apply(vec![
        node("RoleBinding", (retail, "bob-berlin"), spec),
        node("Role", ("acme", "stocktaker"), json!({ "description": "counts hosts", "rules": [{ "verbs": ["get"], "kinds": ["Host", "Site"] }] })),
        node("Token", (retail, "ci"), json!({ "role": "viewer", "description": "reads hosts for the dashboard", "expires": "2027-06-01T00:00:00Z" })),
    ])
    .await;
}

async fn policies(api: &mut Api) {
    let policy = |place: (&str, &str), spec: Value| manifest("Policy", place, json!({}), spec);
    api.apply(vec![
        policy(("acme", "proof"), json!({ "enforced": true, "attestation": { "mode": "enforce" } })),
        policy(
            ("retail.acme", "baseline"),
            json!({ "update": { "onlyInWindow": true }, "maintenance": { "windows": [{ "start": "0 2 * * *", "minutes": 120 }] } }),
        ),
        policy(
            ("retail.acme", "patient"),
            json!({ "selector": { "matchLabels": { "env": "prod" } }, "priority": 5, "boot": { "patienceSeconds": 900 }, "telemetry": { "silentAfterSeconds": 120 } }),
        ),
        policy(("retail.acme", "berlin"), json!({ "target": { "kind": "Region", "name": "berlin" }, "image": { "name": "debian" } })),
        manifest("ClaimRule", ("retail.acme", "lenovo"), json!({}), json!({ "match": { "manufacturer": "Lenovo*" }, "site": "warehouse" })),
        manifest("FirmwareProfile", ("", "slow"), json!({}), json!({ "match": { "product": "ThinkEdge*" }, "quirks": { "slowStartSeconds": 300 } })),
    ])
    .await;
}

async fn hosts(api: &mut Api, store: &Store) {
    let now = SystemClock.now();
    for (i, state) in (0_u8..).zip(states(now)) {
        let name = match state {
            State::Pending => format!("sn-{i:05}-9f31c2aa"),
            State::Silent { .. } => {
                "a-host-whose-name-is-as-long-as-names-can-be-that-is-63-letters".to_owned()
            }
            _ => format!("edge-{i:02}"),
        };
        let labels = if i.is_multiple_of(2) { json!({ "tier": "web" }) } else { json!({}) };
        let mut spec =
            json!({ "serial": format!("CZ20250{i:03}"), "site": if i < 7 { "store-1" } else { "store-2" } });
        if i.is_multiple_of(3) {
            spec["image"] = json!("debian");
        }
        let made = api.apply(vec![manifest("Host", ("retail.acme", &name), labels, spec)]).await;
        let id = made[0]["object"]["metadata"]["uid"].as_str().and_then(|uid| uid.parse().ok()).map(HostId);
        live(store, id.expect("a uid"), (i, state)).await;
    }
}

/// One of each.
fn states(now: Timestamp) -> Vec<State> {
    let until = now.after_seconds(600);
    let install = InstallId(uuid::Uuid::new_v4());
    vec![
        State::Running { until },
        State::Installing { attempt: 2, install, until },
        State::Attesting { attempt: 0, until },
        State::FirstBoot { install, until },
        State::Registered,
        State::Quarantined { why: Why::OtherTpm("edge-01".into()) },
        State::Failed { why: Why::InstallFailed(FailureKind::NoDisk) },
        State::Pending,
        State::Silent { since: now },
        State::Running { until },
        State::Booting { attempt: 0, until },
    ]
}

/// What the machine would have done.
async fn live(store: &Store, id: HostId, (i, state): (u8, State)) {
    let now = SystemClock.now();
    let mut host = store.host(id).await.expect("the store reads").expect("it was made");
    let proven = !matches!(state, State::Registered | State::Booting { .. });
    let installed = matches!(state, State::Running { .. } | State::Silent { .. });
    host.state = state;
    host.ek = proven.then(|| Digest::of(&[i]));
    host.inventory = proven.then(|| inventory(i));
    let install = InstallId(uuid::Uuid::new_v4());
    host.installed = installed.then(|| Installed { install, image: "debian".into(), version: 7 });
    host.changed = Timestamp(now.0 - 60_000 * i64::from(i) * (i64::from(i) + 1));
    let at = host.changed;
    store.commit(Change { lines: story(id, now), ..Change::update(host, at) }).await.expect("it commits");
}

async fn many(api: &mut Api, hosts: u32) {
    let host = |i: u32| {
        let spec = json!({ "serial": format!("BULK{i:06}"), "site": format!("line-{:03}", i % 150 + 1) });
        manifest(
            "Host",
            ("factories.acme", &format!("plc-{i:05}")),
            json!({ "line": (i % 150).to_string() }),
            spec,
        )
    };
    let all: Vec<Value> = (0..hosts).map(host).collect();
    for part in all.chunks(500) {
        api.apply(part.to_vec()).await;
    }
}

async fn notes(store: &Store) {
    let now = SystemClock.now();
    let note = |text: &str| Note::new(Level::Info, "dhcp.offer", text);
    for (mac, text) in [
        (
            "52:54:00:aa:00:01",
            "asked for a boot file (UEFI x64, HTTP); offered 10.77.0.120 and the installer",
        ),
        ("52:54:00:aa:00:02", HOSTILE),
    ] {
        let mac = mac.parse().expect("an address");
        store.note(Whose::Machine(mac), now, note(text)).await.expect("it is written");
    }
    let rival = Note::new(
        Level::Warn,
        "dhcp.other_server",
        "another DHCP server answers on eth1: 10.77.0.254. To do: switch it off on this segment",
    );
    store.note(Whose::Site, now, rival).await.expect("it is written");
}

/// Packages, a cluster, deployments, and what the planner and hosts would say of them.
async fn workloads(api: &mut Api, site: &support::Site) {
    let made = api.apply(wares()).await;
    let uid = |name: &str, kind: &str| {
        let found =
            made.iter().find(|i| i["object"]["metadata"]["name"] == name && i["object"]["kind"] == kind);
        found.and_then(|i| i["object"]["metadata"]["uid"].as_str()?.parse::<Uid>().ok()).expect("it was made")
    };
    let [hello, shop, cluster] = statuses();
    for (subject, status) in [
        (uid("hello", "Deployment"), hello),
        (uid("shop", "Deployment"), shop),
        (uid("till", "Cluster"), cluster),
    ] {
        let writes = vec![ResourceWrite::Status { uid: subject, status: status.into() }];
        let (actor, at) = (Actor::system("example"), SystemClock.now());
        let batch =
            Batch { actor, at, premise: None, writes, credentials: Vec::new(), trail: Trail::default() };
        site.catalog.write(&batch).await.expect("it is written");
    }
    for (host, phase, message) in [("edge-00", Phase::Ready, ""), ("edge-09", Phase::Failed, LATE)] {
        says(site, (host, uid("hello", "Deployment")), (phase, message)).await;
    }
}

/// Why a target failed.
const LATE: &str = "2 of 40 targets failed; edge-09: the image busybox:1.36 is not in the registry: push it, or mend the package";

/// What can be deployed, and where it goes.
fn wares() -> Vec<Value> {
    let node = |kind: &str, place: (&str, &str), spec: Value| manifest(kind, place, json!({}), spec);
    let retail = |name: &'static str| ("retail.acme", name);
    let parameters = json!([
        { "name": "greeting", "description": "What the page says", "default": "Hello", "suggested": ["Hello", "Guten Tag"] },
        { "name": "copies", "type": "integer", "default": 1, "validator": { "minimum": 1, "maximum": 9 } },
        { "name": "password", "type": "secret", "description": HOSTILE },
    ]);
    let container = json!({ "container": { "image": "busybox:1.36", "env": ["G=${greeting}", "C=${copies}", "P=${password}"] } });
    let hello = |version: &str| {
        let spec = json!({ "package": "hello", "version": version, "description": "A web page that says hello", "parameters": parameters,
            "profiles": [{ "name": "german", "parameters": { "greeting": "Guten Tag" } }],
            "applications": [{ "name": "web", "source": container }, { "name": "log", "dependsOn": ["web"], "source": container }] });
        node("Package", ("acme", &format!("hello-{}", version.replace('.', "-"))), spec)
    };
    let manifests = json!({ "manifests": { "inline": { "web.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n" } } });
    let run = json!({ "adminKubeconfig": "/etc/kubernetes/admin.conf", "caCertificate": "/etc/kubernetes/pki/ca.crt" });
    let batches = json!({ "batches": [10, 50, 100], "successPercent": 90 });
    vec![
        hello("1.0.0"),
        hello("1.1.0"),
        node(
            "Package",
            ("acme", "shop-2-0-0"),
            json!({ "package": "shop", "version": "2.0.0", "applications": [{ "name": "web", "source": manifests }] }),
        ),
        node(
            "Distribution",
            ("acme", "kubeadm-1-36"),
            json!({ "family": "kubeadm", "version": "1.36.1", "run": run }),
        ),
        node(
            "ClusterTemplate",
            ("acme", "small"),
            json!({ "version": "1.0.0", "distribution": "kubeadm-1-36", "default": true, "description": "One control plane" }),
        ),
        manifest(
            "Cluster",
            retail("till"),
            json!({ "tier": "prod" }),
            json!({ "template": "small", "hosts": ["edge-00", "edge-09"] }),
        ),
        node("Secret", retail("db"), json!({ "description": "Database of the shop" })),
        node(
            "Deployment",
            retail("hello"),
            json!({ "package": "hello", "parameters": { "greeting": "Hi" }, "rollout": batches,
                "targets": { "kind": "host", "selector": { "matchLabels": { "tier": "web" } } } }),
        ),
        node(
            "Deployment",
            retail("hello-paused"),
            json!({ "package": "hello", "version": "1.0.0", "paused": true, "targets": { "kind": "host", "names": ["edge-00"] } }),
        ),
        node(
            "Deployment",
            retail("shop"),
            json!({ "package": "shop", "targets": { "kind": "cluster", "selector": { "matchLabels": { "tier": "prod" } } } }),
        ),
    ]
}

/// Of two deployments and a cluster, as the planner writes them.
fn statuses() -> [Value; 3] {
    let since = "2026-11-22T20:00:00Z";
    let condition = |kind: &str, status: &str, reason: &str, message: &str| json!({ "type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": since });
    let hello = json!({ "observedGeneration": 1, "package": { "name": "hello", "version": "1.1.0" },
        "targets": { "total": 40, "ready": 17, "progressing": 3, "waiting": 18, "failed": 2, "outdated": 18 },
        "rollout": { "revision": "r", "batch": 2, "percent": 50, "state": "Progressing" },
        "worst": [{ "kind": "Host", "name": "edge-04", "phase": "Waiting", "reason": "HostNotRunning", "message": "host edge-04 is registered; it gets it when it runs" }],
        "conditions": [condition("Ready", "False", "TargetsNotReady", LATE), condition("Progressing", "True", "Progressing", "22 of 40 targets have it; 50 percent may"), condition("Conflict", "False", "None", "no other deployment wants what it wants")] });
    let shop = json!({ "observedGeneration": 1, "package": { "name": "shop", "version": "2.0.0" }, "targets": { "total": 1, "ready": 1, "progressing": 0, "waiting": 0, "failed": 0, "outdated": 0 },
        "conditions": [condition("Ready", "True", "Ready", "all 1 targets are ready")] });
    let node = |name: &str, role: &str, phase: &str, reason: &str, message: &str| json!({ "name": name, "host": name, "role": role, "phase": phase, "reason": reason, "message": message, "version": "v1.36.1" });
    let cluster = json!({ "observedGeneration": 1, "version": "1.36.1", "controlPlane": "edge-00", "endpoint": "10.77.0.20:6443", "madeFrom": { "template": "small.acme", "version": "1.0.0" },
        "nodes": [node("edge-00", "controlPlane", "Ready", "Ready", ""), node("edge-09", "worker", "Progressing", "Joining", "its kubelet asks for a certificate")],
        "conditions": [condition("Ready", "False", "NodesNotReady", "1 of 2 nodes are not ready: edge-09: its kubelet asks for a certificate"), condition("ControlPlaneReady", "True", "Ready", "all 2 nodes are ready")] });
    [hello, shop, cluster]
}

/// A host was told of a deployment, and speaks of it.
async fn says(site: &support::Site, (host, subject): (&str, Uid), (phase, message): (Phase, &str)) {
    let name = format!("{host}.retail.acme");
    let found =
        site.catalog.index().find(Kind::Host, &name, &Namespace::Appliance, |_| true).map(|o| o.metadata.uid);
    let id: HostId = found.expect("the host was made").into();
    let workload = WorkloadObserved {
        kind: "Container".into(),
        namespace: String::new(),
        name: "web".into(),
        phase,
        message: message.into(),
        restarts: 3,
    };
    let application = ApplicationObserved {
        name: "web".into(),
        phase,
        reason: String::new(),
        message: String::new(),
        workloads: vec![workload],
    };
    let reason = if phase == Phase::Ready { "Ready" } else { "ImageMissing" };
    let observed = ReleaseObserved {
        deployment: subject.0,
        revision: Digest::of(b"order"),
        phase,
        reason: reason.into(),
        message: message.into(),
        corrected: 0,
        applications: vec![application],
    };
    let (kind, now) = (AssignedKind::Deployment, SystemClock.now());
    let order =
        OrderWrite::Put { host: id, subject, kind, revision: Digest::of(b"order"), body: "{}".into() };
    site.store.write_orders(&[order], now).await.expect("it is written");
    let rows = site.store.assignments_of(id).await.expect("it is read");
    let observed = serde_json::to_string(&observed).expect("JSON");
    let said = Said { subject, kind, progress: Progress::Said(phase), observed };
    site.store.observe(id, &rows, &[said], now).await.expect("it is kept");
}

fn inventory(i: u8) -> Inventory {
    let disk = |name: &str, size, transport, serial: &str, removable| DiskInfo {
        name: name.into(),
        size,
        transport,
        serial: serial.into(),
        model: "QEMU NVMe Ctrl".into(),
        removable,
        block_size: 512,
    };
    let nic = |n: u8, carrier: bool| NicInfo {
        name: format!("enp{n}s0"),
        mac: cairn_contract::Mac([0x52, 0x54, 0, 0, i, n]),
        driver: "virtio_net".into(),
        speed_mbps: carrier.then_some(10_000),
        carrier,
    };
    Inventory {
        smbios: Smbios {
            serial: format!("CZ20250{i:03}"),
            uuid: uuid::Uuid::new_v4().to_string(),
            vendor: "Lenovo".into(),
            product: "ThinkEdge SE350".into(),
            bios_version: "IVE138P-2.70".into(),
        },
        cpu_model: "Intel(R) Xeon(R) D-2143IT CPU @ 2.20GHz".into(),
        cpu_count: 16,
        memory: 64 << 30,
        disks: vec![
            disk("nvme0n1", 512_110_190_592, Transport::Nvme, "S5GXNX0T", false),
            disk("sda", 31_000_000_000, Transport::Usb, "", true),
        ],
        nics: vec![nic(1, true), nic(2, false)],
        tpm: Some(TpmInfo { manufacturer: "INTC".into(), firmware_version: 0x0001_0200_0000_0000 }),
        kernel: "6.1.0-41-amd64".into(),
        firmware: "uefi".into(),
    }
}

fn story(id: HostId, now: Timestamp) -> Vec<Line> {
    let mut at = now.0 - 150_000;
    let mut line = |after: i64, level, code: &'static str, text: &str, state: Option<&'static str>| {
        at += after;
        Line { whose: Whose::Host(id), at: Timestamp(at), note: Note::new(level, code, text), state }
    };
    use Level::{Bad, Good, Info, Warn};
    vec![
        line(0, Info, "host.registered", "registered by an operator", Some("registered")),
        line(
            40_000,
            Info,
            "dhcp.offer",
            "asked for a boot file (UEFI x64, HTTP); offered 10.77.0.101 and the installer",
            Some("booting"),
        ),
        line(310, Info, "http.served", "fetched the installer lab 12 (24.1 MB in 0.8 s)", None),
        line(
            9_200,
            Info,
            "attest.claimed",
            "claims serial CZ20250001; its EK certificate is by Intel (discrete TPM)",
            Some("attesting"),
        ),
        line(
            640,
            Good,
            "attest.proven",
            "proved its TPM and that it runs our installer lab 12 (PCR 4 and 11 as predicted)",
            None,
        ),
        line(12, Info, "install.planned", "gets image debian 7 for nvme0n1", Some("installing")),
        line(31_000, Warn, "install.resumed", "the download broke off at 61 % and went on", None),
        line(
            22_000,
            Good,
            "install.finished",
            "wrote nvme0n1 (QEMU NVMe Ctrl, serial S5GXNX0T): write 41 s, verify 3 s",
            Some("first boot"),
        ),
        line(
            18_000,
            Good,
            "agent.proven",
            "its system proved itself and has a certificate until tomorrow",
            Some("running"),
        ),
        line(2_000, Bad, "agent.disk", HOSTILE, None),
    ]
}
