//! A site without sockets: a real store, catalog, driver, planner and desk, and hosts that say what a test lets them say.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use cairn_contract::{
    Digest, HostId, InstallId, Inventory, Mac, Report, Timestamp,
    report::ReportKind,
    workload::{
        ApplicationObserved, Ask, Desired, NodeObserved, Observed, Phase, Registry, Release, ReleaseObserved,
    },
};
use cairn_domain::{
    Effect, Event, Fact, HostSpec, Subject,
    audit::Actor,
    fact::Claim,
    model::{Kind, Labels, Metadata, Namespace, Object, Spec, Uid},
};
use cairn_driver::{Driver, Execute, ExecuteError};
use cairn_fleet::{
    Desk, DeskError, Gateway, Leads, Orchestrator, Renderer,
    render::{PackageError, Packages, Tools},
};
use cairn_store::{
    Batch, By, Catalog, DataKey, ManualClock, NewInstall, Order, Registration, Reporter as _, ResourceWrite,
    Run, SecretWrite, Store, Trail,
};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(crate) const START: Timestamp = Timestamp(1_800_000_000_000);
/// What must come, comes within it.
pub(crate) const SOON: Duration = Duration::from_secs(20);

#[derive(Debug)]
struct NoConnections;

impl Execute for NoConnections {
    fn execute(&self, _: Effect) -> BoxFuture<'_, Result<(), ExecuteError>> {
        Box::pin(async { Ok(()) })
    }
}

#[derive(Debug)]
struct Always(bool);

impl Leads for Always {
    fn leads(&self) -> bool {
        self.0
    }
}

/// Archives by their reference.
#[derive(Debug, Default)]
pub(crate) struct Archives(pub(crate) BTreeMap<String, Vec<u8>>);

impl Packages for Archives {
    fn open<'a>(
        &'a self,
        reference: &'a str,
    ) -> BoxFuture<'a, Result<Box<dyn std::io::Read + Send>, PackageError>> {
        Box::pin(async move {
            let bytes = self.0.get(reference).cloned();
            let bytes = bytes.ok_or_else(|| PackageError::Absent(reference.to_owned()))?;
            Ok(Box::new(std::io::Cursor::new(bytes)) as Box<dyn std::io::Read + Send>)
        })
    }
}

pub(crate) struct Site {
    pub(crate) store: Store,
    pub(crate) catalog: Catalog,
    pub(crate) driver: Arc<Driver>,
    pub(crate) desk: Arc<Desk>,
    _clock: Arc<ManualClock>,
    gateway: Gateway,
    _tasks: JoinSet<()>,
    _dir: tempfile::TempDir,
}

pub(crate) fn renderer(store: &Store, tools: Tools, archives: Archives) -> Arc<Renderer> {
    Arc::new(Renderer { blobs: store.blobs().clone(), packages: Arc::new(archives), tools })
}

impl Site {
    pub(crate) async fn new() -> Self {
        Self::with(true, Tools { helm: None, kustomize: None, search: Some("/nonexistent".into()) }).await
    }

    pub(crate) async fn with(leads: bool, tools: Tools) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap().with_data_key(DataKey::new([7; 32].into()));
        let clock = Arc::new(ManualClock::new(START));
        let catalog = Catalog::load(store.clone()).await.unwrap();
        let parts = (store.clone(), catalog.clone());
        let driver =
            Arc::new(Driver::new(parts.clone(), Arc::default(), clock.clone(), Arc::new(NoConnections)));
        let registry = Registry { address: "192.0.2.1:443".into(), ca: vec![1].into() };
        let desk = Arc::new(Desk::new(parts, clock.clone(), Some(registry.clone())));
        let planner = Orchestrator {
            store: store.clone(),
            catalog: catalog.clone(),
            clock: clock.clone(),
            duty: Arc::new(Always(leads)),
            renderer: renderer(&store, tools, Archives::default()),
            registry: Some(registry),
        };
        let mut tasks = JoinSet::new();
        let follower = catalog.clone();
        tasks.spawn(async move { follower.follow(CancellationToken::new()).await });
        let follower = Arc::clone(&desk);
        tasks.spawn(async move { follower.follow(CancellationToken::new()).await });
        tasks.spawn(async move { planner.run(CancellationToken::new()).await });
        let gateway = Gateway::new(store.clone(), driver.clone(), clock.clone());
        Self { store, catalog, driver, desk, _clock: clock, gateway, _tasks: tasks, _dir: dir }
    }

    /// A running host with labels.
    pub(crate) async fn host(&self, number: u8, labels: &[(&str, &str)]) -> HostId {
        let registration = registration(number, labels);
        let by = By { actor: Actor::system("a test"), run: Run::Commit };
        let host = self.driver.order(Order::Register(Box::new(registration)), by).await.unwrap().id;
        self.run_host(number).await;
        host
    }

    /// Installs it, and lets its agent prove itself.
    pub(crate) async fn run_host(&self, number: u8) {
        let (install, token) = self.begin_install(number).await;
        self.end_install(number, install, &token).await;
    }

    /// Its installer has a plan.
    pub(crate) async fn begin_install(&self, number: u8) -> (InstallId, String) {
        let install = InstallId(Uuid::new_v4());
        let token = Uuid::new_v4().to_string();
        let new = NewInstall { token_sha256: Digest::of(token.as_bytes()), image: "tiny".into(), version: 1 };
        self.driver.report_install(proven(number, Event::InstallerProven(install)), new).await.unwrap();
        (install, token)
    }

    pub(crate) async fn end_install(&self, number: u8, install: InstallId, token: &str) {
        let kind = ReportKind::Finished { disk: "vda".into(), phases: vec![], resumed: 0, target: None };
        self.gateway.report(token, Report { install, kind }).await.unwrap();
        let outcome = self.driver.report(proven(number, Event::AgentProven)).await.unwrap();
        let revision = outcome.host.unwrap().meta.resource_version;
        self.catalog.reached(revision.max(self.store.newest_revision().await.unwrap())).await;
    }

    pub(crate) async fn label(&self, host: HostId, number: u8, labels: &[(&str, &str)]) {
        let to = Box::new(registration(number, labels));
        let by = By { actor: Actor::system("a test"), run: Run::Commit };
        self.driver.order(Order::Update { id: host, to, expected: None }, by).await.unwrap();
    }

    pub(crate) async fn order(&self, order: Order) {
        self.driver.order(order, By { actor: Actor::system("a test"), run: Run::Commit }).await.unwrap();
    }

    pub(crate) async fn put(&self, kind: Kind, name: &str, spec: Value) -> Uid {
        let metadata = Metadata {
            name: name.into(),
            namespace: Namespace::project("default", "default"),
            uid: Uid(Uuid::new_v4()),
            labels: Labels::new(),
            annotations: Labels::new(),
            generation: 0,
            resource_version: 0,
            created: START,
        };
        let object = Object { metadata, spec: Spec::parse(kind, spec).unwrap(), host: None, status: None };
        let written = self.write(ResourceWrite::Create(object)).await;
        written.metadata.uid
    }

    pub(crate) async fn write(&self, write: ResourceWrite) -> Object {
        let batch = Batch {
            actor: Actor::system("a test"),
            at: START,
            premise: None,
            writes: vec![write],
            credentials: Vec::new(),
            trail: Trail::default(),
        };
        self.catalog.write(&batch).await.unwrap().objects.remove(0)
    }

    pub(crate) async fn secret(&self, name: &str, key: &str, value: &str) -> Uid {
        let owner = self.put(Kind::Secret, name, json!({})).await;
        let set = [(key.to_owned(), value.into())].into();
        let write = SecretWrite { owner, at: START, set, remove: vec![], deeds: vec![] };
        let revision = self.store.write_secrets(&write).await.unwrap();
        self.catalog.reached(revision).await;
        owner
    }

    /// What a host is told, when it is as `fits` says.
    pub(crate) async fn told(&self, host: HostId, fits: impl Fn(&Desired) -> bool) -> Desired {
        let wait = async {
            let mut have = None;
            loop {
                match self.desk.desired(host, &Ask { have }).await.unwrap() {
                    Some(desired) if fits(&desired) => return desired,
                    Some(other) => have = Some(other.revision),
                    None => {}
                }
            }
        };
        tokio::time::timeout(SOON, wait).await.expect("the host is not told")
    }

    pub(crate) async fn say(&self, host: HostId, observed: Observed) -> Result<(), DeskError> {
        self.desk.observed(host, observed).await
    }

    /// Its status, when it is as `fits` says.
    pub(crate) async fn status(&self, uid: Uid, fits: impl Fn(&Value) -> bool) -> Value {
        let wait = async {
            let mut revisions = self.catalog.revisions();
            loop {
                revisions.mark_unchanged();
                let status = self.catalog.index().get(uid).and_then(|o| o.status.clone());
                if let Some(status) = status.filter(|status| fits(status)) {
                    return Value::clone(&status);
                }
                revisions.changed().await.unwrap();
            }
        };
        match tokio::time::timeout(SOON, wait).await {
            Ok(status) => status,
            Err(_) => {
                panic!("the status stays {:?}", self.catalog.index().get(uid).map(|o| o.status.clone()))
            }
        }
    }

    /// Codes of a host's timeline that concern workloads.
    pub(crate) async fn lines(&self, host: HostId) -> Vec<String> {
        let all = self.store.timeline(host, 0, 1000).await.unwrap();
        let ours = all.into_iter().filter(|line| line.note.code.starts_with("workload."));
        ours.map(|line| line.note.text).collect()
    }
}

pub(crate) fn registration(number: u8, labels: &[(&str, &str)]) -> Registration {
    let spec = HostSpec { name: format!("edge-{number}"), macs: vec![mac(number)], ..HostSpec::default() };
    let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Registration { labels, ..Registration::from(spec) }
}

fn mac(number: u8) -> Mac {
    Mac([2, 0, 0, 0, 0, number])
}

fn proven(number: u8, event: Event) -> Fact {
    let claim = Claim {
        ek: Digest::of(&[number]),
        boot_mac: mac(number),
        inventory: Inventory::default(),
        class: None,
    };
    Fact { subject: Subject::Proven(Box::new(claim)), event: Some(event), note: None }
}

/// As an agent says it.
pub(crate) fn release(release: &Release, phase: Phase) -> ReleaseObserved {
    let application = |a: &cairn_contract::workload::Application| ApplicationObserved {
        name: a.name.clone(),
        phase,
        reason: format!("{phase:?}"),
        message: String::new(),
        workloads: vec![],
    };
    ReleaseObserved {
        deployment: release.deployment,
        revision: release.revision,
        phase,
        reason: format!("{phase:?}"),
        message: "as it is".into(),
        corrected: 0,
        applications: release.applications.iter().map(application).collect(),
    }
}

/// All that it was told is so.
pub(crate) fn all_ready(desired: &Desired) -> Observed {
    let releases = desired.releases.iter().map(|r| release(r, Phase::Ready)).collect();
    let node = desired.node.as_ref().map(|node| NodeObserved {
        cluster: node.cluster,
        phase: Phase::Ready,
        reason: "Ready".into(),
        message: String::new(),
        endpoint: None,
        ca_pin: None,
        nodes: vec![],
        spent_tokens: vec![],
    });
    Observed { revision: Some(desired.revision), node, releases }
}

/// A program on PATH, for tests of the real one.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    ["/usr/local/bin", "/usr/bin", "/bin"]
        .iter()
        .map(|folder| PathBuf::from(folder).join(name))
        .find(|p| p.is_file())
}
