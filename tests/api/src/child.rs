//! A process of ours that stays: its output is kept, and it ends with whoever owns it.
//!
//! Only processes started here are ever ended, by their own id. Starts are the caller's.

use std::ffi::OsStr;
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long one that is asked to end may take.
const GRACE: Duration = Duration::from_secs(10);

/// The command that runs `program` so that the kernel ends it together with the thread that starts it. `setpriv` replaces
/// itself: the process id is the program's.
pub(crate) fn leashed(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// A running process with all that it said, on both outputs, in the order in which it said it.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    heard: Arc<Heard>,
    ear: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Heard {
    said: Mutex<Said>,
    more: Condvar,
}

#[derive(Debug, Default)]
struct Said {
    bytes: Vec<u8>,
    ended: bool,
}

impl Process {
    /// Starts it with both outputs in one pipe. `feed` is all of its input.
    pub(crate) fn start(mut command: Command, feed: Stdio) -> std::io::Result<Self> {
        let (reader, writer) = std::io::pipe()?;
        command.stdin(feed).stdout(writer.try_clone()?).stderr(writer);
        let child = command.spawn()?;
        // The command holds the writers; the pipe ends only when nobody does.
        drop(command);
        let heard = Arc::new(Heard::default());
        let for_ear = Arc::clone(&heard);
        let ear = std::thread::spawn(move || for_ear.listen(reader));
        Ok(Self { child, heard, ear: Some(ear) })
    }

    /// All that it said so far.
    pub(crate) fn said(&self) -> String {
        String::from_utf8_lossy(&self.heard.lock().bytes).into_owned()
    }

    /// Waits until `enough` of what it said, or until it ended, or for `patience`; true when it was enough.
    pub(crate) fn wait_until(&self, patience: Duration, enough: impl Fn(&str) -> bool) -> bool {
        let since = Instant::now();
        let mut said = self.heard.lock();
        loop {
            if enough(&String::from_utf8_lossy(&said.bytes)) {
                return true;
            }
            let left = patience.saturating_sub(since.elapsed());
            if said.ended || left.is_zero() {
                return false;
            }
            said = self.heard.more.wait_timeout(said, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until it ended and all was heard; `None` when it still runs after `patience`.
    pub(crate) fn finish(&mut self, patience: Duration) -> Option<ExitStatus> {
        let status = self.wait(patience)?;
        self.ear.take().map(JoinHandle::join);
        Some(status)
    }

    fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        let since = Instant::now();
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            if since.elapsed() >= patience {
                return None;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Sends a signal and waits for the end; kills it when that takes too long.
    pub(crate) fn end(&mut self, signal: Signal) -> Option<ExitStatus> {
        if self.child.try_wait().ok().flatten().is_none() {
            let pid = i32::try_from(self.child.id()).unwrap_or(0);
            // Not waited for yet: the number is still its own.
            let _ = (pid > 0).then(|| kill(Pid::from_raw(pid), signal));
        }
        let status = self.wait(GRACE).or_else(|| {
            let _ = self.child.kill();
            self.child.wait().ok()
        });
        self.ear.take().map(JoinHandle::join);
        status
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end(Signal::SIGTERM);
    }
}

impl Heard {
    fn lock(&self) -> std::sync::MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listen(&self, mut from: impl Read) {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            self.lock().bytes.extend(buffer.get(..count).unwrap_or_default());
            self.more.notify_all();
        }
        self.lock().ended = true;
        self.more.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(text: &str) -> Process {
        let mut command = Command::new("sh");
        command.args(["-c", text]);
        Process::start(command, Stdio::null()).unwrap()
    }

    #[test]
    fn both_outputs_are_heard_in_order() {
        let mut process = shell("echo a; echo b >&2; echo c");
        assert!(process.finish(Duration::from_secs(60)).is_some_and(|s| s.success()));
        assert_eq!(process.said(), "a\nb\nc\n");
    }

    #[test]
    fn waiting_ends_with_the_words_or_with_the_process() {
        let process = shell("echo ready; exec sleep 60");
        assert!(process.wait_until(Duration::from_secs(10), |said| said.contains("ready")));
        assert!(!shell("true").wait_until(Duration::from_secs(60), |said| said.contains("never")));
    }

    #[test]
    fn a_dropped_process_is_gone() {
        let process = shell("exec sleep 60");
        let entry = format!("/proc/{}", process.pid());
        assert!(std::path::Path::new(&entry).exists());
        drop(process);
        assert!(!std::path::Path::new(&entry).exists());
    }
}
