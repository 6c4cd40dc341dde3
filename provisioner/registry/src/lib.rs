//! An OCI distribution registry (distribution-spec v1.1) over content-addressed files: push, pull, discovery, deletion,
//! collection of what nothing uses, and archives for sites without internet.
//!
//! It is not a server: it answers requests that its caller has read from a socket. It knows no users: with each request
//! the caller says by an [`Access`] what may be done. It keeps no tables: all it knows is in files, whose layout
//! `store/mod.rs` explains, so several provisioners can share one folder.
//!
//! ```text
//! request -> route -> may they (Access) -> api/* -> store/* (blocking, on tokio's threads for that) -> files
//! ```

mod access;
mod api;
mod archive;
mod body;
mod clock;
mod digest;
mod manifest;
mod name;
mod query;
mod range;
mod refusal;
mod registry;
mod route;
mod store;

pub use access::{Access, Action, Challenge};
pub use archive::{ArchiveError, Imported, Limits as ArchiveLimits};
pub use body::Body;
pub use digest::{DigestError, parse_digest};
pub use manifest::{Kind, Manifest, ManifestError};
pub use name::{NameError, Reference, RepositoryName, Tag};
pub use range::{ChunkRange, Part, RangeError};
pub use registry::{CollectError, Collected, Limits, OpenError, Registry};
