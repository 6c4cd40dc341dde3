//! `cairn-agent`: the one program of Cairn in an installed OS, in three roles.
//!
//! ```text
//! /init of the OS's initramfs   stage1: modules, root file system, host's file -> switch_root -> /sbin/init
//! /sbin/init of the tiny image  init: network, then the service in the same process
//! a systemd service             service: attest, get a certificate, keep one connection, heartbeat
//! ```
//! Nothing listens: the agent dials out. It keeps no state on disk: its keys come back from the TPM.

mod init;
mod service;
mod stage1;

use std::process::ExitCode;

use cairn_machine::console;

fn main() -> ExitCode {
    console::init();
    let first = std::process::id() == 1;
    let done = match first {
        true if stage1::is_here() => stage1::run(),
        true => init::run(),
        false => service::run(),
    };
    if let Err(error) = done {
        tracing::error!("{error:#}");
    }
    if first {
        init::reboot();
    }
    ExitCode::FAILURE
}
