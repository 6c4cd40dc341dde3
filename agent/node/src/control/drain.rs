//! Emptying a node: which of its pods must go, and how. The API server's eviction respects disruption budgets; when the time is
//! over they are deleted in spite of it.

use cairn_contract::Timestamp;
use serde_json::{Value, json};

use super::api::{Api, ApiError};

/// Seconds for which disruption budgets are respected.
pub(crate) const PATIENCE_S: u32 = 300;

/// How a pod is asked to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// With respect for its budget.
    Evict,
    /// The time is over.
    Delete,
}

/// `namespace/name` of pods that must go before the node can.
#[must_use]
pub fn to_go(pods: &[Value]) -> Vec<(String, String)> {
    let text = |pod: &Value, at: &str| pod.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
    let stays = |pod: &Value| {
        let owners = pod.pointer("/metadata/ownerReferences").and_then(Value::as_array);
        let of_node = owners.is_some_and(|all| {
            all.iter().any(|o| matches!(o.get("kind").and_then(Value::as_str), Some("DaemonSet" | "Node")))
        });
        let mirror = pod.pointer("/metadata/annotations/kubernetes.io~1config.mirror").is_some();
        let over = matches!(text(pod, "/status/phase").as_str(), "Succeeded" | "Failed");
        of_node || mirror || over
    };
    let going = pods.iter().filter(|pod| !stays(pod));
    going.map(|pod| (text(pod, "/metadata/namespace"), text(pod, "/metadata/name"))).collect()
}

/// How pods go now, when the emptying began at `since`.
#[must_use]
pub fn way(since: Timestamp, now: Timestamp) -> Way {
    if now >= since.after_seconds(PATIENCE_S) { Way::Delete } else { Way::Evict }
}

/// Asks a pod to go. A budget that is exhausted is no error: it is asked again.
pub(crate) async fn ask(api: &Api, namespace: &str, name: &str, way: Way) -> Result<(), ApiError> {
    let pod = format!("/api/v1/namespaces/{namespace}/pods/{name}");
    if way == Way::Delete {
        return api.delete(&pod).await;
    }
    let evict = async |version: &str| {
        let body = json!({
            "apiVersion": version, "kind": "Eviction",
            "metadata": { "name": name, "namespace": namespace },
        });
        api.create(&format!("{pod}/eviction"), &body).await
    };
    let mut said = evict("policy/v1").await;
    // Before 1.22 only the older form is known.
    if matches!(said, Err(ApiError::Refused { status: 400 | 404 | 415 | 422, .. })) {
        said = evict("policy/v1beta1").await;
    }
    match said {
        Ok(_) | Err(ApiError::Refused { status: 404 | 429, .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_of_the_node_itself_and_finished_ones_stay() {
        let pod = |name: &str, more: Value| {
            let mut pod =
                json!({ "metadata": { "name": name, "namespace": "n" }, "status": { "phase": "Running" } });
            for (key, value) in more.as_object().unwrap() {
                pod["metadata"][key] = value.clone();
            }
            pod
        };
        let mut over = pod("over", json!({}));
        over["status"]["phase"] = json!("Succeeded");
        let pods = [
            pod("web", json!({ "ownerReferences": [{ "kind": "ReplicaSet" }] })),
            pod("proxy", json!({ "ownerReferences": [{ "kind": "DaemonSet" }] })),
            pod("static", json!({ "annotations": { "kubernetes.io/config.mirror": "x" } })),
            over,
        ];
        assert_eq!(to_go(&pods), [("n".to_owned(), "web".to_owned())]);
    }

    #[test]
    fn budgets_are_respected_for_a_time() {
        let since = Timestamp(0);
        assert_eq!(way(since, Timestamp(299_999)), Way::Evict);
        assert_eq!(way(since, Timestamp(300_000)), Way::Delete);
    }
}
