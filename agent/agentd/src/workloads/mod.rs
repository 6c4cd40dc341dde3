//! What the host is to run: fetched from the provisioner, kept on disk, carried out, reported; and the tunnel inwards.
//!
//! ```text
//!  provisioner --desired--> Orders --+--> node    (cairn-node): part of a Kubernetes cluster
//!      ^  ^          (kept on disk)  +--> cluster (cairn-applier): objects, where this host has the API server
//!      |  |                          +--> own     (cairn-runtime): containers, virtual machines
//!      |  +--observed-- report <---- what each of them sees
//!      +--secrets, blobs, /v2/ ----- vault, store, registry on loopback
//!      +--tunnel ------------------- streams inwards
//! ```
//! On a thread of its own, apart from attestation and heartbeats ([`crate::service`]): whatever stands still here, the host stays
//! known as alive. Each part is a task of its own; none waits for another. Before the provisioner answers, the kept orders count.

pub mod access;
mod blobs;
pub mod calls;
mod cluster;
pub mod desired;
mod door;
mod engine;
pub mod kept;
mod own;
pub mod registry;
mod report;
mod secrets;
pub mod tunnel;

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use cairn_contract::workload::{Desired, NodeDesired, NodeObserved};
use cairn_node::words::Facts;
use cairn_node::{Node, Settings};
use cairn_runtime::Runtime;
use cairn_runtime::image::HttpRegistry;
use cairn_runtime::units::Units;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use access::Accesses;
use blobs::Store;
use calls::Calls;
use cluster::InCluster;
use desired::Orders;
use engine::Engine;
use kept::Kept;
use own::Own;
use report::Sources;
use secrets::Vault;
use tunnel::Doors;

/// Where things are on this host.
#[derive(Debug, Clone)]
pub struct Config {
    /// Outlives a reboot: `/var/lib/cairn`.
    pub state: PathBuf,
    /// In memory: `/run/cairn`.
    pub run: PathBuf,
    /// Loopback port of the registry.
    pub registry_port: u16,
    /// Where containerd looks for registries; one that cannot be written is passed over.
    pub registry_hosts: Vec<PathBuf>,
    /// The provisioner: by the way to it this host's own address is known.
    pub server: SocketAddr,
}

impl Config {
    /// Of an installed host.
    #[must_use]
    pub fn usual(server: SocketAddr) -> Self {
        let run = PathBuf::from("/run/cairn");
        let on_disk = PathBuf::from("/var/lib/cairn");
        // The tiny image has no disk to write on.
        let state = if make(&on_disk).is_ok() { on_disk } else { run.join("state") };
        let registry_hosts = vec![PathBuf::from("/etc/containerd/certs.d"), run.join("certs.d")];
        Self { state, run, registry_port: 5051, registry_hosts, server }
    }
}

/// Starts the thread; it runs as long as the process.
///
/// # Errors
/// When there is no thread to be had.
pub fn spawn(config: Config, accesses: Accesses) -> anyhow::Result<()> {
    let work = move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let done = match runtime {
            Ok(runtime) => runtime.block_on(run(config, accesses)),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = done {
            tracing::error!("nothing can be run on this host: {error:#}");
        }
    };
    std::thread::Builder::new().name("workloads".into()).spawn(work).context("no thread")?;
    Ok(())
}

/// Runs until `accesses` ends.
///
/// # Errors
/// When the folders cannot be made.
pub async fn run(config: Config, accesses: Accesses) -> anyhow::Result<()> {
    make(&config.state).with_context(|| format!("cannot make {}", config.state.display()))?;
    make(&config.run).with_context(|| format!("cannot make {}", config.run.display()))?;
    let kept = Kept::within(&config.state);
    let (tell, orders) = watch::channel(kept.load().map(Arc::new));
    let mut parts = JoinSet::new();
    let (calls, bulk) = (Arc::new(Calls::new(accesses.clone())), Arc::new(Calls::new(accesses.clone())));
    parts.spawn(desired::run(Arc::clone(&calls), accesses.clone(), kept, tell));
    let here = serve_registry(&config, &bulk, &orders, &mut parts).await;
    let vault = Arc::new(Vault::new(Arc::clone(&calls)));
    let store = Arc::new(Store::new(bulk, &config.state));
    let (of_vault, of_store) = (Arc::clone(&vault), Arc::clone(&store));
    let (for_vault, for_store) = (orders.clone(), orders.clone());
    parts.spawn(async move { of_vault.run(for_vault).await });
    parts.spawn(async move { of_store.run(for_store).await });
    let local = Host { config, store, vault, here };
    let sources = local.start(&orders, &accesses, &mut parts)?;
    parts.spawn(report::run(calls, accesses.clone(), sources));
    while let Some(ended) = parts.join_next().await {
        if let Err(error) = ended {
            tracing::error!("a part of the agent ended: {error}");
        }
        if accesses.has_changed().is_err() {
            break;
        }
    }
    Ok(())
}

/// What the parts on this host are made from.
struct Host {
    config: Config,
    store: Arc<Store>,
    vault: Arc<Vault>,
    /// The registry on loopback.
    here: SocketAddr,
}

impl Host {
    fn start(
        &self,
        orders: &Orders,
        accesses: &Accesses,
        parts: &mut JoinSet<()>,
    ) -> anyhow::Result<Sources> {
        let folder = self.config.state.join("units");
        let units = cairn_runtime::units::of_this_host(&folder).context("the supervisor of units")?;
        let engine = Engine::new(Arc::clone(&units), &self.config.run, &self.config.state);
        let runtime = Arc::new(self.runtime(&engine, Arc::clone(&units))?);
        let (own_said, own) = watch::channel(Vec::new());
        let (applied_said, applied) = watch::channel(Vec::new());
        let (node_said, node) = watch::channel(None);
        let (place, control_plane) = watch::channel(None);
        let ours =
            Own { runtime: Arc::clone(&runtime), engine, vault: Arc::clone(&self.vault), said: own_said };
        parts.spawn(ours.run(orders.clone()));
        let doors = Arc::new(Doors::new(control_plane, Arc::new(door::Door(runtime))));
        parts.spawn(tunnel::run(accesses.clone(), doors));
        let of_cluster = Cluster {
            folder: self.config.state.join("node"),
            server: self.config.server,
            store: Arc::clone(&self.store),
            vault: Arc::clone(&self.vault),
            units,
        };
        let inner = (applied_said, place, node_said);
        parts.spawn(of_cluster.run(orders.clone(), inner));
        Ok(Sources { orders: orders.clone(), node, applied, own })
    }

    fn runtime(&self, engine: &Engine, units: Arc<dyn Units>) -> anyhow::Result<Runtime> {
        // `${cairn.registry}` of packages is the appliance's own address.
        let registry = HttpRegistry::new(self.here.to_string(), Arc::new(Loopback(self.here)))
            .known_as(self.config.server.to_string());
        let config = engine.config(&self.config.run, &self.config.state);
        Runtime::open(config, units, Arc::new(registry)).context("containers and virtual machines")
    }
}

/// The registry's own listener.
struct Loopback(SocketAddr);

impl cairn_runtime::image::Dial for Loopback {
    fn dial(&self) -> futures_util::future::BoxFuture<'_, io::Result<Box<dyn cairn_runtime::image::Duplex>>> {
        Box::pin(async {
            let stream = tokio::net::TcpStream::connect(self.0).await?;
            Ok(Box::new(stream) as Box<dyn cairn_runtime::image::Duplex>)
        })
    }
}

/// The node and what is applied to its cluster; begun when there are orders for the first time.
struct Cluster {
    folder: PathBuf,
    units: Arc<dyn Units>,
    server: SocketAddr,
    store: Arc<Store>,
    vault: Arc<Vault>,
}

type Inner = (
    watch::Sender<Vec<cairn_contract::workload::ReleaseObserved>>,
    watch::Sender<Option<tunnel::ControlPlane>>,
    watch::Sender<Option<NodeObserved>>,
);

impl Cluster {
    async fn run(self, mut orders: Orders, (said, place, node_said): Inner) {
        // A host that never was a node needs none of this in its memory.
        let registry = loop {
            let desired = orders.borrow_and_update().clone();
            if let Some(desired) = desired.filter(|d| d.node.is_some() || self.was_node()) {
                break desired.registry.as_ref().map(|r| r.address.clone());
            }
            if orders.changed().await.is_err() {
                return;
            }
        };
        let facts = Facts { node_ip: own_address(self.server).await, registry };
        let settings = Settings { folder: self.folder.clone(), facts: facts.clone() };
        let (store, vault) = (Arc::clone(&self.store), Arc::clone(&self.vault));
        let node = match Node::open(settings, store, self.units, vault) {
            Ok(node) => node,
            Err(error) => {
                return tracing::error!("this host cannot be a node: {:#}", anyhow::Error::new(error));
            }
        };
        let (tell, wanted) = watch::channel(node_of(&orders));
        let in_cluster =
            InCluster { facts, folder: self.folder, store: self.store, vault: self.vault, said, place };
        let mut parts = JoinSet::new();
        parts.spawn(node.run(wanted, node_said, CancellationToken::new()));
        parts.spawn(in_cluster.run(orders.clone()));
        while orders.changed().await.is_ok() {
            let node = node_of(&orders);
            tell.send_if_modified(|old| {
                let differs = *old != node;
                *old = node;
                differs
            });
        }
    }

    fn was_node(&self) -> bool {
        fs::read_dir(&self.folder).is_ok_and(|mut entries| entries.next().is_some())
    }
}

fn node_of(orders: &Orders) -> Option<NodeDesired> {
    orders.borrow().as_ref().and_then(|desired: &Arc<Desired>| desired.node.clone())
}

/// By the route to the provisioner; nothing is sent.
async fn own_address(server: SocketAddr) -> IpAddr {
    loop {
        let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let routed = UdpSocket::bind(any).and_then(|socket| {
            socket.connect(server)?;
            socket.local_addr()
        });
        match routed {
            Ok(address) => return address.ip(),
            Err(_) => sleep(Duration::from_secs(1)).await,
        }
    }
}

/// Listens for pulls, and tells containerd where. Without the port images do not come; the rest goes on.
async fn serve_registry(
    config: &Config,
    bulk: &Arc<Calls>,
    orders: &Orders,
    parts: &mut JoinSet<()>,
) -> SocketAddr {
    let wanted = SocketAddr::from(([127, 0, 0, 1], config.registry_port));
    let here = match registry::bind(config.registry_port).await {
        Ok(listener) => {
            let here = listener.local_addr().unwrap_or(wanted);
            parts.spawn(registry::run(listener, Arc::clone(bulk)));
            here
        }
        Err(error) => {
            tracing::error!(%error, "nothing listens for pulls on {wanted}");
            wanted
        }
    };
    let (folders, mut orders) = (config.registry_hosts.clone(), orders.clone());
    parts.spawn(async move {
        loop {
            let registry = orders.borrow_and_update().as_ref().and_then(|d| d.registry.clone());
            for folder in registry.iter().flat_map(|_| &folders) {
                let address = registry.as_ref().map_or("", |r| r.address.as_str());
                if let Err(error) = registry::write_hosts(folder, address, here) {
                    tracing::debug!(%error, "containerd is not told of the registry in {}", folder.display());
                }
            }
            if orders.changed().await.is_err() {
                return;
            }
        }
    });
    here
}

/// A folder that is the agent's alone.
fn make(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}
