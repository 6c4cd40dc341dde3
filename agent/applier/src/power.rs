//! Virtual machines of KubeVirt are started, stopped and started again.
//!
//! Start and stop set `spec.runStrategy` under a field manager of its own, so that they are no drift of the release: it keeps the
//! run strategy that was set by hand until its own object changes. A restart is KubeVirt's subresource; where that API is absent
//! the machine's instance is deleted, which makes KubeVirt begin another (documented for `runStrategy: Always`).
//!
//! Checked against the form of `kubevirt.io/v1` only: virt-api, virt-handler and virt-launcher cannot run on the build machines.

use serde_json::{Value, json};

use crate::cluster::{CallError, Cluster};
use crate::key::{Gvk, at, each, is_name, text};

/// Field manager of what was set by hand.
const MANAGER: &str = "cairn-power";

/// What a machine is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Power {
    /// Run, and be started again when it ends.
    Start,
    /// Be off.
    Stop,
    /// Begin anew.
    Restart,
}

/// A machine that did not do it.
#[derive(Debug, thiserror::Error)]
pub enum PowerError {
    /// No name of an object.
    #[error("{0} is no name of a virtual machine")]
    Name(String),
    /// It is not there.
    #[error("this cluster has no virtual machine {namespace}/{name}, or no KubeVirt")]
    Absent {
        /// Where it was looked for.
        namespace: String,
        /// What was looked for.
        name: String,
    },
    /// It is off.
    #[error("{namespace}/{name} does not run; start it instead")]
    Off {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// The API server or KubeVirt refused.
    #[error("the virtual machine could not be changed")]
    Call(#[source] CallError),
}

/// Starts, stops or restarts a machine.
///
/// # Errors
/// See [`PowerError`].
pub async fn switch(cluster: &Cluster, namespace: &str, name: &str, power: Power) -> Result<(), PowerError> {
    if let Some(bad) = [namespace, name].into_iter().find(|n| !is_name(n)) {
        return Err(PowerError::Name(bad.to_owned()));
    }
    let absent = || PowerError::Absent { namespace: namespace.to_owned(), name: name.to_owned() };
    let path = format!("/apis/kubevirt.io/v1/namespaces/{namespace}/virtualmachines/{name}");
    let machine = cluster.find(&path).await.map_err(PowerError::Call)?.ok_or_else(absent)?;
    let strategy = match power {
        Power::Start => "Always",
        Power::Stop => "Halted",
        Power::Restart => return restart(cluster, namespace, name).await,
    };
    cluster.merge(&path, MANAGER, &run(&machine, strategy)).await.map_err(PowerError::Call)?;
    Ok(())
}

/// `spec.running` and `spec.runStrategy` exclude each other; the machine says which of them it uses.
fn run(machine: &Value, strategy: &str) -> Value {
    if at(machine, &["spec", "running"]).is_some_and(|v| !v.is_null()) {
        return json!({"spec": {"running": strategy == "Always"}});
    }
    json!({"spec": {"runStrategy": strategy}})
}

async fn restart(cluster: &Cluster, namespace: &str, name: &str) -> Result<(), PowerError> {
    let asked =
        format!("/apis/subresources.kubevirt.io/v1/namespaces/{namespace}/virtualmachines/{name}/restart");
    match cluster.order(&asked).await {
        Err(e) if e.is_absent() => {}
        other => return other.map_err(PowerError::Call),
    }
    let path = format!("/apis/kubevirt.io/v1/namespaces/{namespace}/virtualmachineinstances/{name}");
    let off = || PowerError::Off { namespace: namespace.to_owned(), name: name.to_owned() };
    let instance = cluster.find(&path).await.map_err(PowerError::Call)?.ok_or_else(off)?;
    cluster.delete(&path, text(&instance, &["metadata", "uid"])).await.map_err(PowerError::Call)
}

/// Whether objects of the kind can be switched by hand.
pub(crate) fn concerns(gvk: &Gvk) -> bool {
    gvk.is("kubevirt.io", "VirtualMachine")
}

/// Keeps in `body` the run strategy that was set by hand; says whether there was one.
pub(crate) fn keep(body: &mut Value, live: &Value) -> bool {
    let mut kept = false;
    for field in ["runStrategy", "running"] {
        let noted = format!("f:{field}");
        let by_hand = each(live, &["metadata", "managedFields"])
            .any(|e| text(e, &["manager"]) == MANAGER && at(e, &["fieldsV1", "f:spec", &noted]).is_some());
        let Some(value) = at(live, &["spec", field]).filter(|_| by_hand) else { continue };
        if let Some(slot) = body.get_mut("spec").and_then(|s| s.get_mut(field)) {
            *slot = value.clone();
            kept = true;
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_by_hand_is_kept_and_the_rest_is_not() {
        let live = json!({"spec": {"runStrategy": "Halted", "x": 1}, "metadata": {"managedFields": [
            {"manager": "cairn-power", "fieldsV1": {"f:spec": {"f:runStrategy": {}}}}]}});
        let mut body = json!({"spec": {"runStrategy": "Always", "x": 2}});
        assert!(keep(&mut body, &live));
        assert_eq!(body, json!({"spec": {"runStrategy": "Halted", "x": 2}}));
        let mut other = json!({"spec": {"runStrategy": "Always"}});
        assert!(!keep(&mut other, &json!({"spec": {"runStrategy": "Halted"}})));
        assert_eq!(other["spec"]["runStrategy"], "Always");
    }

    #[test]
    fn machines_with_the_older_field_are_switched_by_it() {
        assert_eq!(run(&json!({"spec": {"running": true}}), "Halted"), json!({"spec": {"running": false}}));
        assert_eq!(run(&json!({"spec": {}}), "Halted"), json!({"spec": {"runStrategy": "Halted"}}));
    }
}
