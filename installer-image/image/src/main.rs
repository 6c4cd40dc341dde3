//! `cairn-image`: builds bundles from recipes. Called by `cargo xtask image` and by the test suite.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Result;
use cairn_image::build::{Builder, Program};
use cairn_image::{Cache, Reuse, bundle, recipe};
use clap::{Args, Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cairn-image", about = "Build installer and OS bundles from Debian packages")]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Build an installer bundle
    Installer {
        /// `lab` or `metal`
        flavour: String,
        /// The static `cairn-installer`
        #[arg(long)]
        program: PathBuf,
        #[command(flatten)]
        common: Common,
    },
    /// Build an OS bundle
    Os {
        /// `tiny` or `debian`
        name: String,
        /// The static `cairn-agent`
        #[arg(long)]
        agent: PathBuf,
        #[command(flatten)]
        common: Common,
    },
    /// Build every bundle
    All {
        /// The static `cairn-installer`
        #[arg(long)]
        installer: PathBuf,
        /// The static `cairn-agent`
        #[arg(long)]
        agent: PathBuf,
        #[command(flatten)]
        common: Common,
    },
    /// Show what a bundle holds
    Show {
        /// The bundle
        file: PathBuf,
    },
}

#[derive(Args)]
struct Common {
    /// Where bundles go
    #[arg(long, default_value = "target/cairn")]
    out: PathBuf,
    /// The bundle's version; an image is never replaced by an older one
    #[arg(long, default_value_t = 1)]
    version: u64,
    /// Build every stage again
    #[arg(long)]
    no_cache: bool,
}

impl Common {
    fn builder(&self) -> Result<Builder> {
        let reuse = if self.no_cache { Reuse::No } else { Reuse::Yes };
        Ok(Builder::new(Cache::new(Cache::default_root(), reuse))?)
    }

    fn installer(&self, builder: &Builder, flavour: &str, program: &Program) -> Result<()> {
        let recipe = recipe::installer(flavour)?;
        say(&builder.installer(&recipe, program, self.version, &self.out)?)
    }

    fn os(&self, builder: &Builder, name: &str, agent: &Program) -> Result<()> {
        let recipe = recipe::os(name)?;
        say(&builder.os(&recipe, agent, self.version, &self.out)?)
    }
}

fn main() -> Result<()> {
    match Cli::parse().verb {
        Verb::Installer { flavour, program, common } => {
            common.installer(&common.builder()?, &flavour, &Program::at(program)?)
        }
        Verb::Os { name, agent, common } => common.os(&common.builder()?, &name, &Program::at(agent)?),
        Verb::All { installer, agent, common } => {
            let (installer, agent) = (Program::at(installer)?, Program::at(agent)?);
            let builder = common.builder()?;
            common.installer(&builder, "lab", &installer)?;
            common.os(&builder, "tiny", &agent)?;
            common.os(&builder, "debian", &agent)?;
            common.os(&builder, "edge", &agent)?;
            common.installer(&builder, "metal", &installer)
        }
        Verb::Show { file } => show(&file),
    }
}

fn say(path: &std::path::Path) -> Result<()> {
    let tenths = std::fs::metadata(path)?.len().saturating_mul(10) >> 20;
    eprintln!("{}: {}.{} MiB", path.display(), tenths / 10, tenths % 10);
    Ok(())
}

fn show(file: &std::path::Path) -> Result<()> {
    let listing = bundle::list(file)?;
    let mut out = std::io::stdout().lock();
    write!(out, "{}", listing.manifest)?;
    for (name, bytes) in listing.members {
        writeln!(out, "{bytes:>12}  {name}")?;
    }
    Ok(())
}
