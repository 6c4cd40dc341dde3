//! Pods: how one is, and why those of a workload do not run.

use serde_json::Value;

use super::{Around, Health, brief, condition, failed, is, progressing, ready, words};
use crate::key::{at, each, number, text};

/// What the pods of a workload tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pods {
    /// Times that their containers were started again.
    pub restarts: u32,
    /// Name of the one that explains best why not all is well, and why.
    pub worst: Option<(String, String)>,
}

pub(super) fn pod(live: &Value, around: &Around) -> Health {
    match text(live, &["status", "phase"]) {
        "Succeeded" => ready("completed"),
        "Failed" => failed(why(live, around).map_or_else(|| "it failed".to_owned(), |(_, said)| said)),
        "Running" if is(live, "Ready", "True") => ready("running"),
        _ => progressing(why(live, around).map_or_else(|| "it is starting".to_owned(), |(_, said)| said)),
    }
}

/// Of all pods of a workload; `around` are events of any of them.
#[must_use]
pub fn of_workload(pods: &[Value], around: &Around) -> Pods {
    let restarts =
        pods.iter().flat_map(containers).map(|c| number(c, &["restartCount"])).fold(0, i64::saturating_add);
    let going = |p: &&Value| at(p, &["metadata", "deletionTimestamp"]).is_none();
    let unwell = pods
        .iter()
        .filter(going)
        .filter(|p| !is(p, "Ready", "True") && text(p, &["status", "phase"]) != "Succeeded");
    let told = unwell
        .filter_map(|p| why(p, around).map(|(weight, said)| (weight, text(p, &["metadata", "name"]), said)));
    let worst = told.max_by_key(|(weight, ..)| *weight);
    Pods {
        restarts: u32::try_from(restarts.max(0)).unwrap_or(u32::MAX),
        worst: worst.map(|(_, name, said)| (brief(name), said)),
    }
}

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    each(pod, &["status", "initContainerStatuses"]).chain(each(pod, &["status", "containerStatuses"]))
}

/// Why a pod does not run, and how much that explains: 9 most.
fn why(pod: &Value, around: &Around) -> Option<(u8, String)> {
    let of_containers = containers(pod).filter_map(container).max_by_key(|(weight, _)| *weight);
    of_containers
        .or_else(|| scheduling(pod))
        .or_else(|| evicted(pod))
        .or_else(|| from_events(pod, around))
        .or_else(|| {
            let unready = condition(pod, "ContainersReady").filter(|c| text(c, &["status"]) == "False")?;
            (text(pod, &["status", "phase"]) == "Running")
                .then(|| (1, format!("it is not ready: {}", words(unready))))
        })
}

fn container(status: &Value) -> Option<(u8, String)> {
    let name = brief(text(status, &["name"]));
    let waiting = text(status, &["state", "waiting", "reason"]);
    let said = brief(text(status, &["state", "waiting", "message"]));
    match waiting {
        "CrashLoopBackOff" => {
            Some((9, format!("container {name} ends again and again: {}", last_end(status))))
        }
        "ErrImagePull"
        | "ImagePullBackOff"
        | "InvalidImageName"
        | "ErrImageNeverPull"
        | "RegistryUnavailable" => {
            let image = brief(text(status, &["image"]));
            Some((8, format!("image {image} cannot be pulled: {waiting} {said}").trim_end().to_owned()))
        }
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
            Some((7, format!("container {name} cannot start: {said}")))
        }
        _ => ended(status, &name),
    }
}

/// A container that ended and is not waiting for another start.
fn ended(status: &Value, name: &str) -> Option<(u8, String)> {
    let end = at(status, &["state", "terminated"])?;
    let code = number(end, &["exitCode"]);
    (code != 0).then(|| (6, format!("container {name} ended: {}", described(end))))
}

/// `exit code 3 (Error): …` of the last time that it ran.
fn last_end(status: &Value) -> String {
    at(status, &["lastState", "terminated"]).map_or_else(|| "no exit code is known".to_owned(), described)
}

fn described(end: &Value) -> String {
    let message = brief(text(end, &["message"]).trim());
    let tail = if message.is_empty() { message } else { format!(": {message}") };
    format!("exit code {} ({}){tail}", number(end, &["exitCode"]), brief(text(end, &["reason"])))
}

fn scheduling(pod: &Value) -> Option<(u8, String)> {
    let scheduled = condition(pod, "PodScheduled").filter(|c| text(c, &["status"]) == "False")?;
    Some((5, format!("no node takes it: {}", words(scheduled))))
}

fn evicted(pod: &Value) -> Option<(u8, String)> {
    let reason = text(pod, &["status", "reason"]);
    let said = brief(text(pod, &["status", "message"]));
    (!reason.is_empty()).then(|| (4, format!("{}: {said}", brief(reason))))
}

/// Volumes that cannot be mounted and sandboxes that cannot be made show in events only.
fn from_events(pod: &Value, around: &Around) -> Option<(u8, String)> {
    let uid = text(pod, &["metadata", "uid"]);
    let own = around.events.iter().filter(|e| text(e, &["involvedObject", "uid"]) == uid).cloned().collect();
    let own = Around { events: own, waits_for_pod: false };
    own.latest(&[]).map(|e| (3, format!("{}: {}", brief(text(e, &["reason"])), brief(text(e, &["message"])))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::told;
    use super::*;

    fn with(container: Value) -> Value {
        json!({"metadata": {"name": "web-1", "uid": "u"}, "status": {"phase": "Pending", "containerStatuses": [container]}})
    }

    #[test]
    fn a_crash_loop_tells_its_last_exit_code() {
        let crash = with(
            json!({"name": "app", "restartCount": 4, "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
            "lastState": {"terminated": {"exitCode": 3, "reason": "Error", "message": "no config\n"}}}),
        );
        assert_eq!(
            told("v1", "Pod", &crash),
            "Progressing: container app ends again and again: exit code 3 (Error): no config"
        );
        let pods = of_workload(&[with(json!({"restartCount": 1})), crash], &Around::default());
        assert_eq!((pods.restarts, pods.worst.unwrap().0.as_str()), (5, "web-1"));
    }

    #[test]
    fn images_nodes_and_volumes_are_told() {
        let image = with(
            json!({"name": "app", "image": "r/x:1", "state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}}}),
        );
        assert_eq!(
            told("v1", "Pod", &image),
            "Progressing: image r/x:1 cannot be pulled: ErrImagePull not found"
        );
        let unplaced = json!({"status": {"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available: 1 Insufficient cpu."}]}});
        assert_eq!(
            told("v1", "Pod", &unplaced),
            "Progressing: no node takes it: 0/1 nodes are available: 1 Insufficient cpu."
        );
        let event = json!({"type": "Warning", "reason": "FailedMount", "message": "secret x not found", "involvedObject": {"uid": "u"}});
        let around = Around { events: vec![event], waits_for_pod: false };
        let found =
            of_workload(&[with(json!({"state": {"waiting": {"reason": "ContainerCreating"}}}))], &around);
        assert_eq!(found.worst.unwrap().1, "FailedMount: secret x not found");
    }

    #[test]
    fn ready_completed_and_leaving_pods_explain_nothing() {
        let ready =
            json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}});
        let mut leaving = with(json!({"state": {"terminated": {"exitCode": 1, "reason": "Error"}}}));
        leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
        assert_eq!(told("v1", "Pod", &ready), "Ready: running");
        assert_eq!(of_workload(&[ready, leaving], &Around::default()), Pods::default());
    }
}
