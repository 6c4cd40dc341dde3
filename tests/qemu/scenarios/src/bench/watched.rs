//! A stopwatch on a guest: from a line of its serial port to the kernel's `reboot: Restarting system`.

use anyhow::{Result, ensure};
use cairn_lab::{Line, Running, Stage};
use serde::Serialize;

use super::figure::rounded;

const REBOOT: &str = "reboot: Restarting system";
/// Linux counts processor time in hundredths of a second on every architecture (`USER_HZ`).
const TICKS: f64 = 100.0;

/// Begun.
#[derive(Debug)]
pub(crate) struct Watched {
    first: Line,
    ticks: u64,
}

/// Ended.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Stopped {
    /// Seconds on the wall.
    pub(crate) seconds: f64,
    /// Seconds that QEMU computed: what is left when the machine is busy with other things.
    pub(crate) cpu_seconds: f64,
}

impl Watched {
    /// Begins with a line that matches.
    pub(crate) fn from(guest: &Running, pattern: &str) -> Result<Self> {
        let first = guest.wait_for(pattern, Stage::INSTALLER)?;
        Ok(Self { first, ticks: ticks(guest.pid()) })
    }

    /// Ends with the reboot; fails on a line that matches `trouble`.
    pub(crate) fn to_reboot(&self, guest: &Running, trouble: &str, stage: Stage) -> Result<Stopped> {
        let last = guest.wait_for(&format!("{REBOOT}|{trouble}"), stage)?;
        let ticks = ticks(guest.pid()).saturating_sub(self.ticks);
        ensure!(last.text.contains(REBOOT), "{}: {}", guest.name(), last.text);
        let seconds = last.at.saturating_sub(self.first.at).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "hundredths of seconds of a minute")]
        let cpu_seconds = ticks as f64 / TICKS;
        Ok(Stopped { seconds: rounded(seconds), cpu_seconds })
    }

    /// The line that it began with.
    pub(crate) fn first(&self) -> &Line {
        &self.first
    }
}

/// Processor time of a process (proc_pid_stat(5), fields 14 and 15); 0 when it has ended.
fn ticks(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    used(&text)
}

fn used(stat: &str) -> u64 {
    // The second field is a name in parentheses that may hold anything.
    let after = stat.rsplit_once(") ").map_or("", |(_, after)| after);
    after.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum()
}

/// The kernel's time of a serial line, `[    2.781] ...`, in seconds.
pub(crate) fn kernel_time(line: &Line) -> Option<f64> {
    line.text.split_once('[')?.1.split_once(']')?.0.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_gives_user_and_system_time() {
        let text = "42 (qemu) system) R 1 42 42 0 -1 4194560 1 0 0 0 700 50 0 0 20 0 4 0 100 1 2";
        assert_eq!((used(text), used("")), (750, 0));
    }

    #[test]
    fn a_serial_line_gives_the_kernels_time() {
        let line = |text: &str| Line { at: std::time::Duration::ZERO, text: text.into() };
        assert_eq!(kernel_time(&line("[    5.880486] reboot: Restarting system")), Some(5.880_486));
        assert_eq!(kernel_time(&line("no stamp")), None);
    }
}
