//! What the installer tells while it works.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{InstallId, Mac},
    inventory::{DiskInfo, Smbios},
};

/// Parts of an installer's work, in order; each is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Power-on of the kernel to the first line of the installer.
    Kernel,
    /// Modules and devices.
    Devices,
    /// Link, address, connection.
    Network,
    /// TPM work and appraisal.
    Attest,
    /// Disk chosen and wiped.
    Prepare,
    /// Root and ESP written.
    Write,
    /// Read back.
    Verify,
    /// ESP files, GPT, flush.
    Finish,
    /// The whole disk made zero, in a wipe.
    Wipe,
}

/// One phase and how long it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseTime {
    /// Which.
    pub phase: Phase,
    /// Milliseconds.
    pub millis: u64,
}

/// Why an installation or a wipe failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// Plan or manifest refused: signature, age, rollback, layout, or another host's plan.
    PlanRefused,
    /// No disk matches the selector.
    NoDisk,
    /// The chosen disk is too small.
    DiskTooSmall,
    /// The target is not a block device.
    NotABlockDevice,
    /// A frame's bytes are not what the manifest says.
    CorruptFrame,
    /// The image could not be fetched in time.
    Download,
    /// The disk refused a read or write.
    DiskFault,
    /// What was read back differs from what was written.
    VerifyFailed,
    /// The installer itself failed.
    Internal,
    /// Several disks match, and nothing says which one is to be wiped.
    SeveralDisks,
    /// A wiped disk does not read as zero.
    NotZero,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum ReportKind {
    /// About every second while writing.
    Progress {
        /// Now.
        phase: Phase,
        /// Compressed bytes done.
        done: u64,
        /// Of so many.
        total: u64,
    },
    /// Nothing more will happen in this attempt; the host reboots after a countdown.
    Failed {
        /// In one word.
        kind: FailureKind,
        /// In words, at most 2000 bytes are kept.
        text: String,
    },
    /// The disk is bootable; the host reboots now.
    Finished {
        /// Where the image went, such as `nvme0n1 (QEMU NVMe Ctrl, serial X)`.
        disk: String,
        /// All phases.
        phases: Vec<PhaseTime>,
        /// Times the download was resumed.
        resumed: u32,
        /// The same disk, for finding it again; installers that are older do not say it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        target: Option<DiskInfo>,
    },
}

/// One report of a proven installer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// From the plan.
    pub install: InstallId,
    /// What happened.
    #[serde(flatten)]
    pub kind: ReportKind,
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum ReportReply {
    /// Noted.
    Continue,
    /// This installation is no longer wanted: stop before the next frame, and reboot.
    Stop {
        /// For the host's console.
        why: String,
    },
}

/// A failure before anything was proven. Kept as a claim, bounded, never acted upon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// The interface that reached us.
    pub boot_mac: Mac,
    /// Who the firmware says it is.
    pub smbios: Smbios,
    /// In words, at most 2000 bytes are kept.
    pub text: String,
}
