//! `cairn-agent`: the one program of Cairn in an installed OS, in three roles (see the library).

use std::process::ExitCode;

use cairn_agentd::{init, service, stage1};
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
