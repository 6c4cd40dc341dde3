//! The only place where one state of a host becomes another.

use cairn_contract::{HostId, InstallId, Timestamp, report::FailureKind};

use super::{Effect, Event, State, Why, retire, why::is_final};
use crate::policy::Policy;

/// What `step` knows besides state and event.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Whose step it is.
    pub host: HostId,
    /// Now.
    pub now: Timestamp,
    /// Deadlines and limits of the site.
    pub policy: &'a Policy,
}

/// What becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing changes.
    Stay,
    /// The state changes, and these effects follow.
    Move {
        /// Next state; may equal the old one but for its deadline.
        to: State,
        /// In order.
        effects: Vec<Effect>,
    },
}

/// Moves a host. Total: every state answers every event.
pub fn step(state: &State, event: &Event, cx: Context<'_>) -> Step {
    match event {
        Event::Knocked => knocked(state, cx),
        Event::Claimed => claimed(state, cx),
        Event::InstallerProven(install) => proven(state, *install, cx),
        Event::Refused(why) => refused(state, why, cx),
        Event::InstallProgressed(id) | Event::InstallFailed(id, _) | Event::InstallFinished(id) => {
            match state {
                State::Installing { install, attempt, .. } if install == id => {
                    reported(event, *install, *attempt, cx)
                }
                State::Wiping { install, attempt, .. } if install == id => {
                    retire::reported(event, *install, *attempt, cx)
                }
                _ => Step::Stay,
            }
        }
        Event::AgentProven => agent_proven(state, cx),
        Event::HeartbeatHeard => match state {
            State::Running { .. } | State::Silent { .. } => to(running(cx)),
            _ => Step::Stay,
        },
        Event::Tick => ticked(state, cx),
        Event::Accepted => match state {
            State::Pending => to(State::Registered),
            _ => Step::Stay,
        },
        Event::Retried => match state {
            // What it has installed is still there: it proves itself again as it is.
            State::Quarantined { why: Why::Deauthorised } | State::Retiring { .. } => {
                to(State::Silent { since: cx.now })
            }
            State::Failed { why: Why::WipeFailed(_) | Why::WipeStalled | Why::TooManyWipes(_) } => {
                to(State::Retiring { attempt: 0 })
            }
            State::Quarantined { .. } | State::Failed { .. } => to(State::Registered),
            _ => Step::Stay,
        },
        Event::Deauthorised => deauthorised(state, cx),
        Event::DecommissionOrdered => retire::ordered(state, cx),
        Event::WipeProven(wipe, retirement) => retire::proven(state, *wipe, retirement),
        Event::ReinstallOrdered => match state {
            State::Pending | State::Retired { .. } => Step::Stay,
            _ => Step::Move { to: State::Registered, effects: leave(state, cx) },
        },
    }
}

/// Anyone on the wire can knock in another's name, so a knock never ends an installation: its own silence does, or proof.
fn knocked(state: &State, cx: Context<'_>) -> Step {
    match state {
        State::Registered => to(booting(0, cx)),
        // A host that has begun an installation keeps its deadline, or knocks in its name could put it off for ever.
        State::Booting { attempt: 0, .. } | State::Attesting { attempt: 0, .. } => to(booting(0, cx)),
        _ => Step::Stay,
    }
}

/// A claim is not proof yet: as for a knock.
fn claimed(state: &State, cx: Context<'_>) -> Step {
    let attempt = match state {
        State::Registered => 0,
        State::Booting { attempt, .. } | State::Attesting { attempt, .. } => *attempt,
        _ => return Step::Stay,
    };
    to(State::Attesting { attempt, until: cx.now.after_seconds(cx.policy.evidence_s) })
}

fn proven(state: &State, install: InstallId, cx: Context<'_>) -> Step {
    let attempt = match state {
        State::Registered => 0,
        State::Booting { attempt, .. }
        | State::Attesting { attempt, .. }
        | State::Installing { attempt, .. } => *attempt,
        State::Retiring { attempt } | State::Wiping { attempt, .. } => {
            return retire::begin(state, *attempt, install, cx);
        }
        _ => return Step::Stay,
    };
    let mut effects = leave(state, cx);
    if attempt >= cx.policy.max_attempts {
        return Step::Move { to: State::Failed { why: Why::TooManyAttempts(attempt) }, effects };
    }
    effects.retain(|e| *e != Effect::VoidInstall { install });
    let until = cx.now.after_seconds(cx.policy.install_silence_s);
    Step::Move { to: State::Installing { attempt: attempt + 1, install, until }, effects }
}

/// From any state in which it is believed something.
fn deauthorised(state: &State, cx: Context<'_>) -> Step {
    let why = match state {
        State::FirstBoot { .. } | State::Running { .. } | State::Silent { .. } => Why::Deauthorised,
        State::Registered | State::Booting { .. } | State::Attesting { .. } | State::Installing { .. } => {
            Why::Barred
        }
        // One on its way out is authorised to nothing but its own wipe.
        State::Pending
        | State::Quarantined { .. }
        | State::Failed { .. }
        | State::Retiring { .. }
        | State::Wiping { .. }
        | State::Retired { .. } => return Step::Stay,
    };
    Step::Move { to: State::Quarantined { why }, effects: leave(state, cx) }
}

fn refused(state: &State, why: &Why, cx: Context<'_>) -> Step {
    match state {
        State::Quarantined { .. } | State::Retired { .. } => Step::Stay,
        _ => Step::Move { to: State::Quarantined { why: why.clone() }, effects: leave(state, cx) },
    }
}

/// `event` is of the installation that runs.
fn reported(event: &Event, install: InstallId, attempt: u32, cx: Context<'_>) -> Step {
    match event {
        Event::InstallFinished(_) => {
            to(State::FirstBoot { install, until: cx.now.after_seconds(cx.policy.first_boot_s) })
        }
        Event::InstallFailed(_, kind) => Step::Move {
            to: after_failure(*kind, attempt, cx),
            effects: vec![Effect::VoidInstall { install }],
        },
        _ => {
            let until = cx.now.after_seconds(cx.policy.install_silence_s);
            to(State::Installing { attempt, install, until })
        }
    }
}

fn after_failure(kind: FailureKind, attempt: u32, cx: Context<'_>) -> State {
    if is_final(kind) || attempt >= cx.policy.max_attempts {
        State::Failed { why: Why::InstallFailed(kind) }
    } else {
        booting(attempt, cx)
    }
}

fn agent_proven(state: &State, cx: Context<'_>) -> Step {
    match state {
        State::FirstBoot { .. }
        | State::Running { .. }
        | State::Silent { .. }
        | State::Failed { why: Why::FirstBootSilent } => to(running(cx)),
        _ => Step::Stay,
    }
}

fn ticked(state: &State, cx: Context<'_>) -> Step {
    if state.deadline().is_none_or(|until| cx.now < until) {
        return Step::Stay;
    }
    let stalled = |why| Step::Move { to: State::Failed { why }, effects: leave(state, cx) };
    match state {
        // A host that knocked and went away is simply expected again; one that used up its attempts is not.
        State::Booting { attempt: 0, .. } | State::Attesting { attempt: 0, .. } => to(State::Registered),
        State::Booting { .. } => stalled(Why::BootStalled),
        State::Attesting { .. } => stalled(Why::EvidenceStalled),
        State::Installing { attempt, .. } if *attempt < cx.policy.max_attempts => {
            Step::Move { to: booting(*attempt, cx), effects: leave(state, cx) }
        }
        State::Installing { .. } => stalled(Why::InstallStalled),
        State::FirstBoot { .. } => stalled(Why::FirstBootSilent),
        State::Running { .. } => to(State::Silent { since: cx.now }),
        State::Wiping { attempt, .. } => retire::stalled(state, *attempt, cx),
        State::Pending
        | State::Registered
        | State::Silent { .. }
        | State::Quarantined { .. }
        | State::Failed { .. }
        | State::Retiring { .. }
        | State::Retired { .. } => Step::Stay,
    }
}

fn to(state: State) -> Step {
    Step::Move { to: state, effects: Vec::new() }
}

fn booting(attempt: u32, cx: Context<'_>) -> State {
    State::Booting { attempt, until: cx.now.after_seconds(cx.policy.boot_s) }
}

fn running(cx: Context<'_>) -> State {
    State::Running { until: cx.now.after_seconds(cx.policy.heartbeat_loss_s) }
}

/// What leaving `state` for another course undoes.
fn leave(state: &State, cx: Context<'_>) -> Vec<Effect> {
    match state {
        State::Installing { install, .. } | State::Wiping { install, .. } => {
            vec![Effect::VoidInstall { install: *install }]
        }
        State::FirstBoot { .. } | State::Running { .. } | State::Silent { .. } => {
            vec![Effect::Disconnect { host: cx.host }]
        }
        State::Pending
        | State::Registered
        | State::Booting { .. }
        | State::Attesting { .. }
        | State::Quarantined { .. }
        | State::Failed { .. }
        | State::Retiring { .. }
        | State::Retired { .. } => Vec::new(),
    }
}
