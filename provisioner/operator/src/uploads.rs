//! The one way in for large files. This crate streams and bounds them; `cairn-fleet` reads and keeps them.

use std::{io, pin::Pin};

use bytes::Bytes;
use cairn_contract::Digest;
use futures_util::{Stream, future::BoxFuture};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bytes of a bundle as they arrive. An `Err` means that the rest never comes.
pub type Chunks = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// What a bundle was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BundleKind {
    /// An OS image.
    Image,
    /// An installer.
    Installer,
}

/// A bundle that was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Added {
    /// What it was.
    pub kind: BundleKind,
    /// Its name, such as `debian` or `lab`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Bytes on disk.
    pub size: u64,
    /// SHA-256 of its main artifact.
    #[schemars(with = "String")]
    pub sha256: Digest,
}

/// Why a bundle was not kept. `Display` is a sentence for the operator.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// It is no bundle, or its content contradicts itself.
    #[error("this is not a bundle that Cairn can use: {0}")]
    Malformed(String),
    /// That name and version exist already with other content.
    #[error("{0}")]
    Conflict(String),
    /// The bytes stopped.
    #[error("the upload ended early")]
    Broken(#[source] io::Error),
    /// No room.
    #[error("the disk of the provisioner is full")]
    NoSpace,
    /// The disk or the store failed.
    #[error("the bundle could not be kept")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Keeps bundles.
pub trait Uploads: Send + Sync {
    /// Reads `chunks` to the end, checks and keeps the bundle. When the future is dropped, nothing remains of it.
    fn add(&self, chunks: Chunks) -> BoxFuture<'_, Result<Added, UploadError>>;
}
