//! How long each part took.

use cairn_contract::report::{Phase, PhaseTime};
use cairn_machine::clock;

/// A stopwatch with laps, in the kernel's time since boot.
#[derive(Debug)]
pub(crate) struct Phases {
    done: Vec<PhaseTime>,
    lap: u64,
}

impl Phases {
    /// Begins after the kernel's own time.
    pub(crate) fn since(kernel: u64) -> Self {
        Self { done: vec![PhaseTime { phase: Phase::Kernel, millis: kernel }], lap: kernel }
    }

    /// The phase that just ended.
    pub(crate) fn end(&mut self, phase: Phase) {
        let now = clock::since_boot_millis();
        let millis = now.saturating_sub(self.lap);
        self.lap = now;
        tracing::info!("{phase:?} took {millis} ms");
        self.done.push(PhaseTime { phase, millis });
    }

    pub(crate) fn all(&self) -> Vec<PhaseTime> {
        self.done.clone()
    }
}
