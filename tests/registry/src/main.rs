//! `cairn-registry-bench`: pushes and pulls one blob through the registry, docker-registry and nginx in turn, on this
//! machine and over plain HTTP on loopback, and says how the registry compares. `cargo xtask bench registry` calls it.

mod client;
mod figure;
mod hashes;
mod peers;
mod rounds;
mod server;

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::{Parser, Subcommand};

use figure::Figure;

#[derive(Parser)]
#[command(name = "cairn-registry-bench", about = "Measure the registry beside its peers")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Measure; fails when a target is missed
    Bench {
        /// Write all figures as JSON, too
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
        /// A smaller blob and fewer rounds; the same targets
        #[arg(long)]
        quick: bool,
    },
    /// Serve a registry from a folder, and print its port: what the bench starts
    #[command(hide = true)]
    Serve { folder: PathBuf },
}

fn main() -> Result<()> {
    match Cli::parse().task {
        Task::Serve { folder } => server::run(&folder),
        Task::Bench { json, quick } => {
            let plan = if quick { rounds::Plan::quick() } else { rounds::Plan::full() };
            let figures = rounds::run(plan)?;
            for figure in &figures {
                eprintln!("{}", figure.line());
            }
            if let Some(file) = json {
                let text = serde_json::to_string_pretty(&serde_json::json!({ "figures": figures }))?;
                std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
            }
            verdict(&figures)
        }
    }
}

fn verdict(figures: &[Figure]) -> Result<()> {
    let missed: Vec<&str> =
        figures.iter().filter(|f| f.met == Some(false)).map(|f| f.name.as_str()).collect();
    if !missed.is_empty() {
        bail!("targets missed: {}", missed.join(", "));
    }
    Ok(())
}
