//! Where images come from. The agent gives one that asks the appliance over its own proven connection.

use std::fmt::{self, Debug};
use std::future::Future;
use std::io;
use std::pin::Pin;

use bytes::Bytes;
use cairn_contract::Digest;
use futures_util::Stream;

use super::Reference;

/// What a [`Registry`] answers, once.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, RegistryError>> + Send + 'a>>;

/// Gives manifests and blobs. It need not check them: who asks does.
pub trait Registry: Send + Sync + Debug {
    /// The manifest or index of this reference, at most 4 MiB.
    fn manifest<'a>(&'a self, of: &'a Reference) -> Answer<'a, Fetched>;

    /// The blob of this digest in the reference's repository.
    fn blob<'a>(&'a self, of: &'a Reference, digest: Digest) -> Answer<'a, Blob>;
}

/// A manifest as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// `Content-Type`.
    pub media_type: String,
    /// The exact bytes.
    pub bytes: Bytes,
}

/// A blob as it comes.
pub struct Blob(pub Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>);

impl Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Blob")
    }
}

/// Why a registry gives nothing.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// It has no such thing.
    #[error("the registry has no {0}")]
    NotFound(String),
    /// It does not let this host have it.
    #[error("the registry does not give {0} to this host")]
    Denied(String),
    /// The reference names another registry.
    #[error(
        "{0} is not the registry of this host; push the image to the appliance, and name it ${{cairn.registry}}/NAME in the package"
    )]
    Foreign(String),
    /// It cannot be reached.
    #[error("cannot reach the registry")]
    Away(#[source] io::Error),
    /// It answers something that is no answer.
    #[error("the registry answers {0}")]
    Odd(String),
}
