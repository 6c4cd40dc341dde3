//! `cargo xtask`: the one entry for people and CI. A thin dispatcher: it prepares the machine, builds, and
//! hands over to the programs that do the work.

mod build;
mod command;
mod host_tools;
mod interpreters;
mod kube;
mod suite;
mod tidy;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use crate::build::Workshop;
use crate::command::Program;
use crate::host_tools::{Install, Purpose};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Develop, test and demonstrate Cairn")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Take one virtual host from power-on to running, and show its timeline
    Demo {
        /// Write the timeline as JSON, too
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
        /// Keep the host and the console up until Ctrl-C
        #[arg(long)]
        stay: bool,
        #[command(flatten)]
        host: HostArgs,
    },
    /// Run everything that must pass; with names, only those scenarios
    Test {
        /// Only what needs no image and no virtual host
        #[arg(long)]
        fast: bool,
        /// The scenarios that take several minutes as well
        #[arg(long, conflicts_with = "fast")]
        full: bool,
        /// Scenarios to run instead of everything
        #[arg(value_name = "SCENARIO", conflicts_with = "fast")]
        scenarios: Vec<String>,
        #[command(flatten)]
        host: HostArgs,
    },
    /// What `.ci/run` calls: the same as `test`
    Ci,
    /// Run the commands of docs/guide and compare what they print
    Guide {
        /// Write what they print into the chapters instead
        #[arg(long)]
        bless: bool,
        /// Chapters, by the beginning of their file's name; none: all
        chapters: Vec<String>,
    },
    /// Check layers, sizes, module docs, inherited lints, dependencies and links
    Tidy,
    /// Test the API by its OpenAPI document, with schemathesis
    Schema {
        #[command(flatten)]
        host: HostArgs,
    },
    /// Virtual hosts: up, boot, console, down
    #[command(disable_help_flag = true)]
    Lab(Passed),
    /// Build installer and OS bundles
    #[command(disable_help_flag = true)]
    Image(Passed),
    /// Real Kubernetes for the tests
    Kube {
        #[command(subcommand)]
        what: Kube,
    },
    /// Measurements
    Bench {
        #[command(subcommand)]
        what: Bench,
    },
}

#[derive(Subcommand)]
enum Kube {
    /// Build it from Debian's source unless that was done before, and print the folder of its programs
    Build {
        #[command(flatten)]
        host: HostArgs,
    },
    /// Hold a control plane up until Enter is pressed
    Up {
        #[command(flatten)]
        host: HostArgs,
    },
}

#[derive(Subcommand)]
enum Bench {
    /// Installer to reboot, beside the reference pipeline
    Boot {
        /// Print only JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        host: HostArgs,
    },
    /// The API with 10,000 hosts behind it; fails when a target is missed
    Api {
        /// Write all figures as JSON, too
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
        /// Fewer hosts, requests and watchers; the same targets
        #[arg(long)]
        quick: bool,
        #[command(flatten)]
        host: HostArgs,
    },
    /// Plans of many deployments on many clusters; fails when a target is missed
    Deploy {
        /// Write all figures as JSON, too
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
        /// Fewer deployments and clusters; the same targets
        #[arg(long)]
        quick: bool,
    },
    /// Pushes and pulls beside docker-registry and nginx; fails when a target is missed
    Registry {
        /// Write all figures as JSON, too
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
        /// A smaller blob and fewer rounds; the same targets
        #[arg(long)]
        quick: bool,
        #[command(flatten)]
        host: HostArgs,
    },
}

#[derive(Args)]
struct HostArgs {
    /// List the Debian packages that are missing instead of installing them
    #[arg(long)]
    no_install: bool,
}

impl HostArgs {
    fn install(&self) -> Install {
        if self.no_install { Install::List } else { Install::Missing }
    }
}

#[derive(Args)]
struct Passed {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

fn main() -> ExitCode {
    match run(Cli::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    let workshop = Workshop::find()?;
    match task {
        Task::Demo { json, stay, host } => {
            host_tools::ensure(Purpose::Lab, host.install())?;
            let made = workshop.everything()?;
            let mut demo = made.scenarios("demo");
            if let Some(file) = json {
                demo = demo.arg("--json").arg(file);
            }
            if stay {
                demo = demo.arg("--stay");
            }
            demo.run()
        }
        Task::Test { fast: true, host, .. } => suite::fast(&workshop, host.install()),
        Task::Test { scenarios, host, .. } if !scenarios.is_empty() => {
            suite::only(&workshop, &scenarios, host.install())
        }
        Task::Test { full: true, host, .. } => suite::all(&workshop, &["--full"], host.install()),
        Task::Test { host, .. } => suite::all(&workshop, &[], host.install()),
        Task::Ci => suite::all(&workshop, &[], Install::Missing),
        Task::Guide { bless, chapters } => {
            let guide = workshop.api_tests()?.arg("guide").args(chapters);
            if bless { guide.arg("--bless").run() } else { guide.run() }
        }
        Task::Schema { host } => {
            host_tools::ensure(Purpose::Sources, host.install())?;
            suite::schema(&workshop)
        }
        Task::Tidy => tidy::run(workshop.root()),
        Task::Lab(passed) => lab(&workshop, &passed.args),
        Task::Image(passed) => image(&workshop, &passed.args),
        Task::Kube { what: Kube::Build { host } } => kube::build(&workshop, host.install()),
        Task::Kube { what: Kube::Up { host } } => kube::up(&workshop, host.install()),
        Task::Bench { what: Bench::Boot { json, host } } => {
            host_tools::ensure(Purpose::Lab, host.install())?;
            let bench = workshop.everything()?.scenarios("bench");
            if json { bench.arg("--json").run() } else { bench.run() }
        }
        Task::Bench { what: Bench::Api { json, quick, host } } => {
            host_tools::ensure(Purpose::Sources, host.install())?;
            measure(workshop.api_bench()?, json, quick)
        }
        Task::Bench { what: Bench::Deploy { json, quick } } => measure(workshop.plan_bench()?, json, quick),
        Task::Bench { what: Bench::Registry { json, quick, host } } => {
            host_tools::ensure(Purpose::Sources, host.install())?;
            measure(workshop.registry_bench()?, json, quick)
        }
    }
}

/// Runs a program that measures, as far and as thoroughly as is wanted.
fn measure(program: Program, json: Option<PathBuf>, quick: bool) -> Result<()> {
    let mut bench = program.arg("bench");
    if let Some(file) = json {
        bench = bench.arg("--json").arg(file);
    }
    if quick { bench.arg("--quick").run() } else { bench.run() }
}

/// Hands over to `cairn-lab`; a site that goes up gets the provisioner and the bundles.
fn lab(workshop: &Workshop, args: &[String]) -> Result<()> {
    if !asks_only(args) {
        host_tools::ensure(Purpose::Lab, Install::Missing)?;
    }
    let lab = Program::new(workshop.tool("cairn-lab")?).args(args);
    if args.first().is_some_and(|verb| verb == "up") && !asks_only(args) {
        return workshop.everything()?.named_to(lab).run();
    }
    lab.run()
}

/// Hands over to `cairn-image`.
fn image(workshop: &Workshop, args: &[String]) -> Result<()> {
    if !asks_only(args) {
        host_tools::ensure(Purpose::Image, Install::Missing)?;
    }
    // The plain word builds the programs that go into the bundles too.
    if args == ["all"] {
        return workshop.bundles(&workshop.host_programs()?).map(drop);
    }
    Program::new(workshop.tool("cairn-image")?).args(args).run()
}

/// Whether someone only wants to know how to ask.
fn asks_only(args: &[String]) -> bool {
    args.is_empty() || args.iter().any(|arg| ["--help", "-h", "help"].contains(&arg.as_str()))
}
