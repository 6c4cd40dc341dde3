//! The promises of `cairn-evidence`, on samples of a virtual host, on structures made here, and against swtpm.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test's helper fails and speaks like the test"
)]

mod appraise;
mod builders;
mod certify;
mod ek;
mod eventlog;
mod hostile;
mod quote;
mod samples;
mod swtpm;
mod tpm;
