//! `console`: a machine's serial line as it is written, escape sequences and all.

use std::fs::File;
use std::io::{Read, Write};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::state::State;

/// How long to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// Only what is there.
    Now,
    /// Until the machine is off.
    Off,
}

/// Copies the serial log to the terminal.
pub(crate) fn show(state: &State, name: &str, until: Until) -> Result<()> {
    let machine = state.machines.get(name).with_context(|| format!("no machine {name}"))?;
    let path = &machine.serial;
    let mut log = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut terminal = std::io::stdout().lock();
    loop {
        // Asked before reading: what it wrote before it ended is then still shown.
        let on = machine.qemu.runs();
        let mut bytes = Vec::new();
        log.read_to_end(&mut bytes)?;
        terminal.write_all(&bytes)?;
        terminal.flush()?;
        if until == Until::Now || !on {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
