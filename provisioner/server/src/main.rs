//! `cairn`: the provisioner and its command line in one binary. Wiring only: decisions are in `cairn-domain`.

mod admin;
mod backup;
mod boot_files;
mod config;
mod descriptors;
mod duties;
mod effects;
mod first_login;
mod host_side;
mod host_work;
mod images;
mod init;
mod join;
mod leases;
mod migrate;
mod notes;
mod packages;
mod people;
mod places;
mod port;
mod reach;
mod restore;
mod rewrite;
mod serve;
mod site_files;
mod snapshot;
mod standing;
mod tls;
mod uploads;

use std::{
    io::{IsTerminal, Write},
    process::ExitCode,
    time::Duration,
};

use cairn_store::{Clock, SystemClock};
use clap::{Parser, Subcommand};
use tracing_subscriber::{EnvFilter, layer::SubscriberExt, util::SubscriberInitExt};

#[derive(Debug, Parser)]
#[command(name = "cairn", version, about = "Brings bare machines to a proven, running state")]
struct Cli {
    #[command(flatten)]
    globals: cairn_cli::Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a new site: keys, configuration, operator token
    Init(init::Args),
    /// Run the provisioner of a site
    Serve,
    /// Bring a site back from a backup, into an empty folder
    Restore(restore::Args),
    /// Move the tables from SQLite to PostgreSQL, or back; the server is stopped meanwhile
    Migrate(migrate::Args),
    /// What only whoever is root on this machine may do
    #[command(subcommand)]
    Admin(admin::Command),
    #[command(flatten)]
    Operator(cairn_cli::Command),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        eprintln!("cairn: the TLS provider was installed twice");
        return ExitCode::FAILURE;
    }
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let dir = cli.globals.data.clone();
    match cli.command {
        Command::Init(args) => {
            let text = init::run(&dir, &args, SystemClock.now())?;
            writeln!(std::io::stdout(), "{text}")?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Admin(command) => {
            let text = admin::run(&dir, &command, SystemClock.now())?;
            writeln!(std::io::stdout(), "{text}")?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Serve => {
            log_to_stderr();
            let runtime = runtime()?;
            let served = runtime.block_on(serve::run(&dir));
            // A file that is being copied does not hold the process back.
            runtime.shutdown_timeout(Duration::from_secs(1));
            served.map(|()| ExitCode::SUCCESS)
        }
        Command::Restore(args) => {
            let done = runtime()?.block_on(restore::run(&dir, &args, SystemClock.now()))?;
            print(&cli.globals, &done.text, &done.json)
        }
        Command::Migrate(args) => {
            let (text, json) = runtime()?.block_on(migrate::run(&dir, &args, SystemClock.now()))?;
            print(&cli.globals, &text, &json)
        }
        Command::Operator(cairn_cli::Command::Backup(args)) if backup::is_local(&cli.globals, &args) => {
            runtime()?.block_on(backup::run(&cli.globals, args))
        }
        Command::Operator(command) => runtime()?.block_on(cairn_cli::run(
            command,
            cairn_cli::Context::new(&cli.globals).of_program(<Cli as clap::CommandFactory>::command()),
        )),
    }
}

/// For people, or for programs.
fn print(globals: &cairn_cli::Globals, text: &str, json: &serde_json::Value) -> anyhow::Result<ExitCode> {
    let wants_json = globals.json || globals.output == Some(cairn_cli::Output::Json);
    let text = if wants_json { format!("{json:#}") } else { text.to_owned() };
    writeln!(std::io::stdout(), "{text}")?;
    Ok(ExitCode::SUCCESS)
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("CAIRN_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal());
    tracing_subscriber::registry().with(filter).with(lines).init();
}

/// An error with its causes, for people.
fn in_words(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |e| e.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
