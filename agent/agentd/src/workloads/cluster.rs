//! What is applied to the host's cluster, while the host is its control plane: the releases' objects, and the bindings of people's
//! groups. The client of Kubernetes exists only while there is an API server.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cairn_applier::{Applier, Order, Values};
use cairn_contract::Digest;
use cairn_contract::workload::{
    Application, Body, Desired, NodeDesired, NodeRole, Release, ReleaseObserved, Secrets,
};
use cairn_node::words::{Facts, Words};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::blobs::Store;
use super::desired::Orders;
use super::secrets::Vault;
use super::tunnel::ControlPlane;

/// Between two looks for the kubeconfig, while there is none or it may change.
const LOOK: Duration = Duration::from_secs(2);
/// No deployment has it: the bindings are the agent's own release.
const ACCESS: Uuid = Uuid::from_u128(0x6361_6972_6e2d_4163_8ce5_5300_0000_0001);
/// Groups of the built-in roles, and the roles that Kubernetes has for their like. Who may do everything needs no binding.
const BOUND: [(&str, &str); 5] = [
    ("viewer", "view"),
    ("auditor", "view"),
    ("site-operator", "view"),
    ("host-installer", "view"),
    ("app-deployer", "edit"),
];

/// Applies.
pub(super) struct InCluster {
    pub(super) facts: Facts,
    /// `cairn_node`'s folder.
    pub(super) folder: PathBuf,
    pub(super) store: Arc<Store>,
    pub(super) vault: Arc<Vault>,
    pub(super) said: watch::Sender<Vec<ReleaseObserved>>,
    pub(super) place: watch::Sender<Option<ControlPlane>>,
}

impl InCluster {
    /// Follows the orders; done when they end.
    pub(super) async fn run(self, mut orders: Orders) {
        loop {
            let place = orders.borrow_and_update().as_ref().and_then(|d| self.control_plane(d.node.as_ref()));
            self.place.send_if_modified(|old| {
                let differs = *old != place;
                old.clone_from(&place);
                differs
            });
            let kubeconfig = place.as_ref().and_then(|at| std::fs::read_to_string(&at.kubeconfig).ok());
            match (place, kubeconfig) {
                (Some(place), Some(kubeconfig)) => self.keep(&place, &kubeconfig, &mut orders).await,
                _ => {
                    self.said.send_if_modified(|old| !std::mem::take(old).is_empty());
                    tokio::select! {
                        changed = orders.changed() => if changed.is_err() { return },
                        () = sleep(LOOK) => {}
                    }
                }
            }
            if orders.has_changed().is_err() {
                return;
            }
        }
    }

    fn control_plane(&self, node: Option<&NodeDesired>) -> Option<ControlPlane> {
        let node = node.filter(|node| node.role == NodeRole::ControlPlane)?;
        let words = Words::of(node, &self.facts, &self.folder);
        let kubeconfig = words.fill(&node.distribution.admin_kubeconfig).ok()?;
        Some(ControlPlane { cluster: node.cluster, kubeconfig: kubeconfig.into() })
    }

    /// Runs an applier until the control plane is elsewhere, or another one is in its place.
    async fn keep(&self, place: &ControlPlane, kubeconfig: &str, orders: &mut Orders) {
        let applier = match Applier::connect(kubeconfig).await {
            Ok(applier) => Arc::new(applier),
            Err(error) => {
                tracing::warn!("the cluster cannot be used: {:#}", anyhow::Error::new(error));
                return sleep(LOOK).await;
            }
        };
        let stop = CancellationToken::new();
        let _ends_with_us = stop.clone().drop_guard();
        let mut running = JoinSet::new();
        let (of_applier, token) = (Arc::clone(&applier), stop);
        running.spawn(async move { of_applier.run(token).await });
        let (mut blobs, mut secrets, mut seen) = (self.store.news(), self.vault.news(), applier.observed());
        loop {
            let desired = orders.borrow_and_update().clone();
            let still = desired.as_ref().and_then(|d| self.control_plane(d.node.as_ref()));
            let text = std::fs::read_to_string(&place.kubeconfig);
            if still.as_ref() != Some(place) || text.is_ok_and(|text| text != kubeconfig) {
                return;
            }
            if let Some(desired) = &desired {
                applier.want(self.wanted(desired));
            }
            let said: Vec<ReleaseObserved> =
                seen.borrow_and_update().iter().filter(|r| r.deployment != ACCESS).cloned().collect();
            self.said.send_if_modified(|old| {
                let differs = *old != said;
                *old = said;
                differs
            });
            tokio::select! {
                changed = orders.changed() => if changed.is_err() { return },
                _ = blobs.changed() => {}
                _ = secrets.changed() => {}
                _ = seen.changed() => {}
                _ = running.join_next() => return,
                () = sleep(LOOK) => {}
            }
        }
    }

    fn wanted(&self, desired: &Desired) -> Vec<Order> {
        let has_objects = |release: &&Release| release.applications.iter().any(|a| digest_of(a).is_some());
        let order = |release: &Release| {
            let digests: Vec<Digest> = release.applications.iter().filter_map(digest_of).collect();
            Order {
                release: release.clone(),
                blobs: self.store.manifests(&digests),
                secrets: self.vault.of(release),
            }
        };
        let releases = desired.releases.iter().filter(has_objects).map(order);
        releases.chain([access()]).collect()
    }
}

fn digest_of(application: &Application) -> Option<Digest> {
    match &application.body {
        Body::Manifests { digest, .. } => Some(*digest),
        Body::Container(_) | Body::Vm(_) => None,
    }
}

/// The bindings, as a release like others: applied, and put right when somebody changes them.
fn access() -> Order {
    let lines: Vec<String> = BOUND.iter().map(|(group, role)| binding(group, role).to_string()).collect();
    let bytes = lines.join("\n").into_bytes();
    let digest = Digest::of(&bytes);
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let body = Body::Manifests { digest, size, namespace: "default".to_owned() };
    let application = Application { name: "access".to_owned(), patience_s: 300, body };
    let release = Release {
        deployment: ACCESS,
        name: "access.cairn".to_owned(),
        revision: digest,
        applications: vec![application],
    };
    let none = Values::new(Secrets { values: BTreeMap::new() });
    Order { release, blobs: BTreeMap::from([(digest, Arc::new(bytes))]), secrets: Some(Arc::new(none)) }
}

fn binding(group: &str, role: &str) -> serde_json::Value {
    let api = "rbac.authorization.k8s.io";
    serde_json::json!({
        "apiVersion": format!("{api}/v1"),
        "kind": "ClusterRoleBinding",
        "metadata": { "name": format!("cairn:{group}") },
        "roleRef": { "apiGroup": api, "kind": "ClusterRole", "name": role },
        "subjects": [{ "apiGroup": api, "kind": "Group", "name": format!("cairn:{group}") }],
    })
}
