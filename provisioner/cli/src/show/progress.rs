//! How far a cluster or deployment is, in one word, from its status: the same as the console says.

use cairn_domain::model::Kind;
use serde_json::Value;

use crate::target::text;

/// `Ready`, `Progressing`, `Degraded`, `Failed`, `Paused`, `Waiting`; "" while nobody has looked at it.
pub(crate) fn phase(object: &Value) -> &'static str {
    let cluster = text(object, "/kind") == Kind::Cluster.name();
    if !cluster && object.pointer("/spec/paused").and_then(Value::as_bool) == Some(true) {
        return "Paused";
    }
    if object.pointer("/status").is_none_or(Value::is_null) {
        return "";
    }
    if condition(object, "Ready").is_some_and(|c| text(c, "/status") == "True") {
        return "Ready";
    }
    if cluster { of_cluster(object) } else { of_deployment(object) }
}

fn of_cluster(cluster: &Value) -> &'static str {
    let nodes = items(cluster, "/status/nodes");
    let any = |word: &str| nodes.iter().any(|n| text(n, "/phase") == word);
    let lost =
        condition(cluster, "ControlPlaneReady").is_some_and(|c| text(c, "/reason") == "ControlPlaneLost");
    let headless = nodes.iter().any(|n| text(n, "/role") == "controlPlane" && text(n, "/phase") == "Failed");
    match () {
        () if lost || headless => "Failed",
        () if any("Failed") || any("Degraded") => "Degraded",
        () if any("Progressing") || any("Ready") => "Progressing",
        () => "Waiting",
    }
}

fn of_deployment(deployment: &Value) -> &'static str {
    let stopped = condition(deployment, "RolloutStopped").is_some_and(|c| text(c, "/status") == "True");
    let count = |name: &str| number(deployment, &format!("/status/targets/{name}")).unwrap_or_default();
    match () {
        () if stopped || count("failed") > 0 && count("failed") == count("total") => "Failed",
        () if count("failed") > 0 => "Degraded",
        () if count("progressing") > 0 => "Progressing",
        () => "Waiting",
    }
}

/// `2/3`: ready of all; "" while nobody counted.
pub(crate) fn share(object: &Value) -> String {
    if let Some(nodes) = object.pointer("/status/nodes").and_then(Value::as_array) {
        let ready = nodes.iter().filter(|n| text(n, "/phase") == "Ready").count();
        return format!("{ready}/{}", nodes.len());
    }
    match (number(object, "/status/targets/ready"), number(object, "/status/targets/total")) {
        (Some(ready), Some(total)) => format!("{ready}/{total}"),
        _ => String::new(),
    }
}

/// Why it is not ready, or what else is wrong; "" where nothing is.
pub(crate) fn why(object: &Value) -> String {
    troubles(object).first().map_or_else(String::new, |c| match (text(c, "/reason"), text(c, "/message")) {
        (reason, "") => reason.to_owned(),
        (_, message) => message.to_owned(),
    })
}

/// Conditions that tell of trouble, the gravest first.
pub(crate) fn troubles(object: &Value) -> Vec<&Value> {
    let holds = |name: &str, status: &str| condition(object, name).filter(|c| text(c, "/status") == status);
    let not_ready = condition(object, "Ready").filter(|c| text(c, "/status") != "True");
    let all = [
        holds("RolloutStopped", "True"),
        not_ready,
        holds("Conflict", "True"),
        holds("LeavingLate", "True"),
        holds("AddonsReady", "False"),
    ];
    all.into_iter().flatten().collect()
}

fn condition<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    items(object, "/status/conditions").iter().find(|c| text(c, "/type") == name)
}

fn items<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn number(object: &Value, pointer: &str) -> Option<u64> {
    object.pointer(pointer).and_then(Value::as_u64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment(counts: [u64; 4], conditions: Value) -> Value {
        let [total, ready, progressing, failed] = counts;
        json!({"kind": "Deployment", "spec": {}, "status": {
            "targets": {"total": total, "ready": ready, "progressing": progressing, "failed": failed, "waiting": 0},
            "conditions": conditions}})
    }

    fn ready(status: &str) -> Value {
        json!([{"type": "Ready", "status": status, "reason": "X", "message": "because"}])
    }

    #[test]
    fn a_deployments_phase_follows_its_targets() {
        assert_eq!(phase(&json!({"kind": "Deployment", "spec": {"paused": true}})), "Paused");
        assert_eq!(phase(&json!({"kind": "Deployment", "spec": {}})), "");
        assert_eq!(phase(&deployment([3, 3, 0, 0], ready("True"))), "Ready");
        assert_eq!(phase(&deployment([3, 1, 2, 0], ready("False"))), "Progressing");
        assert_eq!(phase(&deployment([3, 1, 1, 1], ready("False"))), "Degraded");
        assert_eq!(phase(&deployment([3, 0, 0, 3], ready("False"))), "Failed");
        assert_eq!(phase(&deployment([0, 0, 0, 0], ready("Unknown"))), "Waiting");
        let stopped = json!([{"type": "RolloutStopped", "status": "True", "message": "it stopped"}]);
        let stopped = deployment([9, 3, 3, 1], stopped);
        assert_eq!((phase(&stopped), why(&stopped).as_str()), ("Failed", "it stopped"));
        let mut paused = deployment([3, 1, 2, 0], ready("False"));
        paused["spec"]["paused"] = true.into();
        assert_eq!((phase(&paused), share(&paused).as_str()), ("Paused", "1/3"));
    }

    #[test]
    fn a_clusters_phase_follows_its_nodes() {
        let cluster = |nodes: &[(&str, &str)], status: &str| {
            let nodes: Vec<Value> =
                nodes.iter().map(|(role, phase)| json!({"role": role, "phase": phase})).collect();
            json!({"kind": "Cluster", "status": {"nodes": nodes, "conditions": ready(status)}})
        };
        assert_eq!(phase(&cluster(&[("controlPlane", "Ready")], "True")), "Ready");
        let late = cluster(&[("controlPlane", "Ready"), ("worker", "Waiting")], "False");
        assert_eq!((phase(&late), share(&late).as_str()), ("Progressing", "1/2"));
        assert_eq!(phase(&cluster(&[("controlPlane", "Ready"), ("worker", "Failed")], "False")), "Degraded");
        assert_eq!(phase(&cluster(&[("controlPlane", "Failed"), ("worker", "Waiting")], "False")), "Failed");
        assert_eq!(phase(&cluster(&[], "False")), "Waiting");
    }
}
