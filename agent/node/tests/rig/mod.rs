//! Hosts for the tests: each a machine with network and mounts of its own, the agent's node on it, and `kubeadm.yaml` with what
//! Kubernetes 1.20 and a machine without systemd need besides.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cairn_contract::workload::{
    Artifact, Bootstrap, Distribution, Join, ManagedFile, NodeDesired, NodeObserved, NodeRole, Placement,
};
use cairn_contract::{Digest, Timestamp};
use cairn_kube_rig::{Binaries, Machine, Wire, image};
use cairn_node::words::Facts;
use cairn_node::{Blobs, FetchError, Node, Settings, Sink, Tokens};
use cairn_runtime::units::Children;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(crate) const CLUSTER: Uuid = Uuid::from_u128(0xca1);
pub(crate) const PAUSE: &str = "registry.k8s.io/pause:3.10.1";
pub(crate) const PROGRAMS: [&str; 12] = [
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kubeadm",
    "kubectl",
    "containerd",
    "containerd-shim-runc-v2",
    "ctr",
    "runc",
];

/// Blobs on this disk, by digest.
#[derive(Default)]
pub(crate) struct Store {
    files: BTreeMap<Digest, PathBuf>,
    /// Given instead of the right ones.
    pub wrong: Mutex<Option<Vec<u8>>>,
}

impl Blobs for Store {
    fn fetch<'a>(&'a self, digest: &'a Digest, _: u64, sink: &'a mut Sink) -> cairn_node::place::Answer<'a> {
        Box::pin(async move {
            if let Some(bytes) = &*self.wrong.lock().unwrap() {
                return Ok(sink.write(bytes)?);
            }
            let path = self.files.get(digest).ok_or_else(|| FetchError::Source("404".into()))?;
            let mut file = fs::File::open(path).map_err(|e| FetchError::Source(e.to_string()))?;
            let mut buffer = vec![0; 1 << 20];
            loop {
                match file.read(&mut buffer).unwrap() {
                    0 => return Ok(()),
                    count => sink.write(&buffer[..count])?,
                }
            }
        })
    }
}

/// Secret halves, as the provisioner would give them.
#[derive(Default)]
pub(crate) struct Halves(pub Mutex<BTreeMap<String, String>>);

impl Tokens for Halves {
    fn ask(&self, _: Uuid) -> cairn_node::secrets::Answer<'_> {
        let all = self.0.lock().unwrap().iter().map(|(k, v)| (k.clone(), v.clone().into())).collect();
        Box::pin(async move { Ok(all) })
    }
}

/// The site: artifacts, tokens, and the distribution made of both.
pub(crate) struct Site {
    pub wire: Wire,
    pub store: Arc<Store>,
    pub halves: Arc<Halves>,
    pub version: String,
    artifacts: Vec<Artifact>,
    _folder: tempfile::TempDir,
}

impl Site {
    pub(crate) fn new() -> Self {
        let binaries = Binaries::find().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::default();
        let mut add = |name: &str, path: &Path, place: Placement| {
            let bytes = fs::read(path).unwrap();
            let digest = Digest::of(&bytes);
            store.files.insert(digest, path.to_owned());
            Artifact { name: name.into(), digest, size: bytes.len() as u64, place }
        };
        let mut artifacts: Vec<Artifact> = PROGRAMS
            .iter()
            .map(|name| add(name, &binaries.program(name).unwrap(), Placement::Program((*name).into())))
            .collect();
        let plugins = folder.path().join("cni.tar");
        let mut archive = tar::Builder::new(fs::File::create(&plugins).unwrap());
        for plugin in ["bridge", "host-local", "loopback", "portmap"] {
            archive.append_path_with_name(binaries.cni().join(plugin), plugin).unwrap();
        }
        archive.finish().unwrap();
        artifacts.push(add("cni-plugins", &plugins, Placement::Unpack("/opt/cni/bin".into())));
        let pause = folder.path().join("pause.tar");
        image::write(&pause, &[PAUSE]).unwrap();
        artifacts.push(add("pause", &pause, Placement::Image));
        let version = binaries.version().unwrap();
        let (store, halves) = (Arc::new(store), Arc::new(Halves::default()));
        Self { wire: Wire::new().unwrap(), store, halves, version, artifacts, _folder: folder }
    }

    /// Makes a token's secret half known.
    pub(crate) fn token(&self, id: &str) -> String {
        self.halves.0.lock().unwrap().insert(id.into(), format!("{id}0123456789"));
        id.to_owned()
    }

    pub(crate) fn host(&self, number: u8) -> Host {
        Host::new(Machine::start(&self.wire, number).unwrap(), self)
    }

    fn desired(&self, machine: &Machine, name: &str, role: NodeRole) -> NodeDesired {
        NodeDesired {
            cluster: CLUSTER,
            cluster_name: "test".into(),
            node_name: name.into(),
            role,
            distribution: self.distribution(machine),
            version: self.version.clone(),
            pod_cidr: "10.244.0.0/16".into(),
            service_cidr: "10.96.0.0/16".into(),
            extra: BTreeMap::new(),
            labels: [("zone".to_owned(), "a".to_owned())].into(),
            taints: vec![],
            cordoned: false,
            bootstrap: vec![],
            leaving: vec![],
        }
    }

    /// `kubeadm.yaml` with artifacts, a network of pods, and what this kind of machine needs. Each change is found, or the test
    /// ends.
    fn distribution(&self, machine: &Machine) -> Distribution {
        let mut text = include_str!("../../../../provisioner/workload/distributions/kubeadm.yaml").to_owned();
        let mut change = |from: &str, to: String| {
            assert!(text.contains(from), "kubeadm.yaml has no `{from}`");
            text = text.replace(from, &to);
        };
        // No systemd, no CAP_SYS_RESOURCE: shared/lab/kubernetes.md.
        change("SystemdCgroup = true", "SystemdCgroup = false".into());
        let cri = "[plugins.\"io.containerd.grpc.v1.cri\"]\n";
        change(cri, format!("{cri}          restrict_oom_score_adj = true\n"));
        let cgroup = machine.cgroup();
        let few = "failSwapOn: false\n        evictionHard: { memory.available: 50Mi, nodefs.available: 1% }";
        change(
            "cgroupDriver: systemd",
            format!("cgroupDriver: cgroupfs\n        cgroupRoot: {cgroup}\n        {few}"),
        );
        change(
            "- --proxy-mode=iptables",
            "- --proxy-mode=iptables\n        - --conntrack-max-per-core=0".into(),
        );
        if self.version.starts_with("1.2") {
            // Gone in 1.27; until then the file's field is not known.
            let remote = "- --container-runtime=remote\n        - --container-runtime-endpoint=unix:///run/cairn-kube/containerd.sock";
            change(
                "- --hostname-override={{node_name}}\n        - --node-ip",
                format!("{remote}\n        - --hostname-override={{{{node_name}}}}\n        - --node-ip"),
            );
        }
        let mut made: Distribution = serde_saphyr::from_str(&text).unwrap();
        made.artifacts = self.artifacts.clone();
        made.common.files.push(network());
        made
    }

    pub(crate) fn control_plane(&self, host: &Host, name: &str) -> NodeDesired {
        self.desired(&host.machine, name, NodeRole::ControlPlane)
    }

    pub(crate) fn worker(&self, host: &Host, name: &str, join: Join) -> NodeDesired {
        self.desired(&host.machine, name, NodeRole::Worker(Some(join)))
    }
}

fn network() -> ManagedFile {
    let text = r#"{"cniVersion":"0.4.0","name":"pods","plugins":[
        {"type":"bridge","bridge":"cni0","isGateway":true,"ipMasq":false,
         "ipam":{"type":"host-local","ranges":[[{"subnet":"10.244.0.0/24"}]],"routes":[{"dst":"0.0.0.0/0"}]}},
        {"type":"portmap","capabilities":{"portMappings":true},"snat":true}]}"#;
    ManagedFile { path: "/etc/cni/net.d/10-pods.conflist".into(), text: text.into(), private: false }
}

pub(crate) fn bootstrap(token_id: &str, node_name: &str, seconds: i64) -> Bootstrap {
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    let expires = Timestamp(1000 * (now + seconds));
    Bootstrap { token_id: token_id.into(), node_name: node_name.into(), expires }
}

/// A machine with an agent that is told what to do.
pub(crate) struct Host {
    pub machine: Machine,
    pub desired: watch::Sender<Option<NodeDesired>>,
    pub observed: watch::Receiver<Option<NodeObserved>>,
    agent: Option<Agent>,
    store: Arc<Store>,
    halves: Arc<Halves>,
    said: watch::Sender<Option<NodeObserved>>,
}

struct Agent {
    stop: CancellationToken,
    thread: std::thread::JoinHandle<()>,
}

impl Host {
    fn new(machine: Machine, site: &Site) -> Self {
        let (desired, _) = watch::channel(None);
        let (said, observed) = watch::channel(None);
        let (store, halves) = (site.store.clone(), site.halves.clone());
        Self { machine, desired, observed, agent: None, store, halves, said }
    }

    /// Starts its agent.
    pub(crate) fn start(&mut self) {
        let settings = Settings {
            folder: "/var/lib/cairn-node".into(),
            facts: Facts { node_ip: self.machine.address().parse().unwrap(), registry: None },
        };
        let (blobs, tokens) = (self.store.clone(), self.halves.clone());
        let (desired, said) = (self.desired.subscribe(), self.said.clone());
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let inside = self.machine.inside();
        let units = units_folder(&self.machine);
        let thread = std::thread::spawn(move || {
            inside.enter().unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let units = Arc::new(Children::open(&units).unwrap());
                let node = Node::open(settings, blobs, units, tokens).unwrap();
                node.run(desired, said, stopped).await;
            });
        });
        self.agent = Some(Agent { stop, thread });
    }

    /// Ends its agent; what it started goes on.
    pub(crate) fn stop(&mut self) {
        if let Some(agent) = self.agent.take() {
            agent.stop.cancel();
            agent.thread.join().unwrap();
        }
    }

    /// Waits until `holds` of what it says; it says what it said last when it does not come to that.
    #[track_caller]
    pub(crate) fn wait(
        &mut self,
        limit_s: u64,
        what: &str,
        holds: impl Fn(Option<&NodeObserved>) -> bool,
    ) -> Option<NodeObserved> {
        let until = Instant::now() + Duration::from_secs(limit_s);
        let mut last = None;
        loop {
            let now = self.observed.borrow().clone();
            if now != last {
                println!(
                    "  {}: {:?}",
                    self.machine.address(),
                    now.as_ref().map(|o| (o.phase, &o.reason, &o.message))
                );
                last.clone_from(&now);
            }
            if holds(now.as_ref()) {
                return now;
            }
            assert!(Instant::now() < until, "{}: {what} did not come: {now:?}", self.machine.address());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// kubectl on this control plane.
    pub(crate) fn kubectl(&self, args: &[&str]) -> Result<String, String> {
        let mut words = vec!["--kubeconfig=/etc/kubernetes/admin.conf"];
        words.extend(args);
        self.machine.run(|| run("/var/lib/cairn-node/bin/kubectl", &words)).unwrap()
    }

    /// Names of units that run.
    pub(crate) fn exists(&self, path: &str) -> bool {
        self.machine.run(|| Path::new(path).exists()).unwrap()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(agent) = self.agent.take() {
            agent.stop.cancel();
            let _ = agent.thread.join();
        }
        if std::thread::panicking() {
            let folder = units_folder(&self.machine).join("logs");
            self.machine.run(|| show_logs(&folder)).unwrap();
        }
    }
}

/// Units are known by their folder's name: machines share one view of processes.
fn units_folder(machine: &Machine) -> PathBuf {
    PathBuf::from(format!("/run/cairn-units-{}", machine.address()))
}

fn show_logs(folder: &Path) {
    let kubectl = "/var/lib/cairn-node/bin/kubectl";
    if Path::new("/etc/kubernetes/admin.conf").exists() {
        let asked = ["--kubeconfig=/etc/kubernetes/admin.conf", "get", "csr,nodes", "-o", "wide"];
        println!("{:?}", run(kubectl, &asked));
    }
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let text = fs::read(entry.path()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let last: Vec<&str> = text.lines().rev().take(25).collect();
        println!("== {}", entry.path().display());
        last.iter().rev().for_each(|line| println!("{}", line.chars().take(300).collect::<String>()));
    }
}

pub(crate) fn run(program: &str, args: &[&str]) -> Result<String, String> {
    let out = std::process::Command::new(program).args(args).output().map_err(|e| e.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if out.status.success() { Ok(text(&out.stdout)) } else { Err(text(&out.stderr)) }
}
