//! A failed attempt: one word for the provisioner, a chain of causes for people.

use cairn_contract::report::FailureKind;
use cairn_machine::disk::{OpenError, SelectError};
use cairn_machine::install::InstallError;
use cairn_machine::wipe::WipeError;

/// Why this attempt ends.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: FailureKind,
    pub(crate) error: anyhow::Error,
}

impl Failure {
    pub(crate) fn new(kind: FailureKind, error: impl Into<anyhow::Error>) -> Self {
        Self { kind, error: error.into() }
    }

    pub(crate) fn internal(error: anyhow::Error) -> Self {
        Self { kind: FailureKind::Internal, error }
    }
}

impl From<InstallError> for Failure {
    fn from(error: InstallError) -> Self {
        let kind = match &error {
            InstallError::TooSmall(_) => FailureKind::DiskTooSmall,
            InstallError::CorruptFrame { .. } | InstallError::BadFrame { .. } => FailureKind::CorruptFrame,
            InstallError::Download { .. } => FailureKind::Download,
            InstallError::Disk { .. } | InstallError::Esp { .. } => FailureKind::DiskFault,
            InstallError::ReadBack { .. } => FailureKind::VerifyFailed,
            InstallError::Stopped | InstallError::Broken => FailureKind::Internal,
        };
        Self::new(kind, error)
    }
}

impl From<SelectError> for Failure {
    fn from(error: SelectError) -> Self {
        let kind = match &error {
            SelectError::None | SelectError::NoMatch(_) => FailureKind::NoDisk,
            SelectError::TooSmall { .. } => FailureKind::DiskTooSmall,
            SelectError::Several(_) => FailureKind::SeveralDisks,
        };
        Self::new(kind, error)
    }
}

impl From<WipeError> for Failure {
    fn from(error: WipeError) -> Self {
        let kind = match &error {
            WipeError::Disk { .. } => FailureKind::DiskFault,
            WipeError::NotZero { .. } => FailureKind::NotZero,
            WipeError::Stopped => FailureKind::Internal,
        };
        Self::new(kind, error)
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        let kind = match &error {
            OpenError::NotABlockDevice { .. } | OpenError::OtherDevice { .. } => FailureKind::NotABlockDevice,
            OpenError::Open { .. } => FailureKind::DiskFault,
        };
        Self::new(kind, error)
    }
}
