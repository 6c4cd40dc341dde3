//! Why a host is where it is: an enum, so that every reason can be explained.

use cairn_contract::report::FailureKind;
use serde::{Deserialize, Serialize};

/// A reason. `Display` is one plain sentence fragment; [`Why::next`] is what to try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "reason", content = "detail", rename_all = "snake_case")]
pub enum Why {
    /// Nobody registered it.
    #[error("nobody has registered this machine yet")]
    Unknown,
    /// Its EK is not the one that the record's machine has.
    #[error("its TPM is not the one known for {0}")]
    OtherTpm(String),
    /// Its names point at different records.
    #[error("its serial number, UUID and addresses belong to different hosts: {0}")]
    Ambiguous(String),
    /// The TPM's identity was not accepted.
    #[error("its TPM was refused: {0}")]
    TpmRefused(String),
    /// The quote, log or measurements were not accepted.
    #[error("its evidence was refused: {0}")]
    EvidenceRefused(String),
    /// The firmware does not measure what it boots.
    #[error("its firmware cannot prove what it booted: {0}")]
    BootNotMeasured(String),
    /// No boot file or evidence followed in time.
    #[error("it started to boot from the network, and nothing followed")]
    BootStalled,
    /// Evidence did not come in time.
    #[error("it claimed an identity, and no evidence followed")]
    EvidenceStalled,
    /// The installer stopped reporting.
    #[error("its installer stopped reporting")]
    InstallStalled,
    /// The installer gave up.
    #[error("the installation failed: {}", failure_text(*.0))]
    InstallFailed(FailureKind),
    /// All attempts are used up.
    #[error("{0} attempts to install did not finish")]
    TooManyAttempts(u32),
    /// The installed OS never reported.
    #[error("the installed system did not report after its first boot")]
    FirstBootSilent,
    /// A person took the authorisation of its installed system back.
    #[error("an operator took its authorisation back")]
    Deauthorised,
    /// A person took its authorisation back before it was installed.
    #[error("an operator took its authorisation back before it was installed")]
    Barred,
    /// Policy: `boot.network` is `deny`.
    #[error("its policy gives it no boot file (boot.network)")]
    NetworkDenied,
    /// The installer that wiped its disk stopped reporting.
    #[error("the installer that wiped its disk stopped reporting")]
    WipeStalled,
    /// Its disk was not wiped.
    #[error("its disk was not wiped: {}", failure_text(*.0))]
    WipeFailed(FailureKind),
    /// All attempts to wipe are used up.
    #[error("{0} attempts to wipe its disk did not finish")]
    TooManyWipes(u32),
    /// No image is assigned or the image is gone.
    #[error("no OS image is assigned that exists: {0}")]
    NoImage(String),
}

impl Why {
    /// The next thing to try, as an instruction.
    pub fn next(&self) -> &'static str {
        match self {
            Self::Unknown => "Check its serial number, then: cairn host accept NAME",
            Self::OtherTpm(_) => {
                "If its mainboard or TPM was replaced, remove the old record and register it anew. If not, someone presents a \
                 serial number that is not theirs: find the machine by the address on its timeline."
            }
            Self::Ambiguous(_) => "Correct the registrations so that one record names this machine.",
            Self::TpmRefused(_) => {
                "Look at the TPM's certificate on the timeline; a new vendor's root goes to [attestation] roots."
            }
            Self::EvidenceRefused(_) => {
                "See which PCR and event differ on the timeline. If the change is yours, add the new installer or image; then: cairn \
                 host retry NAME"
            }
            Self::BootNotMeasured(_) => {
                "Boot it by UEFI. A site with policy.mode = \"observe\" records this and goes on."
            }
            Self::BootStalled | Self::EvidenceStalled => {
                "Look at the last step on its timeline and at its console."
            }
            Self::InstallStalled => "Check its power and cable; it starts again at its next boot.",
            Self::InstallFailed(kind) => failure_next(*kind),
            Self::TooManyAttempts(_) => {
                "Read the failed attempts on its timeline, then: cairn host retry NAME"
            }
            Self::FirstBootSilent => {
                "Check that the disk comes before the network in its boot order, and look at its console."
            }
            Self::Deauthorised => "To let its installed system prove itself again: cairn host retry NAME",
            Self::NetworkDenied => "See which policy says so: cairn explain host NAME",
            Self::Barred => "To expect it again: cairn host retry NAME",
            Self::WipeStalled | Self::TooManyWipes(_) => {
                "Check its power and cable. To wipe at its next boot from the network: cairn host retry NAME"
            }
            Self::WipeFailed(kind) => wipe_next(*kind),
            Self::NoImage(_) => {
                "Add it with: cairn image add FILE; the machine asks again by itself. Or name another, for the host or by policy \
                 (image.name)."
            }
        }
    }
}

fn failure_text(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::PlanRefused => "the installer did not accept its plan or the image's manifest",
        FailureKind::NoDisk => "no disk matches the disk selector",
        FailureKind::DiskTooSmall => "the disk is too small for the image",
        FailureKind::NotABlockDevice => "the target is not a block device",
        FailureKind::CorruptFrame => "image data did not match its signed digest",
        FailureKind::Download => "the image could not be fetched",
        FailureKind::DiskFault => "the disk refused to read or write",
        FailureKind::VerifyFailed => "the disk did not give back what was written",
        FailureKind::Internal => "the installer itself failed",
        FailureKind::SeveralDisks => "several disks match, and nothing says which one was installed",
        FailureKind::NotZero => "the disk does not read as zero after it was wiped",
    }
}

fn failure_next(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::PlanRefused => {
            "Check the image's age with: cairn image ls, add it again, then: cairn host retry NAME"
        }
        FailureKind::NoDisk | FailureKind::NotABlockDevice => {
            "Compare the disks on its timeline with its selector, correct the selector, then: cairn host retry NAME"
        }
        FailureKind::DiskTooSmall => {
            "Fit a larger disk or choose a smaller image, then: cairn host retry NAME"
        }
        FailureKind::CorruptFrame => {
            "Check the stored image with: cairn image ls, add it again, then: cairn host retry NAME"
        }
        FailureKind::Download => {
            "Check the network between host and provisioner, then: cairn host retry NAME"
        }
        FailureKind::DiskFault | FailureKind::VerifyFailed => "Replace the disk, then: cairn host retry NAME",
        FailureKind::Internal => "Read the failure's text on its timeline, then: cairn host retry NAME",
        FailureKind::SeveralDisks => {
            "Name the disk by its serial number (spec.disk.serial), then: cairn host retry NAME"
        }
        FailureKind::NotZero => DESTROY,
    }
}

const DESTROY: &str =
    "Take the disk out and destroy it: it keeps data. Then remove the record: cairn delete host NAME";

fn wipe_next(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::NotZero | FailureKind::DiskFault | FailureKind::VerifyFailed => DESTROY,
        FailureKind::NoDisk | FailureKind::NotABlockDevice | FailureKind::DiskTooSmall => {
            "Put the disk that was installed back in, then: cairn host retry NAME. If it is gone for good, remove the record."
        }
        FailureKind::PlanRefused => {
            "Check the machine's clock and that its installer is this site's, then: cairn host retry NAME"
        }
        FailureKind::SeveralDisks
        | FailureKind::CorruptFrame
        | FailureKind::Download
        | FailureKind::Internal => failure_next(kind),
    }
}

/// Failures that another attempt cannot mend: no retry by itself.
pub(super) fn is_final(kind: FailureKind) -> bool {
    match kind {
        FailureKind::PlanRefused
        | FailureKind::NoDisk
        | FailureKind::DiskTooSmall
        | FailureKind::SeveralDisks
        | FailureKind::NotZero
        | FailureKind::NotABlockDevice => true,
        FailureKind::CorruptFrame
        | FailureKind::Download
        | FailureKind::DiskFault
        | FailureKind::VerifyFailed
        | FailureKind::Internal => false,
    }
}
