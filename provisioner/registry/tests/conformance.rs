//! The cases of the OCI distribution-spec's conformance suite (v1.1), each driven over HTTP as the suite drives it, and
//! numbered as in docs/registry.md. One test each, so that the table there names what is run.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "conformance/discovery.rs"]
mod discovery;
#[path = "conformance/management.rs"]
mod management;
#[path = "conformance/pull.rs"]
mod pull;
#[path = "conformance/push.rs"]
mod push;
mod served;
#[path = "conformance/table.rs"]
mod table;
