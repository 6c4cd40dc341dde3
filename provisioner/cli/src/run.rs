//! Runs one command and turns its failure into words and a code.

use std::process::ExitCode;

use cairn_domain::fact::plain;

use crate::{
    Command, Context, HostCommand, ImageCommand, InstallerCommand, MachineCommand, exit::Failure, host,
    images, show::words::Tone, site,
};

/// Runs `command`. What went wrong is printed already; the code says it to scripts (see the crate's page).
pub async fn run(command: Command, mut cx: Context) -> anyhow::Result<ExitCode> {
    match dispatch(command, &mut cx).await {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(failure) if failure.code == 0 => Ok(ExitCode::SUCCESS),
        Err(failure) => {
            let words = cx.words();
            cx.say(&format!("{} {}", words.paint("error:", Tone::Bad), plain(&failure.text, 2000)));
            if !failure.next.is_empty() {
                cx.say(&format!("{} {}", words.paint("try:", Tone::Busy), plain(&failure.next, 2000)));
            }
            Ok(failure.code())
        }
    }
}

async fn dispatch(command: Command, cx: &mut Context) -> Result<(), Failure> {
    match command {
        Command::Host(HostCommand::Register(r)) => host::register(cx, *r).await,
        Command::Host(HostCommand::Ls { state }) => host::list(cx, state.as_deref()).await,
        Command::Host(HostCommand::Show { name }) => host::show(cx, &name).await,
        Command::Host(HostCommand::Timeline { name, follow: false }) => host::timeline(cx, &name).await,
        Command::Host(HostCommand::Timeline { name, follow: true }) => host::follow(cx, &name).await,
        Command::Host(HostCommand::Accept { name, rename }) => host::accept(cx, &name, rename).await,
        Command::Host(HostCommand::Retry { name }) => host::order(cx, &name, "retry").await,
        Command::Host(HostCommand::Reinstall { name }) => host::order(cx, &name, "reinstall").await,
        Command::Host(HostCommand::Rm { name }) => host::remove(cx, &name).await,
        Command::Machine(MachineCommand::Ls) => site::machines(cx).await,
        Command::Image(ImageCommand::Add { file }) | Command::Installer(InstallerCommand::Add { file }) => {
            images::add(cx, &file).await
        }
        Command::Image(ImageCommand::Ls) => images::list(cx).await,
        Command::Installer(InstallerCommand::Ls) => images::installers(cx).await,
        Command::Installer(InstallerCommand::Retire { name, version }) => {
            images::retire(cx, &name, &version).await
        }
        Command::Status => site::status(cx).await,
        Command::Console { token } => {
            site::console(cx, if token { site::Wanted::Token } else { site::Wanted::Way })
        }
    }
}
