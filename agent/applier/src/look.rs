//! What explains an object that is not ready: pods of a workload, events, the class of a claim. Asked only then, and once a
//! minute for the count of restarts.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::cluster::{CallError, Cluster};
use crate::health::{Around, Health, Pods, State, appraise, of_workload};
use crate::key::{Gvk, Key, at, text};
use crate::mirror::Live;

/// Most pods of a workload that are looked at.
const PODS: usize = 50;
/// Most events of an object.
const EVENTS: usize = 50;
const UNREADY: Duration = Duration::from_secs(3);
const READY: Duration = Duration::from_secs(60);

/// What was found at a look.
#[derive(Debug, Clone)]
pub(crate) struct Look {
    at: Instant,
    version: u64,
    pub(crate) health: Health,
    pub(crate) restarts: u32,
}

/// The last looks at the objects of a release.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    by_key: HashMap<Key, Look>,
}

impl Looks {
    /// How an object is; not asked anew when nothing can have changed.
    pub(crate) async fn at(
        &mut self,
        cluster: &Cluster,
        (gvk, key): (&Gvk, &Key),
        live: &Live,
    ) -> Result<Look, CallError> {
        let now = Instant::now();
        if let Some(look) = self.by_key.get(key) {
            let good_for = if look.health.state == State::Ready { READY } else { UNREADY };
            if look.version == live.version() && now.duration_since(look.at) < good_for {
                return Ok(look.clone());
            }
        }
        let look = look(cluster, (gvk, key), live, now).await?;
        self.by_key.insert(key.clone(), look.clone());
        Ok(look)
    }
}

async fn look(
    cluster: &Cluster,
    (gvk, key): (&Gvk, &Key),
    live: &Live,
    now: Instant,
) -> Result<Look, CallError> {
    let mut health = appraise(gvk, &live.value, &Around::default());
    let mut pods = Pods::default();
    if health.state != State::Ready {
        let around = around(cluster, gvk, &live.value).await?;
        health = appraise(gvk, &live.value, &around);
    }
    if has_pods(gvk) {
        pods = pods_of(cluster, key, &live.value).await?;
        if let Some((name, why)) = pods.worst.as_ref().filter(|_| health.state != State::Ready) {
            health.message = format!("{}; pod {name}: {why}", health.message);
        }
    }
    Ok(Look { at: now, version: live.version(), health, restarts: pods.restarts })
}

fn has_pods(gvk: &Gvk) -> bool {
    matches!(
        (gvk.group.as_str(), gvk.kind.as_str()),
        ("apps" | "extensions", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet") | ("batch", "Job")
    )
}

/// Events of the object; the class of a claim.
async fn around(cluster: &Cluster, gvk: &Gvk, live: &Value) -> Result<Around, CallError> {
    let namespace = text(live, &["metadata", "namespace"]);
    let told = matches!(
        (gvk.group.as_str(), gvk.kind.as_str()),
        ("", "PersistentVolumeClaim" | "Service" | "Pod") | ("apps", "StatefulSet")
    );
    let events = if told {
        events_of(cluster, namespace, text(live, &["metadata", "uid"])).await?
    } else {
        Vec::new()
    };
    let mut waits_for_pod = false;
    let class = text(live, &["spec", "storageClassName"]);
    if gvk.is("", "PersistentVolumeClaim") && crate::key::is_name(class) {
        let found = cluster.find(&format!("/apis/storage.k8s.io/v1/storageclasses/{class}")).await?;
        waits_for_pod = found.is_some_and(|c| text(&c, &["volumeBindingMode"]) == "WaitForFirstConsumer");
    }
    Ok(Around { events, waits_for_pod })
}

async fn events_of(cluster: &Cluster, namespace: &str, uid: &str) -> Result<Vec<Value>, CallError> {
    if !crate::key::is_name(uid) || !crate::key::is_name(namespace) {
        return Ok(Vec::new());
    }
    let query = format!("fieldSelector=involvedObject.uid%3D{uid}&limit={EVENTS}");
    let mut answer = cluster.get(&format!("/api/v1/namespaces/{namespace}/events?{query}")).await?;
    Ok(items(&mut answer))
}

async fn pods_of(cluster: &Cluster, key: &Key, live: &Value) -> Result<Pods, CallError> {
    let Some(selector) = selector(live) else { return Ok(Pods::default()) };
    let query = format!("labelSelector={selector}&limit={PODS}");
    let mut answer = cluster.get(&format!("/api/v1/namespaces/{}/pods?{query}", key.namespace)).await?;
    let pods = items(&mut answer);
    let first = of_workload(&pods, &Around::default());
    if first.worst.is_some() {
        return Ok(first);
    }
    // Nothing in its status: perhaps in its events.
    let stuck = pods.iter().find(|p| text(p, &["status", "phase"]) == "Pending");
    let Some(stuck) = stuck else { return Ok(first) };
    let events = events_of(cluster, &key.namespace, text(stuck, &["metadata", "uid"])).await?;
    Ok(of_workload(&pods, &Around { events, waits_for_pod: false }))
}

fn items(answer: &mut Value) -> Vec<Value> {
    match answer.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    }
}

/// `spec.selector.matchLabels` as a query: `a%3Db%2Cc%3Dd`.
fn selector(live: &Value) -> Option<String> {
    let labels = at(live, &["spec", "selector", "matchLabels"])?.as_object()?;
    let fits =
        |s: &str| s.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'/'));
    let pair = |(name, value): (&String, &Value)| {
        let value = value.as_str().filter(|v| fits(v) && fits(name))?;
        Some(format!("{}%3D{value}", name.replace('/', "%2F")))
    };
    let pairs: Option<Vec<String>> = labels.iter().map(pair).collect();
    pairs.filter(|p| !p.is_empty()).map(|p| p.join("%2C"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn labels_become_a_query() {
        let live = json!({"spec": {"selector": {"matchLabels": {"a/b": "c", "d": "e"}}}});
        assert_eq!(selector(&live).as_deref(), Some("a%2Fb%3Dc%2Cd%3De"));
        assert_eq!(selector(&json!({"spec": {"selector": {"matchLabels": {"a": "x&y"}}}})), None);
        assert_eq!(selector(&json!({})), None);
    }
}
