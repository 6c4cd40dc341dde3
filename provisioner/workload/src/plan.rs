//! What follows from desired and observed: orders, statuses, and what the caller must make first.

use cairn_contract::Digest;
use cairn_domain::model::{Chart, Files, Kind, Namespace, Uid};
use serde::Serialize;
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

use crate::{Body, World, cluster, deployment, state::State};

/// What to do now. Applying it and planning again gives no orders.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// Changes of rows, each host and subject once.
    pub orders: Vec<Order>,
    /// `status` of clusters and deployments, only where it differs from what the index has.
    pub statuses: Vec<(Uid, Value)>,
    /// What must be rendered before further orders can be given; each key once.
    pub renders: Vec<Render>,
    /// Bootstrap tokens that are missing.
    pub tokens: Vec<WantedToken>,
    /// Clusters that policies ask for.
    pub clusters: Vec<WantedCluster>,
}

/// A change of one row.
#[derive(Debug, Clone, PartialEq)]
pub enum Order {
    /// The host shall have this.
    Put {
        /// Which host.
        host: Uid,
        /// Row's subject.
        subject: Uid,
        /// [`Body::kind`].
        kind: Kind,
        /// [`Body::revision`].
        revision: Digest,
        /// What.
        body: Body,
    },
    /// The host shall have nothing of it: the row's body becomes NULL, and the row goes when the host no longer speaks of it.
    Remove {
        /// Which host.
        host: Uid,
        /// Row's subject.
        subject: Uid,
    },
}

impl Order {
    pub(crate) fn put(host: Uid, subject: Uid, body: Body) -> Self {
        Self::Put { host, subject, kind: body.kind(), revision: body.revision(), body }
    }
}

/// A token that a host needs to join.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct WantedToken {
    /// Whose cluster.
    pub cluster: Uid,
    /// Which host.
    pub host: Uid,
    /// Its node's name.
    pub node: String,
}

/// A cluster that a policy asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedCluster {
    /// Its name: the host's.
    pub name: String,
    /// The host's project.
    pub namespace: Namespace,
    /// Names of its hosts.
    pub hosts: Vec<String>,
    /// `spec.template`.
    pub template: Option<String>,
}

/// Something to be made into a blob of JSON lines, one Kubernetes object each.
#[derive(Debug, Clone, PartialEq)]
pub struct Render {
    /// Of all inputs.
    pub key: Digest,
    /// The inputs.
    pub input: Arc<RenderInput>,
}

/// What is rendered. Texts in place are substituted already; texts in an archive are not:
/// see [`crate::substitute`] with `texts`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum RenderInput {
    /// Files of YAML or JSON.
    Manifests {
        /// Files.
        files: Files,
        /// Parameters as text, for files of an archive.
        texts: BTreeMap<String, String>,
    },
    /// A kustomization.
    Kustomize {
        /// Files.
        files: Files,
        /// Parameters as text, for files of an archive.
        texts: BTreeMap<String, String>,
    },
    /// A chart. Its values are substituted; its files are not, as they have templates of their own.
    Helm {
        /// The chart.
        chart: Chart,
        /// Name of the release.
        release: String,
        /// Namespace of the release.
        namespace: String,
        /// Kubernetes version of the cluster, such as `1.36.1`.
        kubernetes: String,
    },
    /// Objects as they are: `VirtualMachine`s of KubeVirt.
    Objects(Vec<Value>),
}

impl RenderInput {
    /// Changes whenever what is rendered may change.
    pub fn key(&self) -> Digest {
        Digest::of(&serde_json::to_vec(&("render 1", self)).unwrap_or_default())
    }
}

/// Compares what is desired with what was told and observed. Total: any world gives a plan.
pub fn plan(world: &World<'_>) -> Plan {
    let state = State::of(world);
    let mut plan = Plan::default();
    cluster::plan(&state, &mut plan);
    deployment::plan(&state, &mut plan);
    plan
}
