//! Why an image is not there.

use std::io;
use std::path::PathBuf;

use super::{ReferenceError, RegistryError};
use crate::engine::EngineError;

/// Why an image could not be made ready.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// Its name.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// The registry.
    #[error("cannot fetch {image}")]
    Registry {
        /// Which.
        image: String,
        /// Why.
        #[source]
        source: RegistryError,
    },
    /// It must not be fetched, and is not there.
    #[error("{0} is not on this host, and its pull policy is Never; import it first")]
    Absent(String),
    /// Bytes are not those that were asked for.
    #[error("{what} of {image} is not what its digest says; push the image again")]
    Mismatch {
        /// Which.
        image: String,
        /// Which part.
        what: String,
    },
    /// A manifest or configuration that cannot be read.
    #[error("the manifest of {image} cannot be used: {text}")]
    Manifest {
        /// Which.
        image: String,
        /// Why.
        text: String,
    },
    /// A transfer that broke off.
    #[error("the transfer of {image} broke off")]
    Broken {
        /// Which.
        image: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// An archive that cannot be read.
    #[error("{} is no OCI archive that can be imported: {text}", path.display())]
    Archive {
        /// Which.
        path: PathBuf,
        /// Why.
        text: String,
    },
    /// containerd.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl ImageError {
    /// One word for status.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Reference(_) => "ImageNameInvalid",
            Self::Registry { source, .. } => match source {
                RegistryError::NotFound(_) => "ImageNotFound",
                RegistryError::Denied(_) => "ImageDenied",
                RegistryError::Foreign(_) => "RegistryUnknown",
                RegistryError::Away(_) => "RegistryAway",
                RegistryError::Odd(_) => "RegistryAnswer",
            },
            Self::Absent(_) => "ImageNotFound",
            Self::Mismatch { .. } => "DigestMismatch",
            Self::Manifest { .. } => "ManifestInvalid",
            Self::Broken { .. } => "RegistryAway",
            Self::Archive { .. } => "ArchiveInvalid",
            Self::Engine(error) => error.reason(),
        }
    }
}
