//! A long-running child process that ends when its owner drops it, and, if the lab itself is killed, with the lab.
//!
//! Only processes started here are ever ended, by their own handle: no names, no process groups.

use std::ffi::OsStr;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

/// What happens to a child when the lab ends without cleaning up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leash {
    /// The kernel ends it together with the *thread* that started it (`PR_SET_PDEATHSIG`): for tests.
    Short,
    /// It outlives the lab: for `cairn-lab boot`.
    Loose,
}

impl Leash {
    /// The command that runs `program` on this leash. `setpriv` replaces itself, so the process id is the program's.
    pub(crate) fn command(self, program: impl AsRef<OsStr>) -> Command {
        match self {
            Leash::Loose => Command::new(program),
            Leash::Short => {
                let mut command = Command::new("setpriv");
                command.args(["--pdeathsig", "KILL", "--"]).arg(program);
                command
            }
        }
    }
}

/// A child that is killed and reaped on drop.
#[derive(Debug)]
pub struct Owned {
    child: Option<Child>,
}

impl Owned {
    /// Takes charge of a child that the caller has just started.
    #[must_use]
    pub fn new(child: Child) -> Self {
        Self { child: Some(child) }
    }

    /// Its process id, or 0 after `release`.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.as_mut().and_then(|child| child.try_wait().ok().flatten())
    }

    /// Waits until it ends by itself; `None` when it still runs after `patience`.
    pub fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        let since = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return Some(status);
            }
            if since.elapsed() >= patience {
                return None;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends it at once (SIGKILL) and reaps it.
    pub fn kill(&mut self) {
        if let Some(child) = self.child.as_mut() {
            // Both fail only when it has already ended and been reaped.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Asks it to end (SIGTERM) and waits; false when it had to be killed after `patience`.
    pub fn terminate(&mut self, patience: Duration) -> bool {
        let pid = i32::try_from(self.pid()).unwrap_or(0);
        if self.ended().is_none() && pid > 0 {
            let _ =
                nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM);
        }
        let obeyed = self.wait(patience).is_some();
        if !obeyed {
            self.kill();
        }
        obeyed
    }

    /// Lets it live on, and returns its process id.
    pub fn release(mut self) -> u32 {
        let pid = self.pid();
        self.child = None;
        pid
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_child_is_gone() {
        let owned = Owned::new(Leash::Loose.command("sleep").arg("60").spawn().unwrap());
        let entry = format!("/proc/{}", owned.pid());
        assert!(std::path::Path::new(&entry).exists());
        drop(owned);
        assert!(!std::path::Path::new(&entry).exists());
    }

    #[test]
    fn a_short_leash_ends_the_child_with_the_thread_that_started_it() {
        let spawn = || Leash::Short.command("sleep").arg("60").spawn().unwrap();
        let child = std::thread::spawn(move || {
            let child = spawn();
            // The leash is put on by setpriv after the fork: wait until it has become `sleep`.
            let name = format!("/proc/{}/comm", child.id());
            while std::fs::read_to_string(&name).unwrap().trim() != "sleep" {
                std::thread::yield_now();
            }
            child
        });
        let mut owned = Owned::new(child.join().unwrap());
        assert!(owned.wait(Duration::from_secs(10)).is_some());
    }
}
