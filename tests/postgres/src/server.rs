//! One running server process.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc::{Sender, channel},
    thread::JoinHandle,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::StartError;

/// Lines of its log that an error repeats.
const LAST_LINES: usize = 10;
/// What it says when it takes connections.
const READY: &str = "database system is ready to accept connections";

#[derive(Debug)]
pub(crate) struct Server {
    pid: Pid,
    /// Starts the process, reads what it says, and ends after it: the kernel ties the process to this thread.
    keeper: JoinHandle<()>,
}

impl Server {
    pub(crate) fn start(command: Command) -> Result<Self, StartError> {
        let (tell, told) = channel();
        let keeper = std::thread::spawn(move || keep(command, &tell));
        let failed =
            || StartError::Failed { program: "postgres", said: "it ended without a word".to_owned() };
        let pid = told.recv().unwrap_or_else(|_| Err(failed()))?;
        Ok(Self { pid, keeper })
    }

    /// Sends `signal` and waits for the end.
    pub(crate) fn stop(self, signal: Signal) {
        // Its keeper has not waited for it before it ended: the number is still its own, or nobody's.
        if !self.keeper.is_finished() {
            let _ = kill(self.pid, signal);
        }
        let _ = self.keeper.join();
    }
}

fn keep(mut command: Command, tell: &Sender<Result<Pid, StartError>>) {
    match command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn() {
        Ok(child) => listen(child, tell),
        Err(error) => drop(tell.send(Err(error.into()))),
    }
}

/// Tells when it is ready, or what it said when it ended before.
fn listen(mut child: Child, tell: &Sender<Result<Pid, StartError>>) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap_or_default());
    let mut last = Vec::new();
    let log = child.stderr.take().map(BufReader::new);
    for line in log.into_iter().flat_map(|log| log.lines().map_while(Result::ok)) {
        if line.contains(READY) {
            let _ = tell.send(Ok(pid));
        }
        last.push(line);
        if last.len() > LAST_LINES {
            last.remove(0);
        }
    }
    let _ = child.wait();
    let _ = tell.send(Err(StartError::Failed { program: "postgres", said: last.join("\n") }));
}
