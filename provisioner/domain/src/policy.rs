//! The site's deadlines, limits and what it accepts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which TPMs a site accepts (attestation.md rule 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TpmClass {
    /// Discrete TPM with an EK certificate.
    Discrete,
    /// Firmware TPM with an EK certificate.
    Firmware,
    /// Virtual TPM with an EK certificate.
    Virtual,
    /// A TPM whose EK certificate names a maker that is in no table.
    Unlisted,
    /// A TPM without an EK certificate.
    NoCertificate,
}

/// What follows from a measurement that differs (attestation.md rule 13).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Quarantine.
    Enforce,
    /// Record and go on.
    Observe,
}

/// Site policy; every field has a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Seconds from the first knock to a claim; firmware tries for minutes.
    pub boot_s: u32,
    /// Seconds from the claim to evidence.
    pub evidence_s: u32,
    /// Seconds without a report of the installer.
    pub install_silence_s: u32,
    /// Seconds from the installer's reboot to the agent's evidence.
    pub first_boot_s: u32,
    /// Seconds without a heartbeat.
    pub heartbeat_loss_s: u32,
    /// Installations begun before a person must look.
    pub max_attempts: u32,
    /// TPM classes that may prove a host.
    pub tpm_classes: Vec<TpmClass>,
    /// What a differing measurement means.
    pub mode: Mode,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            boot_s: 600,
            evidence_s: 120,
            install_silence_s: 300,
            first_boot_s: 900,
            heartbeat_loss_s: 60,
            max_attempts: 3,
            tpm_classes: vec![TpmClass::Discrete, TpmClass::Firmware],
            mode: Mode::Enforce,
        }
    }
}
