//! This machine's hands: what the installer and the agent do to the machine that they run on.
//!
//! Not decisions (those are the provisioner's) and not the programs (`cairn-installer`, `cairn-agent`). Everything
//! here is linked into static programs that may be PID 1: the C library's resolver is never called, and `unsafe`
//! lives in `sys` only.

pub mod tpm;
