//! Runs one command and turns its failure into words and a code.

use std::process::ExitCode;

use cairn_domain::fact::plain;

use crate::{
    Command, Context, ImageCommand, InstallerCommand, MachineCommand, access,
    args::{Import, Timeline},
    audit, backup, complete,
    exit::Failure,
    host, images, import, login,
    orders::{self, Order},
    reach,
    show::words::Tone,
    site, target, timeline,
    verbs::{apply, delete, describe, edit, explain, get, mark},
    workloads,
};

/// Bytes of a message.
const MAX_TEXT: usize = 4000;

/// Runs `command`. What went wrong is printed already; the code says it to scripts (see the crate's page).
pub async fn run(command: Command, mut cx: Context) -> anyhow::Result<ExitCode> {
    let done = match command {
        Command::Host(command) => host::run(&mut cx, command).await,
        command => dispatch(command, &mut cx).await,
    };
    match done {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(failure) if failure.code == 0 => Ok(ExitCode::SUCCESS),
        Err(failure) => {
            let code = failure.code();
            tell(&mut cx, failure);
            Ok(code)
        }
    }
}

/// To people in words, to programs as a problem.
fn tell(cx: &mut Context, failure: Failure) {
    if failure.text.is_empty() {
        return;
    }
    if cx.output == crate::Output::Json {
        let problem = serde_json::to_value(failure.into_problem()).unwrap_or_default();
        cx.say(&format!("{problem:#}"));
        return;
    }
    let words = cx.words();
    // The server does not know how it is reached from here.
    let next = match cx.chosen() {
        Ok(chosen) => failure.next.replace("https://ADDRESS", &chosen.connection.url),
        Err(_) => failure.next,
    };
    let lines = failure.text.lines().map(|l| plain(l, MAX_TEXT)).collect::<Vec<_>>().join("\n");
    cx.say(&format!("{} {lines}", words.paint("error:", Tone::Bad)));
    if !next.is_empty() {
        cx.say(&format!("{} {}", words.paint("try:", Tone::Busy), plain(&next, MAX_TEXT)));
    }
}

async fn dispatch(command: Command, cx: &mut Context) -> Result<(), Failure> {
    match command {
        Command::Get(args) => get::run(cx, &args).await,
        Command::Describe(args) => describe::run(cx, &args.words).await,
        Command::Apply(args) => apply::apply(cx, &args).await,
        Command::Diff(args) => apply::diff(cx, &args).await,
        Command::Edit(args) => edit::run(cx, &args.words).await,
        Command::Delete(args) => delete::run(cx, &args).await,
        Command::Label(args) => mark::run(cx, &args, mark::Member::Labels).await,
        Command::Annotate(args) => mark::run(cx, &args, mark::Member::Annotations).await,
        Command::Explain(args) => explain::run(cx, &args.words).await,
        Command::Events(args) => timeline::events(cx, &args).await,
        Command::Timeline(args) => line_of(cx, &args).await,
        Command::Move(args) => orders::relocate(cx, &args).await,
        Command::Deauthorise(args) => orders::several(cx, &args, Order::Deauthorise).await,
        Command::Decommission(args) => orders::several(cx, &args, Order::Decommission).await,
        Command::Import(Import::Hosts { file, dry_run, error_file }) => {
            let run = apply::Run::of(dry_run);
            import::hosts(cx, import::Request { file: &file, run, error_file: error_file.as_deref() }).await
        }
        Command::ApiResources => get::kinds(cx),
        command @ (Command::Deploy(_)
        | Command::Deployment(_)
        | Command::Package(_)
        | Command::Secret(_)
        | Command::Cluster(_)
        | Command::Distribution(_)) => workloads::run(cx, command).await,
        command @ (Command::Kubectl(_) | Command::Logs(_) | Command::Exec(_) | Command::Vm(_)) => {
            reach::run(cx, command).await
        }
        other => identity(other, cx).await,
    }
}

async fn line_of(cx: &mut Context, args: &Timeline) -> Result<(), Failure> {
    let targets = target::hosts(&args.words)?;
    let [target] = targets.as_slice() else {
        return Err(Failure::usage("one host at a time", "cairn timeline NAME"));
    };
    if args.follow { timeline::follow(cx, target).await } else { timeline::host(cx, target).await }
}

/// Who one is, and what is about no resource.
async fn identity(command: Command, cx: &mut Context) -> Result<(), Failure> {
    match command {
        Command::Login(args) => login::login(cx, &args).await,
        Command::Logout => login::logout(cx).await,
        Command::Whoami => login::whoami(cx).await,
        Command::Context(command) => login::context(cx, &command),
        Command::Token(command) => access::token(cx, &command).await,
        Command::Passwd(args) => access::passwd(cx, &args).await,
        Command::Can(args) => access::can(cx, &args).await,
        Command::Audit(command) => audit::run(cx, &command).await,
        Command::Completion { shell } => cx.raw(complete::script(shell).as_bytes()),
        Command::Complete(args) => complete::run(cx, args).await,
        Command::Machine(MachineCommand::Ls) => site::machines(cx).await,
        Command::Image(ImageCommand::Add { file }) | Command::Installer(InstallerCommand::Add { file }) => {
            images::add(cx, &file).await
        }
        Command::Image(ImageCommand::Ls) => images::list(cx).await,
        Command::Installer(InstallerCommand::Ls) => images::installers(cx).await,
        Command::Installer(InstallerCommand::Retire { name, version }) => {
            images::retire(cx, &name, &version).await
        }
        Command::Backup(args) => backup::run(cx, args).await,
        Command::Status => site::status(cx).await,
        Command::Console { token } => {
            site::console(cx, if token { site::Wanted::Token } else { site::Wanted::Way })
        }
        // All others are in `dispatch`.
        other => Err(Failure::usage(format!("{other:?} is not known"), "cairn --help")),
    }
}
