//! Processes by pid and start time, so that a number that was given to somebody else is never signalled.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// One process of this boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    /// Its number.
    pub(crate) pid: i32,
    /// Clock ticks from boot to its start: field 22 of `/proc/<pid>/stat`, proc(5).
    pub(crate) start: u64,
}

/// What `/proc/<pid>/stat` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    zombie: bool,
    group: i32,
    start: u64,
}

impl Process {
    /// The running process of this number; none when there is none, or only what is left of it.
    pub(crate) fn of(pid: i32) -> Option<Self> {
        let stat = stat(pid)?;
        (!stat.zombie).then_some(Self { pid, start: stat.start })
    }

    /// The present boot's process of this number and start still runs.
    pub(crate) fn alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// Sends a signal. A process that is gone is no error.
    pub(crate) fn signal(self, signal: Signal) -> io::Result<()> {
        let Some(handle) = self.open()? else { return Ok(()) };
        match pidfd_send_signal(&handle, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// A handle to exactly this process: the number is looked at again after it was opened.
    fn open(self) -> io::Result<Option<OwnedFd>> {
        let Some(pid) = Pid::from_raw(self.pid) else { return Ok(None) };
        match pidfd_open(pid, PidfdFlags::NONBLOCK) {
            Ok(handle) => Ok(self.alive().then_some(handle)),
            Err(rustix::io::Errno::SRCH) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns when it has ended.
    pub(crate) async fn ended(self) -> io::Result<()> {
        let Some(handle) = self.open()? else { return Ok(()) };
        watch(handle)?.readable().await?.retain_ready();
        // It may be a child of this process from before it replaced itself: nobody else would take its status.
        let pid = nix::unistd::Pid::from_raw(self.pid);
        let _not_ours = nix::sys::wait::waitpid(pid, Some(nix::sys::wait::WaitPidFlag::WNOHANG));
        Ok(())
    }

    /// The arguments that it was started with.
    pub(crate) fn arguments(self) -> Vec<Vec<u8>> {
        let text = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        text.strip_suffix(b"\0").unwrap_or(&text).split(|b| *b == 0).map(<[u8]>::to_vec).collect()
    }

    /// Whether it was started with this environment variable.
    pub(crate) fn has_env(self, name_and_value: &str) -> bool {
        let text = fs::read(format!("/proc/{}/environ", self.pid)).unwrap_or_default();
        text.split(|b| *b == 0).any(|entry| entry == name_and_value.as_bytes())
    }

    /// Whether it is in the process group of that number.
    pub(crate) fn in_group(self, group: i32) -> bool {
        stat(self.pid).is_some_and(|stat| stat.group == group && stat.start == self.start)
    }
}

#[expect(
    deprecated,
    reason = "an OwnedFd gives the same open number all its life, which the unsafe way asks for"
)]
fn watch(handle: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(handle, Interest::READABLE)
}

/// All that run, but not this process.
pub(crate) fn all() -> Vec<Process> {
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|e| e.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| *pid != own).filter_map(Process::of).collect()
}

fn stat(pid: i32) -> Option<Stat> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The name in parentheses may hold anything, so what follows its last one counts.
fn parse(text: &str) -> Option<Stat> {
    let (_, rest) = text.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let field = |number: usize| fields.get(number - 3).copied();
    Some(Stat {
        zombie: matches!(field(3)?, "Z" | "X"),
        group: field(5)?.parse().ok()?,
        start: field(22)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_does_not_mislead() {
        let line = "12 (a) Z (b) R 1 77 12 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0 4242 0 0";
        assert_eq!(parse(line), Some(Stat { zombie: false, group: 77, start: 4242 }));
        assert_eq!(parse("12 (a"), None);
    }

    #[test]
    fn another_start_time_is_another_process() {
        let own = Process::of(i32::try_from(std::process::id()).unwrap()).unwrap();
        assert!(own.alive());
        let other = Process { start: own.start + 1, ..own };
        assert!(!other.alive());
        other.signal(Signal::KILL).unwrap();
    }
}
