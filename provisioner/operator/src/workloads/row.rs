//! Rows of what hosts say, as the API shows them.

use cairn_contract::workload::{ApplicationObserved, WorkloadObserved};
use cairn_store::{Assignment, Progress};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A part of a deployment on one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationRow {
    /// Its name.
    pub name: String,
    /// `Waiting`, `Progressing`, `Ready`, `Degraded`, `Failed` or `Removing`.
    pub phase: String,
    /// One word.
    #[serde(default)]
    pub reason: String,
    /// For people.
    #[serde(default)]
    pub message: String,
    /// What it consists of.
    #[serde(default)]
    pub workloads: Vec<WorkloadRow>,
}

/// A container, a virtual machine, or an object of Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadRow {
    /// `Container`, `VirtualMachine`, `Deployment`, …
    pub kind: String,
    /// Of Kubernetes; else empty.
    #[serde(default)]
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// As an application's.
    pub phase: String,
    /// For people.
    #[serde(default)]
    pub message: String,
    /// Times that it was started again.
    #[serde(default)]
    pub restarts: u32,
}

impl From<ApplicationObserved> for ApplicationRow {
    fn from(said: ApplicationObserved) -> Self {
        let ApplicationObserved { name, phase, reason, message, workloads } = said;
        let workloads = workloads.into_iter().map(Into::into).collect();
        Self { name, phase: format!("{phase:?}"), reason, message, workloads }
    }
}

impl From<WorkloadObserved> for WorkloadRow {
    fn from(said: WorkloadObserved) -> Self {
        let WorkloadObserved { kind, namespace, name, phase, message, restarts } = said;
        Self { kind, namespace, name, phase: format!("{phase:?}"), message, restarts }
    }
}

/// How far an order is, in one word. What is to be removed and was never begun is on its way out, too.
pub(super) fn phase(row: &Assignment) -> String {
    match row.progress {
        Progress::Gone => "Removed".to_owned(),
        Progress::Said(_) if !row.wanted => "Removing".to_owned(),
        Progress::Said(phase) => format!("{phase:?}"),
    }
}
