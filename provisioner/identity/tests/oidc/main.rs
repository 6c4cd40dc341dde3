//! OpenID Connect, against a certified issuer (npm's `oidc-provider`) and one that does everything wrong.
#![allow(clippy::unwrap_used, reason = "tests")]

mod device;
mod discovery;
mod listener;
mod login;
mod site;
