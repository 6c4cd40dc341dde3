//! One running program of a test: its words go to a file, it dies with us, and it is ended by its own number.

use std::fs::File;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long a program may take to end in order.
const GRACE: Duration = Duration::from_secs(10);
/// Lines of its log that an error repeats.
const LAST_LINES: usize = 15;

/// A program did not start, or ended before its time.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It could not be started.
    #[error("cannot start {name}")]
    Start {
        /// Which.
        name: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It ended, or did not get ready in time.
    #[error("{name} {how}; it said:\n{said}")]
    Ended {
        /// Which.
        name: String,
        /// What became of it.
        how: String,
        /// Its last lines.
        said: String,
    },
}

/// A running program. Dropping it ends it and waits for its end.
#[derive(Debug)]
pub struct Process {
    name: String,
    pid: Pid,
    log: PathBuf,
    /// Starts the process and waits for it: the kernel ends the process with the thread that started it.
    keeper: Option<JoinHandle<Option<ExitStatus>>>,
}

impl Process {
    /// Starts `program` with `args`, in the namespaces of the calling thread; its words go to `log`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(program: &Path, args: &[String], log: &Path) -> Result<Self, ProcessError> {
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let failed = |source| ProcessError::Start { name: name.clone(), source };
        let file = File::options().create(true).append(true).open(log).map_err(failed)?;
        let mut command = Command::new("setpriv");
        command.arg("--pdeathsig=KILL").arg("--").arg(program).args(args);
        let words = file.try_clone().map_err(failed)?;
        command.stdin(Stdio::null()).stdout(words).stderr(file);
        let (tell, told) = channel();
        let keeper = std::thread::spawn(move || keep(command, &tell));
        let pid = told.recv().unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into())).map_err(failed)?;
        Ok(Self { name, pid, log: log.to_owned(), keeper: Some(keeper) })
    }

    /// Its number.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// Fails when it has ended.
    ///
    /// # Errors
    /// With its last words.
    pub fn check(&self) -> Result<(), ProcessError> {
        if self.keeper.as_ref().is_some_and(|keeper| !keeper.is_finished()) {
            return Ok(());
        }
        Err(self.error("ended"))
    }

    /// Asks `ready` until it says so.
    ///
    /// # Errors
    /// When the process ends before, or `patience` does.
    pub fn wait(&self, patience: Duration, mut ready: impl FnMut() -> bool) -> Result<(), ProcessError> {
        let since = Instant::now();
        loop {
            if ready() {
                return Ok(());
            }
            self.check()?;
            if since.elapsed() > patience {
                return Err(self.error("is not ready in time"));
            }
            // No program of these tells when it is ready.
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends it at once, as a crash does.
    pub fn kill(mut self) {
        self.end(Signal::SIGKILL);
    }

    fn error(&self, how: &str) -> ProcessError {
        let said = std::fs::read(&self.log).unwrap_or_default();
        let said = String::from_utf8_lossy(&said).into_owned();
        let last: Vec<&str> = said.lines().rev().take(LAST_LINES).collect();
        let said = last.into_iter().rev().collect::<Vec<_>>().join("\n");
        ProcessError::Ended { name: self.name.clone(), how: how.to_owned(), said }
    }

    fn end(&mut self, signal: Signal) {
        let Some(keeper) = self.keeper.take() else { return };
        let since = Instant::now();
        let mut signal = signal;
        // The keeper has not waited for it before it ended: the number is its own until then.
        while !keeper.is_finished() {
            let _ = kill(self.pid, signal);
            std::thread::sleep(Duration::from_millis(20));
            if since.elapsed() > GRACE {
                signal = Signal::SIGKILL;
            }
        }
        let _ = keeper.join();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end(Signal::SIGTERM);
    }
}

fn keep(mut command: Command, tell: &Sender<io::Result<Pid>>) -> Option<ExitStatus> {
    match command.spawn() {
        Ok(mut child) => {
            let pid = Pid::from_raw(i32::try_from(child.id()).unwrap_or_default());
            let _ = tell.send(Ok(pid));
            Some(child.wait().unwrap_or_else(|_| ExitStatus::from_raw(0)))
        }
        Err(error) => {
            let _ = tell.send(Err(error));
            None
        }
    }
}
