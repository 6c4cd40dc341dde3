//! A guest that is on. Dropping it is pulling its plug.

use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use serde_json::Value;

use crate::child::Owned;
use crate::net::Tap;
use crate::patience::Stage;
use crate::qmp::{Qmp, QmpError};
use crate::transcript::{Line, StageError, Transcript};
use crate::wire::Wire;

/// A guest from power-on to power-off. It may reboot itself in between.
#[derive(Debug)]
pub struct Running {
    pub(crate) name: String,
    pub(crate) qemu: Owned,
    pub(crate) tpm: Option<Owned>,
    pub(crate) serial: Transcript,
    pub(crate) tap: Tap,
    pub(crate) qmp: PathBuf,
    pub(crate) wire: Option<Wire>,
}

impl Running {
    /// The guest's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// QEMU's process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.qemu.pid()
    }

    /// Time since power-on.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        self.serial.elapsed()
    }

    /// Everything it wrote to its serial line.
    #[must_use]
    pub fn serial(&self) -> &Transcript {
        &self.serial
    }

    /// Waits for a serial line that matches, after the one that the last wait returned.
    pub fn wait_for(&self, pattern: &str, stage: Stage) -> Result<Line, StageError> {
        self.serial.wait_for(pattern, stage)
    }

    /// Waits until it has switched itself off (or rebooted, if it `ends_on_reboot`).
    pub fn wait_off(mut self, stage: Stage) -> Result<ExitStatus, StageError> {
        match self.qemu.wait(stage.deadline()) {
            Some(status) => {
                self.finish();
                Ok(status)
            }
            None => Err(StageError::Late {
                who: self.name.clone(),
                stage: stage.name,
                pattern: "power off".into(),
                waited: stage.deadline(),
                tail: self.serial.tail(30),
            }),
        }
    }

    /// Cuts its power: nothing is flushed, nobody is told. Its `Guest` can be started again.
    pub fn power_cut(mut self) {
        self.qemu.kill();
        self.finish();
    }

    /// Presses its reset button.
    pub fn reset(&self) -> Result<(), QmpError> {
        self.qmp()?.execute("system_reset", Value::Null).map(drop)
    }

    /// QEMU's word for what it does: `running`, `paused`, `shutdown`...
    pub fn status(&self) -> Result<String, QmpError> {
        let answer = self.qmp()?.execute("query-status", Value::Null)?;
        Ok(answer["status"].as_str().unwrap_or_default().to_owned())
    }

    /// A connection for other commands. One at a time.
    pub fn qmp(&self) -> Result<Qmp, QmpError> {
        Qmp::open(&self.qmp)
    }

    /// Waits for swtpm, so that the next power-on finds its state written and its lock free.
    fn finish(&mut self) {
        if let Some(tpm) = self.tpm.as_mut() {
            tpm.terminate(Duration::from_secs(10));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.qemu.kill();
        self.finish();
    }
}
