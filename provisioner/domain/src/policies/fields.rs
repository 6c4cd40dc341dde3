//! The fields of a policy, one by one.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{Defaults, rank::Ranked};
use crate::{
    index::Source,
    model::{ClusterMode, MaintenanceWindow, Network, Object, PolicySpec},
    policy::{Mode, TpmClass},
};

pub(super) fn network(p: &PolicySpec) -> Option<&Network> {
    p.boot.as_ref()?.network.as_ref()
}
pub(super) fn patience(p: &PolicySpec) -> Option<&u32> {
    p.boot.as_ref()?.patience_seconds.as_ref()
}
pub(super) fn max_attempts(p: &PolicySpec) -> Option<&u32> {
    p.boot.as_ref()?.max_attempts.as_ref()
}
pub(super) fn image(p: &PolicySpec) -> Option<&String> {
    p.image.as_ref()?.name.as_ref()
}
pub(super) fn silence(p: &PolicySpec) -> Option<&u32> {
    p.image.as_ref()?.silence_seconds.as_ref()
}
pub(super) fn first_boot(p: &PolicySpec) -> Option<&u32> {
    p.image.as_ref()?.first_boot_seconds.as_ref()
}
pub(super) fn mode(p: &PolicySpec) -> Option<&Mode> {
    p.attestation.as_ref()?.mode.as_ref()
}
pub(super) fn tpm_classes(p: &PolicySpec) -> Option<&Vec<TpmClass>> {
    p.attestation.as_ref()?.tpm_classes.as_ref()
}
pub(super) fn evidence(p: &PolicySpec) -> Option<&u32> {
    p.attestation.as_ref()?.evidence_seconds.as_ref()
}
pub(super) fn only_in_window(p: &PolicySpec) -> Option<&bool> {
    p.update.as_ref()?.only_in_window.as_ref()
}
pub(super) fn silent_after(p: &PolicySpec) -> Option<&u32> {
    p.telemetry.as_ref()?.silent_after_seconds.as_ref()
}
pub(super) fn windows(p: &PolicySpec) -> Option<&Vec<MaintenanceWindow>> {
    p.maintenance.as_ref()?.windows.as_ref()
}
pub(super) fn cluster_mode(p: &PolicySpec) -> Option<&ClusterMode> {
    p.cluster.as_ref()?.mode.as_ref()
}
pub(super) fn cluster_template(p: &PolicySpec) -> Option<&String> {
    p.cluster.as_ref()?.template.as_ref()
}

/// Who says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Origin {
    /// The policy; the host for its own `spec.image`; absent: `cairn.toml` or the program's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<Source>,
    /// The node that it is bound at; absent: the appliance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Source>,
    /// Whether it came by a selector.
    pub by_selector: bool,
    /// Whether nothing below may say otherwise.
    pub enforced: bool,
}

/// One field that applies.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resolved {
    /// Such as `attestation.mode`.
    pub field: &'static str,
    /// As in the policy; null: nobody says and there is no default.
    pub value: Value,
    /// Who says so.
    pub origin: Origin,
    /// Who else names the field, best first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<Origin>,
}

type Read = fn(&PolicySpec) -> Option<Value>;
type Fallback = fn(&Defaults) -> Value;

fn json<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}

/// Name, reader, and what the appliance says.
const FIELDS: [(&str, Read, Fallback); 14] = [
    ("boot.network", |p| network(p).map(json), |_| json(&Network::Allow)),
    ("boot.patienceSeconds", |p| patience(p).map(json), |d| json(&d.policy.boot_s)),
    ("boot.maxAttempts", |p| max_attempts(p).map(json), |d| json(&d.policy.max_attempts)),
    ("image.name", |p| image(p).map(json), |d| json(&d.image)),
    ("image.silenceSeconds", |p| silence(p).map(json), |d| json(&d.policy.install_silence_s)),
    ("image.firstBootSeconds", |p| first_boot(p).map(json), |d| json(&d.policy.first_boot_s)),
    ("attestation.mode", |p| mode(p).map(json), |d| json(&d.policy.mode)),
    ("attestation.tpmClasses", |p| tpm_classes(p).map(json), |d| json(&d.policy.tpm_classes)),
    ("attestation.evidenceSeconds", |p| evidence(p).map(json), |d| json(&d.policy.evidence_s)),
    ("update.onlyInWindow", |p| only_in_window(p).map(json), |_| Value::Bool(false)),
    ("telemetry.silentAfterSeconds", |p| silent_after(p).map(json), |d| json(&d.policy.heartbeat_loss_s)),
    ("maintenance.windows", |p| windows(p).map(json), |_| Value::Array(Vec::new())),
    ("cluster.mode", |p| cluster_mode(p).map(json), |_| json(&ClusterMode::None)),
    ("cluster.template", |p| cluster_template(p).map(json), |_| Value::Null),
];

pub(super) fn explain(ranked: &Ranked<'_>, own_image: Option<&Object>, defaults: &Defaults) -> Vec<Resolved> {
    FIELDS
        .iter()
        .map(|(field, read, fallback)| {
            let mut found: Vec<(Value, Origin)> =
                ranked.all.iter().filter_map(|a| Some((read(a.spec)?, origin(a)))).collect();
            if let Some(host) = own_image.filter(|_| *field == "image.name")
                && let crate::model::Spec::Host(spec) = &host.spec
            {
                let before = found.iter().take_while(|(_, origin)| origin.enforced).count();
                let at = Some(Source::from(host));
                let origin = Origin { policy: at.clone(), at, by_selector: false, enforced: false };
                found.insert(before, (json(&spec.image), origin));
            }
            let mut found = found.into_iter();
            let none = Origin { policy: None, at: None, by_selector: false, enforced: false };
            let (value, origin) = found.next().unwrap_or_else(|| (fallback(defaults), none));
            Resolved { field, value, origin, overrides: found.map(|(_, origin)| origin).collect() }
        })
        .collect()
}

fn origin(policy: &super::rank::Applying<'_>) -> Origin {
    Origin {
        policy: Some(Source::from(policy.object.as_ref())),
        at: policy.node.map(|node| Source::from(node.as_ref())),
        by_selector: policy.spec.selector.is_some(),
        enforced: policy.spec.enforced,
    }
}
