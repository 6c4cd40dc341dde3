//! The agent of a host: what the program `cairn-agent` is made of, and tests of the provisioner talk to.
//!
//! ```text
//! /init of the OS's initramfs   stage1: modules, root file system, host's file -> switch_root -> /sbin/init
//! /sbin/init of the tiny image  init: network, then the service in the same process
//! a systemd service             service: attest, get a certificate, keep one connection, heartbeat
//!                               workloads: on a thread of their own; what the host is to run
//! ```
//! Nothing listens on the network: the agent dials out. Its keys come back from the TPM; on disk it keeps what it is to run.

pub mod init;
pub mod service;
pub mod stage1;
pub mod workloads;
