//! Policies: what applies to hosts. Each field resolves by itself: see [`crate::policies`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Reference;
use crate::{
    policy::{Mode, TpmClass},
    selector::Selector,
};

/// What applies to the hosts of `target` (or of the whole namespace), or to those of the namespace that `selector` finds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicySpec {
    /// Region, Site or Host of this project; not beside `selector`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Reference>,
    /// By effective labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<Selector>,
    /// Among policies of one node the higher wins.
    pub priority: i32,
    /// Nothing below may say otherwise.
    pub enforced: bool,
    /// How it boots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot: Option<BootSection>,
    /// What it is installed with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageSection>,
    /// What it must prove.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attestation: Option<AttestationSection>,
    /// How it is updated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update: Option<UpdateSection>,
    /// What it tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub telemetry: Option<TelemetrySection>,
    /// When it may be disturbed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<MaintenanceSection>,
    /// Which cluster it gets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterSection>,
}

/// Whether a machine gets a boot file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Network {
    /// As its state asks.
    Allow,
    /// Never: an address only.
    Deny,
}

/// How it boots.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct BootSection {
    /// Whether it gets a boot file from the network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// Seconds from its first knock to a claim: 10 to 86400.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patience_seconds: Option<u32>,
    /// Installations begun before a person must look: 1 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
}

/// What it is installed with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct ImageSection {
    /// OS image of hosts that name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Seconds without a report of the installer: 10 to 86400.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silence_seconds: Option<u32>,
    /// Seconds from the installer's reboot to the agent's evidence: 10 to 86400.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_boot_seconds: Option<u32>,
}

/// What it must prove.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct AttestationSection {
    /// What follows from a measurement that differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// TPM classes that may prove a host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tpm_classes: Option<Vec<TpmClass>>,
    /// Seconds from the claim to evidence: 10 to 86400.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence_seconds: Option<u32>,
}

/// How it is updated: read by installations that an operator orders.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateSection {
    /// A new installation is only taken inside a maintenance window, unless it is forced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only_in_window: Option<bool>,
}

/// What it tells.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct TelemetrySection {
    /// Seconds without a heartbeat until it counts as silent: 20 to 86400.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent_after_seconds: Option<u32>,
}

/// When it may be disturbed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct MaintenanceSection {
    /// Any of them; in the site's time zone. At most 16.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub windows: Option<Vec<MaintenanceWindow>>,
}

/// One window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MaintenanceWindow {
    /// Five fields, such as `0 2 * * sun`.
    pub start: String,
    /// Minutes: 1 to 10080.
    pub minutes: u32,
}

/// Which cluster a running host gets that no cluster names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterSection {
    /// Whether it gets one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<ClusterMode>,
    /// Name of a ClusterTemplate of the host's project, or above; absent: the default one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
}

/// Whether a running host gets a cluster by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ClusterMode {
    /// No.
    #[default]
    None,
    /// One of its own, under its own name.
    Single,
}
