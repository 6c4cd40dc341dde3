//! The way out of service: ordered, wiped by its own installer, proven, and then final.
//!
//! ```text
//!  any state with something installed --ordered--> Retiring --installer proven--> Wiping --wipe proven--> Retired
//!                        Silent <--retry-- Retiring <--silence, power cut, failure-- Wiping --attempts used up--> Failed
//! ```
//! Called by `step` only.

use cairn_contract::{Digest, InstallId, Timestamp, WipeProof, WipeReport, report::FailureKind};
use serde::{Deserialize, Serialize};

use super::{Context, Effect, Event, Host, State, Step, Why};

/// What is kept of a host whose disk was wiped: who it was, and the proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retirement {
    /// When the proof was accepted.
    pub at: Timestamp,
    /// EK of the machine that wiped its disk; it is free again.
    pub ek: Option<Digest>,
    /// What the proof says, read.
    pub report: WipeReport,
    /// The proof itself: enough to judge it again.
    pub proof: WipeProof,
}

/// Whether there is something to wipe: only an installation that finished leaves data behind.
pub fn may_decommission(host: &Host) -> bool {
    let cx = Context { host: host.id, now: host.changed, policy: &crate::policy::Policy::default() };
    host.installed.is_some() && ordered(&host.state, cx) != Step::Stay
}

/// A person wants it out of service.
pub(super) fn ordered(state: &State, cx: Context<'_>) -> Step {
    match state {
        State::Registered
        | State::FirstBoot { .. }
        | State::Running { .. }
        | State::Silent { .. }
        | State::Quarantined { .. }
        | State::Failed { .. } => Step::Move {
            to: State::Retiring { attempt: 0 },
            effects: vec![Effect::Disconnect { host: cx.host }],
        },
        State::Pending
        | State::Booting { .. }
        | State::Attesting { .. }
        | State::Installing { .. }
        | State::Retiring { .. }
        | State::Wiping { .. }
        | State::Retired { .. } => Step::Stay,
    }
}

/// Its installer has proven itself, and gets a plan under this id: `attempt` wipes were begun before.
pub(super) fn begin(state: &State, attempt: u32, install: InstallId, cx: Context<'_>) -> Step {
    let effects = leave(state).into_iter().filter(|e| *e != Effect::VoidInstall { install }).collect();
    let to = match attempt < cx.policy.max_attempts {
        true => wiping(attempt.saturating_add(1), install, cx),
        false => State::Failed { why: Why::TooManyWipes(attempt) },
    };
    Step::Move { to, effects }
}

/// `event` is of the wipe that runs.
pub(super) fn reported(event: &Event, install: InstallId, attempt: u32, cx: Context<'_>) -> Step {
    let effects = vec![Effect::VoidInstall { install }];
    match event {
        Event::InstallProgressed(_) => Step::Move { to: wiping(attempt, install, cx), effects: Vec::new() },
        Event::InstallFailed(_, kind) if is_final(*kind) || attempt >= cx.policy.max_attempts => {
            Step::Move { to: State::Failed { why: Why::WipeFailed(*kind) }, effects }
        }
        Event::InstallFailed(..) => Step::Move { to: State::Retiring { attempt }, effects },
        // Nothing is installed by a wipe.
        _ => Step::Stay,
    }
}

/// The proof of this wipe holds.
pub(super) fn proven(state: &State, wipe: InstallId, retirement: &Retirement) -> Step {
    match state {
        State::Wiping { install, .. } if *install == wipe => {
            Step::Move { to: State::Retired { as_of: Box::new(retirement.clone()) }, effects: leave(state) }
        }
        _ => Step::Stay,
    }
}

/// The wipe was silent for too long.
pub(super) fn stalled(state: &State, attempt: u32, cx: Context<'_>) -> Step {
    let to = match attempt < cx.policy.max_attempts {
        true => State::Retiring { attempt },
        false => State::Failed { why: Why::WipeStalled },
    };
    Step::Move { to, effects: leave(state) }
}

fn wiping(attempt: u32, install: InstallId, cx: Context<'_>) -> State {
    State::Wiping { attempt, install, until: cx.now.after_seconds(cx.policy.install_silence_s) }
}

fn leave(state: &State) -> Vec<Effect> {
    let State::Wiping { install, .. } = state else { return Vec::new() };
    vec![Effect::VoidInstall { install: *install }]
}

/// Failures that another attempt cannot mend.
fn is_final(kind: FailureKind) -> bool {
    match kind {
        FailureKind::PlanRefused
        | FailureKind::NoDisk
        | FailureKind::DiskTooSmall
        | FailureKind::NotABlockDevice
        | FailureKind::SeveralDisks
        | FailureKind::NotZero => true,
        FailureKind::CorruptFrame
        | FailureKind::Download
        | FailureKind::DiskFault
        | FailureKind::VerifyFailed
        | FailureKind::Internal => false,
    }
}
