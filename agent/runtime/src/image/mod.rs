//! Images: fetched from a registry or an archive, checked byte by byte, kept and unpacked by containerd.
//!
//! Not containers, and not trust: who may be asked for bytes is the [`Registry`]'s matter. containerd 1.6 has no Transfer service,
//! so the agent fetches itself. What is fetched is held by a lease until the image names it.

mod archive;
mod content;
mod error;
mod http;
mod manifest;
mod pull;
mod reference;
mod registry;
mod unpack;

pub use error::ImageError;
pub use http::{Dial, Dialled, Duplex, HttpRegistry};
pub use manifest::{Descriptor, ImageConfig, Manifest, Process};
pub(crate) use manifest::{Found, parse_manifest};
pub use pull::{Image, Images};
pub use reference::{Reference, ReferenceError};
pub use registry::{Answer, Blob, Fetched, Registry, RegistryError};
pub(crate) use unpack::{prepare, remove as remove_snapshot};
