//! A cluster with an applier at work, and the words in which tests speak of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cairn_applier::{Applier, Order, Values};
use cairn_contract::Digest;
use cairn_contract::workload::{Application, Body, Phase, Release, ReleaseObserved, Secrets, placeholder};
use cairn_kube_rig::Cluster;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Long, because the machine is shared with other tests.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Site {
    pub(crate) cluster: Cluster,
    pub(crate) applier: Arc<Applier>,
    pub(crate) seen: watch::Receiver<Vec<ReleaseObserved>>,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Site {
    pub(crate) async fn start() -> Self {
        let cluster = tokio::task::spawn_blocking(Cluster::start).await.unwrap().unwrap();
        Self::on(cluster).await
    }

    async fn on(cluster: Cluster) -> Self {
        let kubeconfig = std::fs::read_to_string(cluster.kubeconfig()).unwrap();
        let applier = Arc::new(Applier::connect(&kubeconfig).await.unwrap());
        let stop = CancellationToken::new();
        let (worker, token) = (Arc::clone(&applier), stop.clone());
        #[allow(clippy::disallowed_methods, reason = "it is awaited at the end of the agent")]
        let running = tokio::spawn(async move { worker.run(token).await });
        Self { seen: applier.observed(), cluster, applier, stop, running }
    }

    /// The agent ends and begins again, with nothing in memory.
    pub(crate) async fn restarted(self) -> Self {
        self.stop.cancel();
        self.running.await.unwrap();
        Self::on(self.cluster).await
    }

    /// Waits for a picture.
    #[track_caller]
    pub(crate) fn until(
        &self,
        what: &str,
        fits: impl Fn(&[ReleaseObserved]) -> bool,
    ) -> impl Future<Output = Vec<ReleaseObserved>> {
        let (mut seen, what) = (self.seen.clone(), what.to_owned());
        let caller = std::panic::Location::caller();
        async move {
            let found = tokio::time::timeout(PATIENCE, seen.wait_for(|all| fits(all))).await;
            match found {
                Ok(found) => found.unwrap().clone(),
                Err(_) => panic!("{caller}: {what} did not come: {:#?}", self.seen.borrow()),
            }
        }
    }

    /// Waits until all releases are ready in these orders.
    #[track_caller]
    pub(crate) fn until_ready<'a>(
        &'a self,
        orders: &[Order],
    ) -> impl Future<Output = Vec<ReleaseObserved>> + use<'a> {
        let wanted: Vec<(Uuid, Digest)> =
            orders.iter().map(|o| (o.release.deployment, o.release.revision)).collect();
        self.until("ready", move |all| {
            all.len() == wanted.len()
                && all.iter().all(|r| r.phase == Phase::Ready && wanted.contains(&(r.deployment, r.revision)))
        })
    }

    /// Orders them and waits until they are ready.
    #[track_caller]
    pub(crate) fn apply(&self, orders: Vec<Order>) -> impl Future<Output = Vec<ReleaseObserved>> {
        self.applier.want(orders.clone());
        self.until_ready(&orders)
    }

    #[track_caller]
    pub(crate) fn kubectl(&self, args: &str) -> String {
        let args: Vec<&str> = args.split_whitespace().collect();
        self.cluster.kubectl(&args).unwrap()
    }

    /// Whether kubectl finds it.
    pub(crate) fn has(&self, args: &str) -> bool {
        let args: Vec<&str> = ["get"].into_iter().chain(args.split_whitespace()).collect();
        self.cluster.kubectl(&args).is_ok()
    }

    #[track_caller]
    pub(crate) fn get(&self, args: &str) -> Value {
        serde_json::from_str(&self.kubectl(&format!("get {args} -o json"))).unwrap()
    }

    /// As somebody else would do it.
    #[track_caller]
    pub(crate) fn create(&self, object: &Value) {
        let file = self.file(object);
        self.kubectl(&format!("create -f {file}"));
    }

    /// Writes the status of an object (`args` for `kubectl get`), as a controller or a kubelet would.
    pub(crate) async fn set_status(&self, path: &str, args: &str, status: Value) {
        self.eventually("the status", |site| {
            let mut object = site.get(args);
            object["status"] = status.clone();
            let (path, file) = (format!("{path}/status"), site.file(&object));
            site.cluster.kubectl(&["replace", "--raw", &path, "-f", &file]).is_ok()
        })
        .await;
    }

    /// For the next story of the same cluster.
    pub(crate) async fn empty(&self) {
        self.applier.want(Vec::new());
        self.until("nothing", <[_]>::is_empty).await;
    }

    #[track_caller]
    fn file(&self, object: &Value) -> String {
        let path = self.cluster.folder().join("object.json");
        std::fs::write(&path, object.to_string()).unwrap();
        path.display().to_string()
    }

    /// Waits for something that is not of the applier's picture.
    pub(crate) async fn eventually(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let start = tokio::time::Instant::now();
        while !holds(self) {
            assert!(start.elapsed() < PATIENCE, "{what} did not come: {:#?}", self.seen.borrow());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// An order of deployment `id`, with these applications of these objects.
pub(crate) fn order(id: u128, applications: &[(&str, Vec<Value>)]) -> Order {
    let deployment = Uuid::from_u128(id);
    let mut blobs = BTreeMap::new();
    let application = |(name, objects): &(&str, Vec<Value>)| {
        let lines: Vec<String> = objects.iter().map(Value::to_string).collect();
        let blob = lines.join("\n").into_bytes();
        let (digest, size) = (Digest::of(&blob), blob.len() as u64);
        blobs.insert(digest, Arc::new(blob));
        let body = Body::Manifests { digest, size, namespace: "shop".into() };
        Application { name: (*name).into(), patience_s: 120, body }
    };
    let applications: Vec<Application> = applications.iter().map(application).collect();
    let revision = Digest::of(&serde_json::to_vec(&applications).unwrap());
    let name = format!("d{id}.acme");
    Order { release: Release { deployment, name, revision, applications }, blobs, secrets: None }
}

/// With the value of secret parameter `password`.
pub(crate) fn with_password(mut order: Order, value: &str) -> Order {
    let values = BTreeMap::from([(placeholder(order.release.deployment, "password"), value.to_owned())]);
    order.secrets = Some(Arc::new(Values::new(Secrets { values })));
    order
}

pub(crate) fn config_map(name: &str, data: &[(&str, &str)]) -> Value {
    let data: BTreeMap<_, _> = data.iter().copied().collect();
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

pub(crate) fn deployment(name: &str, replicas: u32) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": name}},
        "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "app", "image": "registry.test/app:1"}]},
        },
    }})
}

/// A definition of a kind, with any fields.
pub(crate) fn definition(group: &str, kind: &str, scope: &str) -> Value {
    let (singular, any) =
        (kind.to_lowercase(), json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}));
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
    "metadata": {"name": format!("{singular}s.{group}")},
    "spec": {
        "group": group, "scope": scope,
        "names": {"kind": kind, "plural": format!("{singular}s"), "singular": singular},
        "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
            "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": any, "status": any}}}}],
    }})
}
