//! What a passed deadline means, in words.

use cairn_domain::{Host, Level, Note, Policy, State};

/// The note of the tick that moves `host`: for what the provisioner waited and how long. None without a deadline.
pub(crate) fn note(host: &Host, policy: &Policy) -> Option<Note> {
    let (level, code, text) = match &host.state {
        State::Booting { .. } => (
            Level::Warn,
            "deadline.boot",
            format!("no installer reported within {} of its boot request", span(policy.boot_s)),
        ),
        State::Attesting { .. } => (
            Level::Warn,
            "deadline.evidence",
            format!("no evidence followed its claim within {}", span(policy.evidence_s)),
        ),
        State::Installing { .. } => (
            Level::Warn,
            "deadline.install",
            format!("its installer was silent for {}; this attempt is over", span(policy.install_silence_s)),
        ),
        State::FirstBoot { .. } => (
            Level::Warn,
            "deadline.first_boot",
            format!("the installed system did not report within {}", span(policy.first_boot_s)),
        ),
        State::Running { .. } => {
            (Level::Warn, "deadline.heartbeat", format!("no heartbeat for {}", span(policy.heartbeat_loss_s)))
        }
        State::Wiping { .. } => (
            Level::Warn,
            "deadline.wipe",
            format!("its installer was silent for {}; this wipe is over", span(policy.install_silence_s)),
        ),
        State::Pending
        | State::Registered
        | State::Silent { .. }
        | State::Quarantined { .. }
        | State::Failed { .. }
        | State::Retiring { .. }
        | State::Retired { .. } => return None,
    };
    Some(Note::new(level, code, text))
}

fn span(seconds: u32) -> String {
    match seconds {
        s if s >= 120 && s % 60 == 0 => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}
