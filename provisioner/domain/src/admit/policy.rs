//! Policies: what they apply to exists, and their numbers are in range.

use super::{
    Check,
    metadata::{check_word, described},
    node::existing,
    refusal::{Problems, chain},
};
use crate::{
    model::{Kind, MaintenanceWindow, Namespace, PolicySpec, Reference},
    window::{Cron, MAX_MINUTES, MAX_WINDOWS},
};

/// A second of patience each way: less is a machine that never gets through, more is a day.
const SECONDS: (u32, u32) = (10, 86_400);

pub(super) fn check(cx: &Check<'_>, spec: &PolicySpec, problems: &mut Problems) {
    match (&spec.target, &spec.selector) {
        (Some(_), Some(_)) => {
            let message = "target and selector cannot stand side by side";
            problems.invalid("spec.target", message, "keep the one that you mean");
        }
        (Some(target), None) => {
            check_reference(cx, target, "spec.target", &[Kind::Region, Kind::Site, Kind::Host], problems);
        }
        (None, Some(selector)) => {
            if let Err(error) = selector.check() {
                problems.invalid("spec.selector", error.to_string(), "write it as in Kubernetes");
            }
        }
        (None, None) => {}
    }
    if let Some(name) = spec.image.as_ref().and_then(|i| i.name.as_deref()) {
        check_word("spec.image.name", name, problems);
    }
    if let Some(name) = spec.cluster.as_ref().and_then(|c| c.template.as_deref()) {
        check_word("spec.cluster.template", name, problems);
    }
    for (field, value, range) in numbers(spec) {
        check_number(field, value, range, problems);
    }
    if spec.attestation.as_ref().and_then(|a| a.tpm_classes.as_ref()).is_some_and(Vec::is_empty) {
        let message = "no TPM could ever prove a host";
        problems.invalid("spec.attestation.tpmClasses", message, "name at least one class, or leave it out");
    }
    let windows = spec.maintenance.as_ref().and_then(|m| m.windows.as_deref());
    check_windows(windows.unwrap_or_default(), problems);
}

/// All numbers with their ranges, as the model documents them.
fn numbers(spec: &PolicySpec) -> Vec<(&'static str, Option<u32>, (u32, u32))> {
    let boot = spec.boot.as_ref();
    let image = spec.image.as_ref();
    let evidence = spec.attestation.as_ref().and_then(|a| a.evidence_seconds);
    let silent = spec.telemetry.as_ref().and_then(|t| t.silent_after_seconds);
    vec![
        ("spec.boot.patienceSeconds", boot.and_then(|b| b.patience_seconds), SECONDS),
        ("spec.boot.maxAttempts", boot.and_then(|b| b.max_attempts), (1, 100)),
        ("spec.image.silenceSeconds", image.and_then(|i| i.silence_seconds), SECONDS),
        ("spec.image.firstBootSeconds", image.and_then(|i| i.first_boot_seconds), SECONDS),
        ("spec.attestation.evidenceSeconds", evidence, SECONDS),
        ("spec.telemetry.silentAfterSeconds", silent, (20, SECONDS.1)),
    ]
}

pub(super) fn check_number(field: &str, value: Option<u32>, range: (u32, u32), problems: &mut Problems) {
    let (low, high) = range;
    if let Some(value) = value.filter(|v| !(low..=high).contains(v)) {
        problems.invalid(field, format!("{value} is out of range"), format!("write {low} to {high}"));
    }
}

fn check_windows(windows: &[MaintenanceWindow], problems: &mut Problems) {
    const FIELD: &str = "spec.maintenance.windows";
    if windows.len() > MAX_WINDOWS {
        let message = format!("{} windows are too many", windows.len());
        problems.invalid(FIELD, message, format!("keep to {MAX_WINDOWS}"));
    }
    for (at, window) in windows.iter().take(MAX_WINDOWS).enumerate() {
        if let Err(error) = window.start.parse::<Cron>() {
            let next = "write five fields: minute hour day month weekday, such as 0 2 * * sun";
            problems.invalid(format!("{FIELD}[{at}].start"), chain(&error), next);
        }
        check_number(&format!("{FIELD}[{at}].minutes"), Some(window.minutes), (1, MAX_MINUTES), problems);
    }
}

/// Something of the same project.
pub(super) fn check_reference(
    cx: &Check<'_>,
    to: &Reference,
    field: &str,
    kinds: &[Kind],
    problems: &mut Problems,
) {
    let words: Vec<&str> = kinds.iter().map(|k| k.name()).collect();
    if !kinds.contains(&to.kind) {
        let message = format!("a {} cannot stand here", to.kind);
        problems.invalid(format!("{field}.kind"), message, format!("name one of {}", words.join(", ")));
    } else if !matches!(cx.namespace, Namespace::Project { .. }) {
        let message = format!("{} has no {} of its own", described(cx.namespace), to.kind);
        problems.invalid(
            field,
            message,
            "write this in a project, or leave the field out for the whole namespace",
        );
    } else {
        existing(cx, to.kind, &to.name, &format!("{field}.name"), problems);
    }
}
