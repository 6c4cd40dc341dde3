//! Builds the two kinds of bundle from Debian packages and our static programs.
//!
//! A bundle is one uncompressed tar file `<name>.cairn` whose first member is JSON. It holds the generic parts of a
//! boot (kernel, initramfs, stub, and for an OS its root file system). The provisioner composes them with the site's
//! files into a signed UKI: nothing here holds a key, an address, or anything else of a site.
//!
//! ```text
//!  recipe.toml -> kernel package --depmod--> module set --+
//!                 firmware packages --modinfo--> files ---+--> initrd.zst --+
//!                 static program ------------------------ +                 +--> name.cairn
//!                 mmdebstrap | agent alone --> tree --> root.erofs ---------+
//! ```
//!
//! Same inputs, same bytes: times are fixed, entries sorted, compression single-threaded. Every stage is cached by the
//! hash of its inputs. Called by `cargo xtask image`; the bundle's reader is the provisioner's `fleet`.

pub mod build;
pub mod bundle;
mod cache;
mod debian;
mod erofs;
mod error;
mod firmware;
mod initrd;
mod kernel;
mod modules;
mod program;
mod progress;
pub mod recipe;
mod tree;

pub use cache::{Cache, Reuse};
pub use error::BuildError;

/// The time that every file of a bundle carries: 2025-01-01, in seconds since 1970.
pub const SOURCE_DATE_EPOCH: u64 = 1_735_689_600;
