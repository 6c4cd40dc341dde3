//! Deployments: what they name, and how they roll out. Whether parameters fit is a matter of each target: a condition.

use super::{
    Check,
    cluster::check_version,
    metadata::check_word,
    policy::check_number,
    refusal::{Problems, shown},
    upwards::check_package,
};
use crate::{
    model::{DeploymentSpec, Rollout},
    selector::Selector,
};

/// Most batches of a rollout.
const MAX_BATCHES: usize = 32;
/// Most names of targets, and most overrides.
const MAX_LIST: usize = 1000;
/// Most bytes of all parameters together, as JSON.
const MAX_PARAMETERS: usize = 256 << 10;

pub(super) fn check(cx: &Check<'_>, spec: &DeploymentSpec, problems: &mut Problems) {
    let pin = spec.version.as_deref();
    let readable = pin.is_none_or(|v| check_version("spec.version", v, problems).is_some());
    let pin = pin.filter(|_| readable);
    check_package(cx, &spec.package, pin, ("spec.package", "spec.version"), problems);
    if let Some(profile) = &spec.profile {
        check_word("spec.profile", profile, problems);
    }
    check_targets(spec, problems);
    let overrides = spec.overrides.iter().map(|o| &o.parameters);
    let all: Vec<_> = std::iter::once(&spec.parameters).chain(overrides).collect();
    let bytes = serde_json::to_vec(&all).map_or(0, |b| b.len());
    if bytes > MAX_PARAMETERS {
        let message = format!("all parameters together have {bytes} bytes");
        problems.invalid(
            "spec.parameters",
            message,
            format!("keep to {MAX_PARAMETERS}; large files belong into the package"),
        );
    }
    check_rollout(&spec.rollout, problems);
}

fn check_targets(spec: &DeploymentSpec, problems: &mut Problems) {
    let targets = &spec.targets;
    if targets.selector.is_none() && targets.names.is_empty() {
        let message = "it has no target, and never will";
        problems.invalid("spec.targets", message, "write a selector (an empty one means all), or names");
    }
    check_names("spec.targets.names", &targets.names, problems);
    check_selector("spec.targets.selector", targets.selector.as_ref(), problems);
    if spec.overrides.len() > MAX_LIST {
        let message = format!("{} overrides are too many", spec.overrides.len());
        problems.invalid("spec.overrides", message, format!("keep to {MAX_LIST}"));
    }
    for (at, one) in spec.overrides.iter().take(MAX_LIST).enumerate() {
        check_selector(&format!("spec.overrides[{at}].selector"), one.selector.as_ref(), problems);
        if one.parameters.is_empty() {
            let field = format!("spec.overrides[{at}].parameters");
            problems.invalid(field, "changes nothing", "write the parameters that differ");
        }
    }
}

fn check_names(field: &str, names: &[String], problems: &mut Problems) {
    if names.len() > MAX_LIST {
        problems.invalid(field, format!("{} names are too many", names.len()), "use a selector");
    }
    let mut seen = std::collections::BTreeSet::new();
    for (at, name) in names.iter().take(MAX_LIST).enumerate() {
        check_word(&format!("{field}[{at}]"), name, problems);
        if !seen.insert(name) {
            let message = format!("{} is there twice", shown(name));
            problems.invalid(format!("{field}[{at}]"), message, "name each once");
        }
    }
}

fn check_selector(field: &str, selector: Option<&Selector>, problems: &mut Problems) {
    if let Some(Err(error)) = selector.map(Selector::check) {
        problems.invalid(field, error.to_string(), "write it as in Kubernetes");
    }
}

fn check_rollout(rollout: &Rollout, problems: &mut Problems) {
    const FIELD: &str = "spec.rollout.batches";
    let batches = &rollout.batches;
    let rising = batches.windows(2).all(|pair| matches!(pair, [a, b] if a < b));
    let from_one = batches.first().is_none_or(|b| *b >= 1);
    let to_all = batches.last().is_none_or(|b| *b == 100);
    if !rising || !from_one || !to_all || batches.len() > MAX_BATCHES {
        let message = "are not percentages that rise to 100";
        problems.invalid(FIELD, message, "write them like [5, 25, 100], or leave them out for all at once");
    }
    let percent = u32::from(rollout.success_percent);
    check_number("spec.rollout.successPercent", Some(percent), (1, 100), problems);
    check_number("spec.rollout.maxFailed", rollout.max_failed, (1, 1_000_000), problems);
}
