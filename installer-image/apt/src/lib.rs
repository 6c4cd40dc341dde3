//! Debian packages, fetched by the build machine's own apt sources.
//!
//! Reads which mirrors the machine uses (`apt-get indextargets`), derives sources for other suites or
//! components of the same mirrors, and fetches and unpacks packages with a private apt configuration.
//! It never names a mirror itself and never installs a package. Used by `xtask` and `cairn-image`.

mod fetch;
mod source;

pub use fetch::{Apt, FetchError, Package};
pub use source::{Source, SourceError, machine_sources, parse_targets, render};
