//! KubeVirt's virtual machines and CDI's disks, by the fields that `kubevirt.io/v1` and `cdi.kubevirt.io/v1beta1` document.

use serde_json::Value;

use super::{Health, brief, condition, failed, is, progressing, ready, words};
use crate::key::{at, text};

/// `status.printableStatus`: see VirtualMachinePrintableStatus of kubevirt.io/api/core/v1.
pub(super) fn machine(live: &Value) -> Health {
    let status = text(live, &["status", "printableStatus"]);
    let told = |message: &str| match why(live) {
        Some(why) => format!("{message}: {why}"),
        None => message.to_owned(),
    };
    match status {
        "Running" if is(live, "Ready", "False") => progressing(told("it runs and is not ready")),
        "Running" => ready("running"),
        "Migrating" => ready("it runs and moves to another node"),
        "Paused" => progressing(told("paused")),
        "Stopped" if meant_to_run(live) => progressing(told("stopped")),
        "Stopped" => ready("stopped, as it shall be"),
        "Succeeded" if !meant_to_run(live) => ready("powered off"),
        "CrashLoopBackOff"
        | "ErrorUnschedulable"
        | "ErrImagePull"
        | "ImagePullBackOff"
        | "ErrorPvcNotFound"
        | "DataVolumeError"
        | "ErrorDataVolumeNotFound" => failed(told(status)),
        "" => progressing(told("KubeVirt has not seen it yet")),
        other => progressing(told(&brief(other))),
    }
}

/// By `spec.runStrategy`, or the older `spec.running`.
fn meant_to_run(live: &Value) -> bool {
    match text(live, &["spec", "runStrategy"]) {
        "" => at(live, &["spec", "running"]).and_then(Value::as_bool) == Some(true),
        strategy => strategy == "Always",
    }
}

fn why(live: &Value) -> Option<String> {
    let of = |kind: &str, status: &str| {
        condition(live, kind).filter(|c| text(c, &["status"]) == status).map(words)
    };
    let told = of("Failure", "True")
        .or_else(|| of("PodScheduled", "False"))
        .or_else(|| of("DataVolumesReady", "False"));
    told.or_else(|| of("Ready", "False")).filter(|w| !w.is_empty())
}

pub(super) fn instance(live: &Value) -> Health {
    let told =
        |message: &str| why(live).map_or_else(|| message.to_owned(), |why| format!("{message}: {why}"));
    match text(live, &["status", "phase"]) {
        "Running" if is(live, "Ready", "False") => progressing(told("it runs and is not ready")),
        "Running" => ready("running"),
        "Succeeded" => ready("powered off"),
        "Failed" => failed(told("it failed")),
        "" => progressing(told("KubeVirt has not seen it yet")),
        other => progressing(told(&brief(other))),
    }
}

pub(super) fn data_volume(live: &Value) -> Health {
    match text(live, &["status", "phase"]) {
        "Succeeded" => ready("filled"),
        // Both wait for the first machine that uses it.
        "WaitForFirstConsumer" | "PendingPopulation" => ready("it is filled with its first machine"),
        "Failed" => failed(why(live).map_or_else(|| "it failed".to_owned(), |w| format!("it failed: {w}"))),
        "" => progressing("CDI has not seen it yet"),
        other => {
            let part = text(live, &["status", "progress"]);
            let running = condition(live, "Running").filter(|c| text(c, &["status"]) == "False").map(words);
            let tail = running.filter(|w| !w.is_empty()).map(|w| format!(": {w}")).unwrap_or_default();
            progressing(format!("{} {}{tail}", brief(other), brief(part)).trim_end().to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::told;

    #[test]
    fn a_machine_is_as_its_printable_status_says_and_as_it_shall_be() {
        let with = |status: &str, strategy: &str| {
            json!({"spec": {"runStrategy": strategy}, "status": {"printableStatus": status,
            "conditions": [{"type": "Ready", "status": if status == "Running" { "True" } else { "False" }, "message": "guest is off"}]}})
        };
        let tell = |status, strategy| told("kubevirt.io/v1", "VirtualMachine", &with(status, strategy));
        assert_eq!(tell("Running", "Always"), "Ready: running");
        assert_eq!(tell("Stopped", "Halted"), "Ready: stopped, as it shall be");
        assert_eq!(tell("Stopped", "Always"), "Progressing: stopped: guest is off");
        assert_eq!(tell("ErrorUnschedulable", "Always"), "Failed: ErrorUnschedulable: guest is off");
        assert_eq!(tell("Provisioning", "Always"), "Progressing: Provisioning: guest is off");
        let older = json!({"spec": {"running": true}, "status": {"printableStatus": "Stopped"}});
        assert_eq!(told("kubevirt.io/v1", "VirtualMachine", &older), "Progressing: stopped");
    }

    #[test]
    fn instances_and_disks_tell_how_far_they_are() {
        let with = |phase: &str| json!({"status": {"phase": phase, "progress": "42%"}});
        assert_eq!(
            told("kubevirt.io/v1", "VirtualMachineInstance", &with("Scheduling")),
            "Progressing: Scheduling"
        );
        assert_eq!(
            told("cdi.kubevirt.io/v1beta1", "DataVolume", &with("ImportInProgress")),
            "Progressing: ImportInProgress 42%"
        );
        assert_eq!(told("cdi.kubevirt.io/v1beta1", "DataVolume", &with("Succeeded")), "Ready: filled");
    }
}
