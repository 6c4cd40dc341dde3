//! `cairn-api`: what people and programs are promised, held against a real `cairn` on loopback ports. `cargo xtask` builds
//! what it needs and runs it; the paths come in the environment (`CAIRN_BIN`, `CAIRN_PYTHON`).
//!
//! Not `cargo test`: it starts servers and takes minutes.

mod bench;
mod child;
mod guide;
mod http;
mod schema;
mod site;

use std::path::{Path, PathBuf};
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
    /// Tests the API by its OpenAPI document, with schemathesis
    Schema,
    /// Measures the API with 10,000 hosts behind it
    Bench {
        /// Write all figures here as well
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
        /// Fewer hosts, requests and watchers; the same targets
        #[arg(long)]
        quick: bool,
    },
}

fn main() -> ExitCode {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        eprintln!("error: the TLS provider was installed twice");
        return ExitCode::FAILURE;
    }
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
        Verb::Schema => {
            let python =
                std::env::var_os("CAIRN_PYTHON").context("CAIRN_PYTHON is not set: use cargo xtask")?;
            schema::run(
                &cairn()?,
                Path::new(&python),
                (&root()?.join("tests/api"), &root()?.join("examples/retail")),
            )
        }
        Verb::Bench { json, quick } => {
            let scale = if quick { bench::Scale::QUICK } else { bench::Scale::FULL };
            bench::run(&cairn()?, scale, json.as_deref())
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
