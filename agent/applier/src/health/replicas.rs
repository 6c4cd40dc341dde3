//! Workloads that keep a number of pods.

use serde_json::Value;

use super::{Around, Health, condition, failed, is, progressing, ready, unseen, words};
use crate::key::{at, number, text};

/// `spec.replicas`, which is 1 when it is absent.
fn wanted(live: &Value) -> i64 {
    at(live, &["spec", "replicas"]).and_then(Value::as_i64).unwrap_or(1)
}

fn count(live: &Value, name: &str) -> i64 {
    number(live, &["status", name])
}

/// `2 of 3 replicas are ready`.
fn of(have: i64, want: i64, what: &str) -> String {
    format!("{have} of {want} {} {what}", if want == 1 { "replica is" } else { "replicas are" })
}

pub(super) fn deployment(live: &Value) -> Health {
    let want = wanted(live);
    if unseen(live) {
        return progressing("its controller has not seen it yet");
    }
    if let Some(c) = condition(live, "ReplicaFailure").filter(|c| text(c, &["status"]) == "True") {
        return progressing(format!("no pods can be made: {}", words(c)));
    }
    let (updated, available) = (count(live, "updatedReplicas"), count(live, "availableReplicas"));
    let late = condition(live, "Progressing").filter(|c| text(c, &["reason"]) == "ProgressDeadlineExceeded");
    let told = |message: String| {
        if late.is_some() {
            failed(format!("{message}, and its deadline is over"))
        } else {
            progressing(message)
        }
    };
    if updated < want {
        return told(of(updated, want, "of the new revision"));
    }
    if count(live, "replicas") > updated {
        return told(format!(
            "{} old replicas are still there",
            count(live, "replicas").saturating_sub(updated)
        ));
    }
    if available < want {
        return told(of(available, want, "ready"));
    }
    ready(of(available, want, "ready"))
}

pub(super) fn stateful_set(live: &Value, around: &Around) -> Health {
    let want = wanted(live);
    if unseen(live) {
        return progressing("its controller has not seen it yet");
    }
    let is_ready = count(live, "readyReplicas");
    if is_ready < want {
        let made = count(live, "replicas");
        let why = if made < want { around.warning() } else { String::new() };
        return progressing(format!("{}{why}", of(is_ready, want, "ready")));
    }
    if text(live, &["spec", "updateStrategy", "type"]) == "OnDelete" {
        return ready(of(is_ready, want, "ready"));
    }
    let kept = number(live, &["spec", "updateStrategy", "rollingUpdate", "partition"]);
    let updated = count(live, "updatedReplicas");
    let current = text(live, &["status", "currentRevision"]) == text(live, &["status", "updateRevision"]);
    if !current && updated < want.saturating_sub(kept) {
        return progressing(of(updated, want, "of the new revision"));
    }
    ready(of(is_ready, want, "ready"))
}

pub(super) fn daemon_set(live: &Value) -> Health {
    if unseen(live) {
        return progressing("its controller has not seen it yet");
    }
    let want = count(live, "desiredNumberScheduled");
    let updated = count(live, "updatedNumberScheduled");
    let available = count(live, "numberAvailable");
    let nodes = if want == 1 { "node" } else { "nodes" };
    if text(live, &["spec", "updateStrategy", "type"]) != "OnDelete" && updated < want {
        return progressing(format!("{updated} of {want} {nodes} have the new revision"));
    }
    let message = format!("ready on {available} of {want} {nodes}");
    if available < want { progressing(message) } else { ready(message) }
}

pub(super) fn replica_set(live: &Value) -> Health {
    let (want, have) = (wanted(live), count(live, "availableReplicas"));
    if let Some(c) = condition(live, "ReplicaFailure").filter(|c| text(c, &["status"]) == "True") {
        return progressing(format!("no pods can be made: {}", words(c)));
    }
    let message = of(have, want, "ready");
    if unseen(live) || have < want { progressing(message) } else { ready(message) }
}

pub(super) fn job(live: &Value) -> Health {
    if is(live, "Complete", "True") {
        return ready("completed");
    }
    if let Some(c) = condition(live, "Failed").filter(|c| text(c, &["status"]) == "True") {
        return failed(format!("the job failed: {}", words(c)));
    }
    if at(live, &["spec", "suspend"]).and_then(Value::as_bool) == Some(true) {
        return ready("suspended");
    }
    let want = at(live, &["spec", "completions"]).and_then(Value::as_i64).unwrap_or(1);
    let (done, broken) = (count(live, "succeeded"), count(live, "failed"));
    let tries = if broken > 0 { format!(", {broken} tries failed") } else { String::new() };
    progressing(format!("{done} of {want} completed{tries}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::told;

    #[test]
    fn a_deployment_is_ready_when_the_new_replicas_are_and_the_old_are_gone() {
        let with = |status| json!({"metadata": {"generation": 2}, "spec": {"replicas": 3}, "status": status});
        let tell = |status| told("apps/v1", "Deployment", &with(status));
        assert_eq!(tell(json!({"observedGeneration": 1})), "Progressing: its controller has not seen it yet");
        let seen = |mut status: serde_json::Value| {
            status["observedGeneration"] = 2.into();
            tell(status)
        };
        assert_eq!(
            seen(json!({"updatedReplicas": 1})),
            "Progressing: 1 of 3 replicas are of the new revision"
        );
        assert_eq!(
            seen(json!({"updatedReplicas": 3, "replicas": 4})),
            "Progressing: 1 old replicas are still there"
        );
        let two = json!({"updatedReplicas": 3, "replicas": 3, "availableReplicas": 2});
        assert_eq!(seen(two.clone()), "Progressing: 2 of 3 replicas are ready");
        let mut late = two;
        late["conditions"] =
            json!([{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]);
        assert!(seen(late).starts_with("Failed: 2 of 3 replicas are ready"));
        let quota = json!([{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: q"}]);
        assert_eq!(seen(json!({"conditions": quota})), "Progressing: no pods can be made: exceeded quota: q");
        let all = json!({"updatedReplicas": 3, "replicas": 3, "availableReplicas": 3});
        assert_eq!(seen(all), "Ready: 3 of 3 replicas are ready");
    }

    #[test]
    fn stateful_and_daemon_sets_wait_for_their_last_revision() {
        let set = |status| json!({"metadata": {"generation": 1}, "spec": {"replicas": 2}, "status": status});
        let old = json!({"observedGeneration": 1, "readyReplicas": 2, "updatedReplicas": 1, "currentRevision": "a", "updateRevision": "b"});
        assert!(told("apps/v1", "StatefulSet", &set(old)).starts_with("Progressing: 1 of 2"));
        let new = json!({"observedGeneration": 1, "readyReplicas": 2, "currentRevision": "b", "updateRevision": "b"});
        assert!(told("apps/v1", "StatefulSet", &set(new)).starts_with("Ready"));
        let daemon = json!({"status": {"desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 1}});
        assert_eq!(told("apps/v1", "DaemonSet", &daemon), "Progressing: ready on 1 of 2 nodes");
    }

    #[test]
    fn a_job_is_ready_when_it_completed() {
        let with = |kind: &str| json!({"status": {"conditions": [{"type": kind, "status": "True", "message": "too many"}]}});
        assert_eq!(told("batch/v1", "Job", &with("Complete")), "Ready: completed");
        assert_eq!(told("batch/v1", "Job", &with("Failed")), "Failed: the job failed: too many");
        assert_eq!(
            told("batch/v1", "Job", &json!({"status": {"failed": 2}})),
            "Progressing: 0 of 1 completed, 2 tries failed"
        );
    }
}
