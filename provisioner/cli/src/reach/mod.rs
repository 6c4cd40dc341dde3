//! Into what runs: `cairn cluster kubeconfig`, `cairn kubectl`, `cairn logs`, `cairn exec`, `cairn vm console`. All go through the
//! server: nothing here speaks to a host or cluster itself.

mod kubeconfig;
mod kubectl;
mod streams;
mod terminal;

pub(crate) use kubeconfig::run as kubeconfig;

use crate::{Command, Context, args::VmCommand, exit::Failure};

/// Runs one of them.
pub(crate) async fn run(cx: &mut Context, command: Command) -> Result<(), Failure> {
    match command {
        Command::Kubectl(args) => kubectl::run(cx, &args).await,
        Command::Logs(args) => streams::logs(cx, &args).await,
        Command::Exec(args) => streams::exec(cx, &args).await,
        Command::Vm(VmCommand::Console(place)) => streams::console(cx, &place).await,
        other => Err(Failure::usage(format!("{other:?} is not known"), "cairn --help")),
    }
}
