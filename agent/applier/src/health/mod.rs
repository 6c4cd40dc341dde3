//! Whether an object does what it is for, read from its own status, by kind. Pure.
//!
//! | module | reads |
//! |---|---|
//! | `replicas` | Deployment, StatefulSet, DaemonSet, ReplicaSet, Job |
//! | `pod` | Pods, and why those of a workload do not run |
//! | `cluster` | claims, services, definitions, namespaces |
//! | `kubevirt` | virtual machines and their disks |
//! | `custom` | conditions of whatever else |

mod cluster;
mod custom;
mod kubevirt;
mod pod;
mod replicas;

use cairn_contract::workload::Phase;
use serde_json::Value;

pub use pod::{Pods, of_workload};

use crate::key::{Gvk, at, each, number, text};

/// How an object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// How far.
    pub state: State,
    /// For people.
    pub message: String,
}

/// How far an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It does what it is for.
    Ready,
    /// Not yet.
    Progressing,
    /// It says that it will not.
    Failed,
}

impl State {
    /// In a picture of something that was ready before, or not.
    #[must_use]
    pub fn phase(self, before: Before) -> Phase {
        match (self, before) {
            (Self::Ready, _) => Phase::Ready,
            (_, Before::Ready) => Phase::Degraded,
            (Self::Progressing, Before::Unready) => Phase::Progressing,
            (Self::Failed, Before::Unready) => Phase::Failed,
        }
    }
}

/// Whether it was ready at this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// Yes.
    Ready,
    /// Never.
    Unready,
}

/// What around an object explains it.
#[derive(Debug, Clone, Default)]
pub struct Around {
    /// Its events, in any order.
    pub events: Vec<Value>,
    /// Of a claim: its storage class waits for a pod.
    pub waits_for_pod: bool,
}

impl Around {
    /// The latest event with one of these reasons, or (`&[]`) the latest warning.
    fn latest(&self, reasons: &[&str]) -> Option<&Value> {
        let fits = |e: &&Value| {
            if reasons.is_empty() {
                text(e, &["type"]) == "Warning"
            } else {
                reasons.contains(&text(e, &["reason"]))
            }
        };
        self.events.iter().filter(fits).max_by_key(|e| (text(e, &["lastTimestamp"]), text(e, &["eventTime"])))
    }

    /// `: <message of the latest warning>`, or nothing.
    fn warning(&self) -> String {
        self.latest(&[]).map(|e| format!(": {}", brief(text(e, &["message"])))).unwrap_or_default()
    }
}

fn ready(message: impl Into<String>) -> Health {
    Health { state: State::Ready, message: message.into() }
}

fn progressing(message: impl Into<String>) -> Health {
    Health { state: State::Progressing, message: message.into() }
}

fn failed(message: impl Into<String>) -> Health {
    Health { state: State::Failed, message: message.into() }
}

/// How `live` is.
#[must_use]
pub fn appraise(gvk: &Gvk, live: &Value, around: &Around) -> Health {
    if at(live, &["metadata", "deletionTimestamp"]).is_some() {
        return progressing("it is being deleted by somebody");
    }
    match (gvk.group.as_str(), gvk.kind.as_str()) {
        ("apps" | "extensions", "Deployment") => replicas::deployment(live),
        ("apps", "StatefulSet") => replicas::stateful_set(live, around),
        ("apps" | "extensions", "DaemonSet") => replicas::daemon_set(live),
        ("apps" | "extensions", "ReplicaSet") | ("", "ReplicationController") => replicas::replica_set(live),
        ("batch", "Job") => replicas::job(live),
        ("", "Pod") => pod::pod(live, around),
        ("", "PersistentVolumeClaim") => cluster::claim(live, around),
        ("", "Service") => cluster::service(live, around),
        ("", "Namespace") => cluster::namespace(live),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => cluster::definition(live),
        ("apiregistration.k8s.io", "APIService") => custom::conditions(live),
        ("kubevirt.io", "VirtualMachine") => kubevirt::machine(live),
        ("kubevirt.io", "VirtualMachineInstance") => kubevirt::instance(live),
        ("cdi.kubevirt.io", "DataVolume") => kubevirt::data_volume(live),
        (group, _) if is_builtin(group) => ready("applied"),
        _ => custom::conditions(live),
    }
}

/// Groups of Kubernetes itself: their other kinds do nothing by themselves.
fn is_builtin(group: &str) -> bool {
    !group.contains('.') || BUILTIN.contains(&group)
}

const BUILTIN: [&str; 12] = [
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "rbac.authorization.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
];

/// A condition by its type.
fn condition<'a>(live: &'a Value, kind: &str) -> Option<&'a Value> {
    each(live, &["status", "conditions"]).find(|c| text(c, &["type"]) == kind)
}

/// Whether a condition has this status.
fn is(live: &Value, kind: &str, status: &str) -> bool {
    condition(live, kind).is_some_and(|c| text(c, &["status"]) == status)
}

/// Message of a condition, else its reason.
fn words(condition: &Value) -> String {
    let message = text(condition, &["message"]);
    brief(if message.is_empty() { text(condition, &["reason"]) } else { message })
}

/// Its controller has not seen the last change yet.
fn unseen(live: &Value) -> bool {
    number(live, &["status", "observedGeneration"]) < number(live, &["metadata", "generation"])
}

/// At most 300 characters, in one line.
fn brief(text: &str) -> String {
    let line: String = text.chars().take(300).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.len() < text.len() { format!("{line}…") } else { line }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// `state: message` of an object.
    pub(super) fn told(api_version: &str, kind: &str, live: &Value) -> String {
        told_with(api_version, kind, (live, &Around::default()))
    }

    pub(super) fn told_with(api_version: &str, kind: &str, (live, around): (&Value, &Around)) -> String {
        let health = appraise(&Gvk::new(api_version, kind).unwrap(), live, around);
        format!("{:?}: {}", health.state, health.message)
    }

    #[test]
    fn kinds_that_do_nothing_are_ready_when_they_are_there() {
        assert_eq!(told("v1", "ConfigMap", &json!({})), "Ready: applied");
        assert_eq!(told("rbac.authorization.k8s.io/v1", "Role", &json!({})), "Ready: applied");
        let going = json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}});
        assert!(told("v1", "ConfigMap", &going).starts_with("Progressing"));
    }

    #[test]
    fn phases_depend_on_what_was_before() {
        assert_eq!(State::Progressing.phase(Before::Ready), Phase::Degraded);
        assert_eq!(State::Failed.phase(Before::Unready), Phase::Failed);
        assert_eq!(State::Ready.phase(Before::Unready), Phase::Ready);
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            prop::sample::select(vec!["True", "False", "Ready", "Running", "Failed", "x"])
                .prop_map(Value::from),
        ];
        let names = prop::sample::select(vec![
            "status",
            "spec",
            "conditions",
            "type",
            "replicas",
            "phase",
            "containerStatuses",
            "state",
            "waiting",
            "reason",
            "metadata",
            "generation",
            "observedGeneration",
            "loadBalancer",
            "ingress",
            "restartCount",
            "message",
        ]);
        leaf.prop_recursive(5, 60, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(names.clone().prop_map(str::to_owned), inner, 0..6)
                    .prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_status_makes_it_panic(live in any_json(), event in any_json()) {
            let around = Around { events: vec![event], waits_for_pod: false };
            for (group, kind) in [
                ("apps/v1", "Deployment"), ("apps/v1", "StatefulSet"), ("apps/v1", "DaemonSet"), ("apps/v1", "ReplicaSet"),
                ("batch/v1", "Job"), ("v1", "Pod"), ("v1", "PersistentVolumeClaim"), ("v1", "Service"), ("v1", "Namespace"),
                ("apiextensions.k8s.io/v1", "CustomResourceDefinition"), ("kubevirt.io/v1", "VirtualMachine"),
                ("kubevirt.io/v1", "VirtualMachineInstance"), ("cdi.kubevirt.io/v1beta1", "DataVolume"), ("x.io/v1", "X"),
            ] {
                let _ = appraise(&Gvk::new(group, kind).unwrap(), &live, &around);
            }
            let _ = of_workload(std::slice::from_ref(&live), &around);
        }
    }
}
