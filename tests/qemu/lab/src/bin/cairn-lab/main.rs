//! `cairn-lab`: a lab by hand. `up` makes the network and starts a provisioner, `boot` powers machines on, `console` shows
//! what they say, `cut` pulls a plug, `down` ends all of it. What runs is written down in `.lab/hand`.
//!
//! `cargo xtask lab ...` passes its words on to it.

mod boot;
mod console;
mod state;
mod up;

use std::process::ExitCode;

use anyhow::Result;
use cairn_lab::Workspace;
use clap::{Parser, Subcommand};

use crate::state::State;

/// Virtual bare-metal hosts by hand.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Makes the network (namespace cairn-lab, server 10.77.0.1) and, with --cairn, starts a provisioner in it.
    Up(up::Provisioner),
    /// Powers a machine on; the same name keeps its disk, TPM and firmware variables.
    Boot(boot::Parts),
    /// Shows a machine's serial line until it is off.
    Console {
        /// The machine.
        name: String,
        /// Shows what is there and ends.
        #[arg(long)]
        once: bool,
    },
    /// Cuts a machine's power.
    Cut {
        /// The machine.
        name: String,
    },
    /// Ends all machines, the provisioner and the network. Disks stay.
    Down,
}

fn main() -> ExitCode {
    match run(Arguments::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb) -> Result<()> {
    let folder = Workspace::open()?.folder("hand")?;
    match verb {
        Verb::Up(provisioner) => up::up(&folder, &provisioner),
        Verb::Boot(parts) => boot::boot(&folder, &parts),
        Verb::Console { name, once } => console::show(
            &State::load(&folder)?,
            &name,
            if once { console::Until::Now } else { console::Until::Off },
        ),
        Verb::Cut { name } => up::cut(&folder, &name),
        Verb::Down => up::down(&folder),
    }
}
