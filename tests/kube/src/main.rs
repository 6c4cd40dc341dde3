//! `cairn-kube`: builds Kubernetes for the tests, or holds a control plane up for a developer.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use cairn_kube_rig::{Cluster, recipe};
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cairn-kube", about = "Real Kubernetes for tests")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build it from Debian's source unless that was done before, and print the folder of its programs
    Build,
    /// Hold a control plane up until Enter is pressed, and print how to reach it
    Up,
}

fn main() -> ExitCode {
    let done = match Cli::parse().task {
        Task::Build => build(),
        Task::Up => up(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "what it was asked for")]
fn build() -> Result<()> {
    if recipe::built().is_none() {
        eprintln!("building Kubernetes from Debian's source: about eleven minutes of one processor, once");
    }
    println!("{}", recipe::build()?.display());
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what it was asked for")]
fn up() -> Result<()> {
    let cluster = Cluster::start()?;
    println!("export KUBECONFIG={}", cluster.kubeconfig().display());
    println!("# {} is ready; logs are in {}", cluster.url(), cluster.folder().display());
    println!("# Enter ends it");
    std::io::stdin().read_line(&mut String::new()).context("cannot wait for Enter")?;
    Ok(())
}
