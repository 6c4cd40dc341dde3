//! What runs: `.lab/hand/state.json`. Processes are known by number and start time, so that a number that the system has
//! given away again is never mistaken for ours.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// A process that `cairn-lab` started.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Process {
    pid: u32,
    /// Clock ticks from the system's start to the process's.
    started: u64,
}

impl Process {
    /// The process of this number, if there is one.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The second field is a name in brackets that may hold anything; the 22nd is the start time.
        let (_, after) = stat.rsplit_once(')')?;
        let mut fields = after.split_whitespace();
        if fields.next()? == "Z" {
            return None;
        }
        Some(Self { pid, started: fields.nth(18)?.parse().ok()? })
    }

    pub(crate) fn runs(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// Ends it at once, if it is still the same one.
    pub(crate) fn end(self) {
        if self.runs() {
            let _ = kill(Pid::from_raw(self.pid.cast_signed()), Signal::SIGKILL);
            while self.runs() {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
        }
    }
}

/// A machine that was powered on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) qemu: Process,
    pub(crate) tpm: Option<Process>,
    pub(crate) serial: PathBuf,
}

impl Machine {
    pub(crate) fn cut(&self) {
        self.qemu.end();
        self.tpm.into_iter().for_each(Process::end);
    }
}

/// All that runs.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) net: String,
    pub(crate) site: Option<Process>,
    pub(crate) machines: BTreeMap<String, Machine>,
}

impl State {
    pub(crate) fn load(folder: &Path) -> Result<Self> {
        let text = fs::read_to_string(path(folder)).context("the lab is not up: `cairn-lab up` first")?;
        serde_json::from_str(&text).with_context(|| format!("cannot read {}", path(folder).display()))
    }

    pub(crate) fn save(&self, folder: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        fs::write(path(folder), text).with_context(|| format!("cannot write {}", path(folder).display()))
    }

    pub(crate) fn forget(folder: &Path) -> Result<()> {
        fs::remove_file(path(folder)).with_context(|| format!("cannot remove {}", path(folder).display()))
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join("state.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_given_away_again_is_not_ours() {
        let me = Process::of(std::process::id()).unwrap();
        assert!(me.runs());
        let other = Process { started: me.started - 1, ..me };
        assert!(!other.runs());
        // Would end this test otherwise.
        other.end();
    }
}
