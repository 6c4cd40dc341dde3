//! `cairn-api`: what people and programs are promised, held against a real `cairn` on loopback ports. `cargo xtask` builds
//! what it needs and runs it; the paths come in the environment (`CAIRN_BIN`, `CAIRN_PYTHON`).
//!
//! Not `cargo test`: it starts servers and takes minutes.

mod child;
mod guide;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};

/// The guide executed, the API put to the test and measured.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Runs the commands of docs/guide and compares what they print
    Guide {
        /// Write what they print into the chapters instead
        #[arg(long)]
        bless: bool,
        /// Chapters, by the beginning of their file's name; none: all
        chapters: Vec<String>,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().verb) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(verb: Verb) -> Result<bool> {
    match verb {
        Verb::Guide { bless, chapters } => {
            let after = if bless { guide::Outcome::Bless } else { guide::Outcome::Compare };
            guide::run(&root()?, &cairn()?, &chapters, after)
        }
    }
}

/// The workspace that this program was built from.
fn root() -> Result<PathBuf> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).map(PathBuf::from).context("the crate lies two folders below the workspace")
}

/// The program under test.
fn cairn() -> Result<PathBuf> {
    let path = std::env::var_os("CAIRN_BIN").context("CAIRN_BIN is not set: use cargo xtask")?;
    PathBuf::from(path).canonicalize().context("CAIRN_BIN names no file")
}
