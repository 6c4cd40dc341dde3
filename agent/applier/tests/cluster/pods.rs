//! Why a workload is not ready, from its pods.

use cairn_contract::workload::Phase;
use serde_json::{Value, json};

use crate::site::{Site, config_map, deployment, order};

/// The only pod of `web`.
fn pod(site: &Site) -> Value {
    site.get("pod -n shop -l app=web")["items"][0].clone()
}

/// Says of the pod what a kubelet would.
async fn play(site: &Site, phase: &str, container: Value) {
    let pod = pod(site);
    let ready = if container["ready"] == true { "True" } else { "False" };
    let path = format!("/api/v1/namespaces/shop/pods/{}", pod["metadata"]["name"].as_str().unwrap());
    let conditions = json!([{"type": "Ready", "status": ready}, {"type": "ContainersReady", "status": ready},
        {"type": "PodScheduled", "status": "True"}]);
    let status = json!({"phase": phase, "conditions": conditions, "containerStatuses": [container]});
    let args = format!("pod -n shop {}", pod["metadata"]["name"].as_str().unwrap());
    site.set_status(&path, &args, status).await;
}

fn container(state: Value) -> Value {
    json!({"name": "app", "image": "registry.test/app:1", "imageID": "", "restartCount": 0, "ready": false, "state": state})
}

/// A workload tells why its pods do not run.
pub(crate) async fn pods(site: &Site) {
    site.applier.want(vec![order(
        1,
        &[("web", vec![deployment("web", 1)]), ("next", vec![config_map("next", &[])])],
    )]);
    let says = |what: &'static str| {
        site.until(what, move |all| all.first().is_some_and(|r| r.message.contains(what)))
    };
    let seen = says("no node takes it: no nodes available").await;
    assert!(seen[0].message.contains("0 of 1 replica is ready; pod web-"), "{}", seen[0].message);
    assert_eq!((seen[0].phase, seen[0].applications[1].phase), (Phase::Progressing, Phase::Waiting));

    let pull = json!({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}});
    play(site, "Pending", container(pull)).await;
    says("image registry.test/app:1 cannot be pulled").await;

    let mut crash = container(json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}));
    crash["restartCount"] = 4.into();
    crash["lastState"] = json!({"terminated": {"exitCode": 3, "reason": "Error", "message": "no config"}});
    play(site, "Running", crash).await;
    let seen = says("exit code 3 (Error): no config").await;
    assert_eq!(seen[0].applications[0].workloads[0].restarts, 4);
    assert!(!site.has("configmap next -n shop"), "the next application waits");

    let mut well = container(json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}}));
    well["ready"] = true.into();
    play(site, "Running", well).await;
    site.until("ready", |all| all[0].phase == Phase::Ready).await;
    assert!(site.has("configmap next -n shop"));

    play(site, "Running", container(json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}))).await;
    let seen = says("exit code 137 (OOMKilled)").await;
    assert_eq!(seen[0].phase, Phase::Degraded);
}
