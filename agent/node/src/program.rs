//! Runs a program to its end within a limit. The only place of this crate that starts processes.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use cairn_contract::workload::Command;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::failure::Failure;

/// How much of what it says is kept: the end of it.
const TAIL: usize = 4096;

/// Runs it; its folder and PATH begin with `bin`.
pub(crate) async fn run(command: &Command, bin: &Path) -> Result<(), Failure> {
    let Some((program, args)) = command.run.split_first() else {
        return Err(Failure::new("CommandFailed", "a command of the distribution names no program"));
    };
    let name = program.rsplit('/').next().unwrap_or(program);
    let failed = |how: String| Failure::new("CommandFailed", format!("{name} {how}"));
    let path = format!("{}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", bin.display());
    let mut prepared = tokio::process::Command::new(program);
    prepared.args(args).env_clear().env("PATH", path).env("HOME", "/root").env("LC_ALL", "C");
    prepared.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Its own group, so that what it starts can be ended with it.
    prepared.process_group(0).kill_on_drop(true);
    let mut child = prepared.spawn().map_err(|e| failed(format!("cannot be started: {e}")))?;
    let group = Group(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw));
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let work = async { tokio::join!(child.wait(), tail(out), tail(err)) };
    let limit = Duration::from_secs(u64::from(command.limit_s));
    let Ok((status, out, err)) = tokio::time::timeout(limit, work).await else {
        return Err(failed(format!("did not end within {} s", command.limit_s)));
    };
    drop(group);
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => {
            let said = if err.trim().is_empty() { out } else { err };
            Err(failed(format!("ended with {status}: {}", said.trim())))
        }
        Err(error) => Err(failed(format!("cannot be waited for: {error}"))),
    }
}

/// A group of processes that ends when it is dropped, whoever of it is left.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            let _ = killpg(pid, Signal::SIGKILL);
        }
    }
}

async fn tail(stream: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut stream) = stream else { return String::new() };
    let mut kept: Vec<u8> = Vec::new();
    let mut buffer = vec![0; 8192];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        kept.extend(buffer.iter().take(count));
        let over = kept.len().saturating_sub(TAIL);
        kept.drain(..over);
    }
    String::from_utf8_lossy(&kept).into_owned()
}
