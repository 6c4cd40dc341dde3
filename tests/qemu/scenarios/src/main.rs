//! `cairn-scenarios`: tells stories to virtual hosts and says which came true.
//!
//! A story is a function in a file of its own, listed in `stories.rs`. Each runs in a network of its own; at most two
//! guests are on at once over all stories. Not `cargo test`: it needs root, QEMU and minutes. `cargo xtask test` runs it.

mod bench;
mod bios_ipxe;
mod built;
mod container_without_kubernetes;
mod corrupt_chunk;
mod debian_on_nvme;
mod decommission_with_proof;
mod demo;
mod edge;
mod firmware_knocks;
mod install_then_disk_boot;
mod knock;
mod midway;
mod other_tpm;
mod padded;
mod play;
mod power_cut_mid_write;
mod provisioner_killed_mid_install;
mod reference;
mod replayed_quote;
mod report;
mod rig_breaks_things;
mod runner;
mod secure_boot_accepts_and_refuses;
mod server_gone_mid_stream;
mod slots;
mod stories;
mod story;
mod tampered_installer;
mod uefi_http;
mod uefi_https;
mod uefi_pxe;
mod unknown_host_waits;
mod untrusted_tpms;
mod vm_without_kubernetes;
mod wrong_disks;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand, ValueEnum};

use crate::bench::Output;
use crate::demo::Afterwards;
use crate::runner::Options;
use crate::stories::{Entry, STORIES, Told};

/// Stories told to virtual hosts.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Lists the stories.
    List,
    /// Runs all stories, or those named.
    Run {
        /// Names, or beginnings of names.
        names: Vec<String>,
        /// Those that take several minutes as well.
        #[arg(long)]
        full: bool,
        /// Stories at once.
        #[arg(long, default_value_t = 2)]
        jobs: usize,
        /// Guests at once, over all stories.
        #[arg(long, default_value_t = 2)]
        guests: usize,
        /// Writes the outcome here as well.
        #[arg(long)]
        json: Option<PathBuf>,
        /// Keeps the folders of stories that came true.
        #[arg(long)]
        keep: bool,
    },
    /// Takes one virtual host from power-on to running, and shows its timeline.
    Demo {
        /// Writes timeline, phases and figures here as well.
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
        /// Keeps the lab up until Ctrl-C, with its console on a port of this machine.
        #[arg(long)]
        stay: bool,
    },
    /// Measures how fast and how small, and prints JSON: installer to reboot beside the reference pipeline, and sizes.
    Bench {
        /// What to measure.
        #[arg(value_enum, default_value_t = Bench::Boot)]
        what: Bench,
        /// Prints nothing but JSON; with a file, writes it there.
        #[arg(long, value_name = "FILE", num_args = 0..=1)]
        json: Option<Option<PathBuf>>,
        /// Installations of each kind.
        #[arg(long, default_value_t = 3)]
        rounds: usize,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Bench {
    /// From the installer's first line to the reboot.
    Boot,
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
        Verb::List => {
            STORIES.iter().for_each(|story| report::say(&format!("{:<36} {}", story.name, story.promise)));
            Ok(true)
        }
        Verb::Run { names, full, jobs, guests, json, keep } => {
            let chosen = chosen(&names, if full { Told::Full } else { Told::Always })?;
            let options =
                Options { jobs, guests, keep: if keep { runner::Keep::All } else { runner::Keep::Failed } };
            let outcomes = runner::run(&chosen, &options)?;
            if let Some(path) = json {
                let text = serde_json::to_string_pretty(&outcomes)?;
                std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
            }
            Ok(report::summary(&outcomes))
        }
        Verb::Demo { json, stay } => {
            demo::show(json.as_deref(), if stay { Afterwards::Stay } else { Afterwards::End })
        }
        Verb::Bench { what: Bench::Boot, json, rounds } => {
            bench::boot(rounds, json.as_ref().map_or(Output::Both, |file| Output::of(file.as_deref())))?;
            Ok(true)
        }
    }
}

fn chosen(names: &[String], told: Told) -> Result<Vec<&'static Entry>> {
    if let Some(unknown) =
        names.iter().find(|name| !STORIES.iter().any(|story| story.name.starts_with(name.as_str())))
    {
        bail!("no story is called {unknown}; see `cairn-scenarios list`");
    }
    let wanted = |story: &&Entry| match names {
        [] => told == Told::Full || story.told == Told::Always,
        names => names.iter().any(|name| story.name.starts_with(name.as_str())),
    };
    Ok(STORIES.iter().filter(wanted).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stories_are_chosen_by_the_beginning_of_their_name() {
        assert_eq!(chosen(&[], Told::Full).unwrap().len(), STORIES.len());
        let usual = STORIES.iter().filter(|story| story.told == Told::Always).count();
        assert_eq!(chosen(&[], Told::Always).unwrap().len(), usual);
        assert_eq!(chosen(&["firmware_kn".into()], Told::Always).unwrap().len(), 1);
        assert!(chosen(&["no_such_story".into()], Told::Always).is_err());
    }
}
