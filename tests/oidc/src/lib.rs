//! npm's `oidc-provider`, certified by the OpenID Foundation, started on a loopback port; and a browser that logs in there.
//!
//! For tests of `cairn-identity`, `cairn-operator` and CI only: anybody logs in with any password.
//!
//! ```text
//! OidcPeer::start() -- npm ci (once per lock file, in the user's cache) --> node starter.mjs --> issuer
//! Browser::log_in(url) -- forms of its pages, as a person would --> the address with `code` that a browser would open next
//! ```

mod browser;
mod form;
mod install;
mod peer;

pub use browser::{Browser, BrowserError};
pub use install::InstallError;
pub use peer::{Claims, Fault, OidcPeer, PeerError};
