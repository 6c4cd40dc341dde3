//! The registry's files, below the folder of the appliance's artifacts. All of it blocks; nothing here knows HTTP.
//!
//! ```text
//! blobs/sha256/ab/<hex>                       content that artifacts and registry share
//! blobs/registry/published/ab/<hex>           the same file, for each name above that the registry made
//! blobs/registry/repositories/<name>/
//!     _blobs/<hex>                            the same file again: this repository may see it
//!     _manifests/<hex>.<kind>                 a manifest
//!     _tags/<tag>                             the digest that it names
//!     _referrers/<subject>/<hex>              the descriptor of a manifest that has that subject
//! blobs/registry/uploads/<repository>-<id>    what is being uploaded
//! blobs/registry/imports/<id>/                what is being read from an archive
//! blobs/registry/locks/<ab>                   held while manifests of repositories change
//! blobs/registry/withdrawn/<hex>              between two steps of a collection
//! ```
//!
//! One content has many names (hard links), and the file system counts them: who unlinks a name harms no other, a blob
//! is gone with its last name, and a mount from another repository is one system call. A file gets its name when its
//! bytes are on the disk, so a power cut or SIGKILL leaves whole things and, at most, nameless or unused ones, which
//! [`collect`](collect::collect) removes. Where a file system has no hard links, bytes are copied.

mod blobs;
mod collect;
mod durable;
mod layout;
mod lists;
mod manifests;
mod uploads;

pub(crate) use blobs::{adopt, mount, open, remove, touch};
pub(crate) use collect::{Outcome, collect};
pub(crate) use layout::Layout;
pub(crate) use lists::{Page, referrers, repositories, tags};
pub(crate) use manifests::{PutError, Stored, delete_manifest, delete_tag, find, put};
pub(crate) use uploads::{Appending, Opened, Uploads};
