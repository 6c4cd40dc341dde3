//! Objects that a control plane gets from us, and what is read from those that it has. JSON in, values out.

use cairn_contract::Timestamp;
use cairn_contract::workload::KubeNode;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::csr::Request;
use super::decide::{Answer, Csr, Node, SIGNER};
use crate::secrets::Token;

/// Marks tokens that are ours.
pub(super) const OURS: &str = "app.kubernetes.io/managed-by=cairn-agent";
const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";

/// Paths and objects that newcomers need: they may ask for certificates and read how to find the cluster. Nothing approves
/// them by group.
pub(super) fn admission() -> [(String, Value); 3] {
    let rbac = "rbac.authorization.k8s.io";
    let version = format!("{rbac}/v1");
    let subject = |kind: &str, name: &str| json!([{ "apiGroup": rbac, "kind": kind, "name": name }]);
    let reference = |kind: &str, name: &str| json!({ "apiGroup": rbac, "kind": kind, "name": name });
    let public = format!("{RBAC}/namespaces/kube-public");
    [
        (
            format!("{RBAC}/clusterrolebindings/cairn:node-bootstrapper"),
            json!({
                "apiVersion": version, "kind": "ClusterRoleBinding",
                "metadata": { "name": "cairn:node-bootstrapper" },
                "subjects": subject("Group", "system:bootstrappers"),
                "roleRef": reference("ClusterRole", "system:node-bootstrapper"),
            }),
        ),
        (
            format!("{public}/roles/cairn:cluster-info"),
            json!({
                "apiVersion": version, "kind": "Role",
                "metadata": { "name": "cairn:cluster-info", "namespace": "kube-public" },
                "rules": [{
                    "apiGroups": [""], "resources": ["configmaps"],
                    "resourceNames": ["cluster-info"], "verbs": ["get"],
                }],
            }),
        ),
        (
            format!("{public}/rolebindings/cairn:cluster-info"),
            json!({
                "apiVersion": version, "kind": "RoleBinding",
                "metadata": { "name": "cairn:cluster-info", "namespace": "kube-public" },
                "subjects": subject("User", "system:anonymous"),
                "roleRef": reference("Role", "cairn:cluster-info"),
            }),
        ),
    ]
}

/// Path and object of a bootstrap token (Kubernetes, "Authenticating with Bootstrap Tokens").
pub(super) fn token_secret(token: &Token, expires: Timestamp) -> (String, Value) {
    let name = format!("bootstrap-token-{}", token.id);
    let object = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "bootstrap.kubernetes.io/token",
        "metadata": {
            "name": name, "namespace": "kube-system",
            "labels": { "app.kubernetes.io/managed-by": "cairn-agent" },
        },
        "stringData": {
            "token-id": token.id, "token-secret": token.secret(), "expiration": text_of(expires),
            "usage-bootstrap-authentication": "true", "usage-bootstrap-signing": "true",
            // k3s looks for its own group.
            "auth-extra-groups": "system:bootstrappers:cairn,system:bootstrappers:k3s:default-node-token",
        },
    });
    (token_path(&token.id), object)
}

/// Path of a token's Secret.
pub(super) fn token_path(id: &str) -> String {
    format!("/api/v1/namespaces/kube-system/secrets/bootstrap-token-{id}")
}

/// A token's id and age.
pub(super) fn token_of(secret: &Value) -> Option<(String, Timestamp)> {
    let id = text(secret, "/metadata/name").strip_prefix("bootstrap-token-")?.to_owned();
    Some((id, created(secret)))
}

/// A node.
pub(super) fn node_of(node: &Value) -> Node {
    let conditions = node.pointer("/status/conditions").and_then(Value::as_array);
    let ready = conditions.into_iter().flatten().find(|c| text(c, "/type") == "Ready");
    let node_said = KubeNode {
        name: text(node, "/metadata/name").to_owned(),
        ready: ready.is_some_and(|c| text(c, "/status") == "True"),
        version: text(node, "/status/nodeInfo/kubeletVersion").trim_start_matches('v').to_owned(),
        message: ready.map(|c| text(c, "/message").to_owned()).unwrap_or_default(),
    };
    let unschedulable = node.pointer("/spec/unschedulable").and_then(Value::as_bool).unwrap_or(false);
    Node { node: node_said, created: created(node), unschedulable }
}

/// A request to the kubelets' signer; none of another's.
pub(super) fn csr_of(csr: &Value) -> Option<Csr> {
    if text(csr, "/spec/signerName") != SIGNER {
        return None;
    }
    let all = csr.pointer("/status/conditions").and_then(Value::as_array);
    let denied = all.into_iter().flatten().find(|c| text(c, "/type") == "Denied");
    let answer = match (denied, all.is_some_and(|all| !all.is_empty())) {
        (Some(condition), _) => Answer::Denied(time_at(condition, "/lastUpdateTime")),
        (None, true) => Answer::Given,
        (None, false) => Answer::None,
    };
    let usages = csr.pointer("/spec/usages").and_then(Value::as_array).into_iter().flatten();
    Some(Csr {
        name: text(csr, "/metadata/name").to_owned(),
        requester: text(csr, "/spec/username").to_owned(),
        created: created(csr),
        usages: usages.filter_map(|u| u.as_str().map(str::to_owned)).collect(),
        request: Request::of_object(csr),
        answer,
    })
}

/// The request with our answer to it, for its `approval` subresource.
pub(super) fn answered(mut csr: Value, kind: &str, why: &str, now: Timestamp) -> Value {
    let condition = json!({
        "type": kind, "status": "True", "reason": "CairnAgent", "message": why, "lastUpdateTime": text_of(now),
    });
    if let Some(object) = csr.as_object_mut() {
        let status = object.entry("status").or_insert_with(|| json!({}));
        let all = status.as_object_mut().map(|s| s.entry("conditions").or_insert_with(|| json!([])));
        if let Some(list) = all.and_then(|all| all.as_array_mut()) {
            list.push(condition);
        }
    }
    csr
}

fn text<'a>(value: &'a Value, at: &str) -> &'a str {
    value.pointer(at).and_then(Value::as_str).unwrap_or_default()
}

fn created(object: &Value) -> Timestamp {
    time_at(object, "/metadata/creationTimestamp")
}

fn time_at(object: &Value, at: &str) -> Timestamp {
    let parsed = OffsetDateTime::parse(text(object, at), &Rfc3339);
    Timestamp(parsed.map_or(0, |t| t.unix_timestamp().saturating_mul(1000)))
}

fn text_of(at: Timestamp) -> String {
    let time = OffsetDateTime::from_unix_timestamp(at.seconds()).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    time.format(&Rfc3339).unwrap_or_default()
}
