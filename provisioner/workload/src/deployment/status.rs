//! The status of a deployment: how many of its targets are how far, and why not.

use cairn_contract::workload::Phase;
use cairn_domain::model::{Condition, DeploymentSpec, Object, TargetKind, Truth};
use serde::Serialize;
use serde_json::Value;

use super::{
    carrier::Carrier,
    outcome::Outcome,
    rollout::{Gate, Stop},
};
use crate::{
    cluster::AddonStatus,
    condition::{Conditions, some_of, truth},
    state::State,
};

/// Most targets that are told one by one.
const MAX_WORST: usize = 100;

/// What a status is made from.
pub(crate) struct Facts<'f, 'a, 's> {
    pub(crate) state: &'s State<'a>,
    pub(crate) carrier: &'f Carrier<'a, 's>,
    pub(crate) spec: &'f DeploymentSpec,
    pub(crate) object: &'f Object,
    pub(crate) outcomes: &'f [Outcome],
    pub(crate) gate: &'f Gate,
    pub(crate) clashes: &'f [String],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Status<'a> {
    observed_generation: i64,
    /// `shop 1.2.0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    package: Option<Package<'a>>,
    targets: Counts,
    #[serde(skip_serializing_if = "Option::is_none")]
    rollout: Option<RolloutStatus>,
    /// Targets that are not ready, the worst first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    worst: Vec<Worst<'a>>,
    conditions: Vec<Condition>,
}

#[derive(Debug, Serialize)]
struct Package<'a> {
    name: &'a str,
    version: &'a str,
}

/// Targets by how far they are; each is in one of the first four.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
struct Counts {
    total: usize,
    ready: usize,
    progressing: usize,
    waiting: usize,
    failed: usize,
    /// Without what they shall have.
    outdated: usize,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RolloutStatus {
    revision: String,
    /// Counted from 1.
    batch: usize,
    percent: u8,
    state: Progress,
}

/// How a rollout stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
enum Progress {
    Progressing,
    Paused,
    Stopped,
    Complete,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Worst<'a> {
    kind: &'static str,
    name: &'a str,
    phase: Phase,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'a str,
}

/// The batch (counted from 0) that the status says was open at this revision; 0 where it says nothing of it.
pub(crate) fn reached(object: Option<&Object>, revision: Option<&str>) -> usize {
    let read = || {
        let rollout = object?.status.as_ref()?.get("rollout")?;
        let same = rollout.get("revision")?.as_str() == Some(revision?);
        let batch = rollout.get("batch")?.as_u64().filter(|_| same)?;
        usize::try_from(batch).ok()?.checked_sub(1)
    };
    read().unwrap_or(0)
}

pub(crate) fn of(facts: &Facts<'_, '_, '_>) -> Value {
    let counts = count(facts.outcomes);
    let state = rollout_state(facts, counts);
    let mut conditions = Conditions::new(facts.object.status.as_deref(), facts.state.world.now);
    say_all(facts, counts, state, &mut conditions);
    let package = facts.carrier.package.as_ref().ok();
    let status = Status {
        observed_generation: facts.object.metadata.generation,
        package: package.map(|p| Package { name: &p.spec.package, version: &p.spec.version }),
        targets: counts,
        rollout: facts.carrier.revision().map(|revision| RolloutStatus {
            revision,
            batch: facts.gate.batch.saturating_add(1),
            percent: facts.gate.percent,
            state,
        }),
        worst: worst(facts),
        conditions: conditions.into_all(),
    };
    serde_json::to_value(&status).unwrap_or_default()
}

fn count(outcomes: &[Outcome]) -> Counts {
    let mut counts = Counts { total: outcomes.len(), ..Counts::default() };
    for outcome in outcomes {
        let place = match (outcome.phase, outcome.released) {
            (Phase::Failed | Phase::Degraded, _) => &mut counts.failed,
            (Phase::Ready, true) => &mut counts.ready,
            (_, true) => &mut counts.progressing,
            (_, false) => &mut counts.waiting,
        };
        *place = place.saturating_add(1);
        counts.outdated = counts.outdated.saturating_add(usize::from(!outcome.released));
    }
    counts
}

fn rollout_state(facts: &Facts<'_, '_, '_>, counts: Counts) -> Progress {
    if counts.outdated == 0 && counts.ready == counts.total {
        Progress::Complete
    } else if facts.spec.paused {
        Progress::Paused
    } else if facts.gate.stopped.is_some() {
        Progress::Stopped
    } else {
        Progress::Progressing
    }
}

fn worst<'f>(facts: &'f Facts<'_, '_, '_>) -> Vec<Worst<'f>> {
    let mut bad: Vec<(u8, &Outcome)> =
        facts.outcomes.iter().filter(|o| !o.is_ready()).map(|o| (rank(o), o)).collect();
    // By rank; targets are by name already.
    bad.sort_by_key(|(rank, _)| *rank);
    let kind = match facts.carrier.head.kind() {
        TargetKind::Cluster => "Cluster",
        TargetKind::Host => "Host",
    };
    let one = |(_, o): (u8, &'f Outcome)| {
        let site = facts.state.sites.get(o.target.site)?;
        Some(Worst { kind, name: site.name(), phase: o.phase, reason: &o.reason, message: &o.message })
    };
    bad.into_iter().take(MAX_WORST).filter_map(one).collect()
}

fn rank(outcome: &Outcome) -> u8 {
    match (outcome.phase, outcome.reason.is_empty()) {
        (Phase::Failed, _) => 0,
        (Phase::Degraded, _) => 1,
        (Phase::Waiting, false) => 2,
        (Phase::Progressing | Phase::Removing | Phase::Ready, _) => 3,
        (Phase::Waiting, true) => 4,
    }
}

fn say_all(facts: &Facts<'_, '_, '_>, counts: Counts, state: Progress, out: &mut Conditions<'_>) {
    let (truth_of_ready, reason, message) = ready(facts, counts);
    out.say("Ready", truth_of_ready, reason, message);
    let (moving, reason, message) = match state {
        Progress::Complete if counts.total == 0 => (false, "NoTargets", "nothing is to be done".to_owned()),
        Progress::Complete => (false, "Complete", format!("all {} targets have it", counts.total)),
        Progress::Paused => {
            (false, "Paused", "spec.paused is set; nothing changes until it is false".to_owned())
        }
        Progress::Stopped => (false, "Stopped", stopped(facts).unwrap_or_default()),
        Progress::Progressing => (
            true,
            "Progressing",
            format!(
                "{} of {} targets have it; {} percent may",
                counts.total.saturating_sub(counts.outdated),
                counts.total,
                facts.gate.percent
            ),
        ),
    };
    out.say("Progressing", truth(moving), reason, message);
    if let Some(message) = stopped(facts) {
        out.say("RolloutStopped", Truth::True, "TargetsFailed", message);
    }
    if facts.clashes.is_empty() {
        out.say("Conflict", Truth::False, "None", "no other deployment wants what it wants");
    } else {
        out.say("Conflict", Truth::True, "PortTaken", some_of(facts.clashes));
    }
}

fn ready(facts: &Facts<'_, '_, '_>, counts: Counts) -> (Truth, &'static str, String) {
    if let Err(problem) = &facts.carrier.package {
        return (Truth::False, problem.reason, problem.to_string());
    }
    let missing = &facts.carrier.missing;
    if !missing.is_empty() {
        let message =
            format!("spec.targets.names: there is no {}; make it, or take it out", some_of(missing));
        return (Truth::False, "TargetMissing", message);
    }
    if counts.total == 0 {
        let what = match facts.carrier.head.kind() {
            TargetKind::Cluster => "cluster",
            TargetKind::Host => "running host",
        };
        let namespace = facts.carrier.head.namespace;
        let message =
            format!("no {what} of project {namespace} matches; one that comes later gets it by itself");
        return (Truth::Unknown, "NoTargets", message);
    }
    if counts.ready == counts.total {
        return (Truth::True, "Ready", format!("all {} targets are ready", counts.total));
    }
    let bad = facts.outcomes.iter().filter(|o| !o.is_ready());
    let first = bad.min_by_key(|o| rank(o));
    let why = first.map(|o| {
        let name = facts.state.sites.get(o.target.site).map_or("", |s| s.name());
        let message = if o.message.is_empty() { "it is its turn later" } else { o.message.as_str() };
        (reason_word(o), format!("{name}: {message}"))
    });
    let (reason, why) = why.unwrap_or(("TargetsNotReady", String::new()));
    (Truth::False, reason, format!("{} of {} targets are ready; {why}", counts.ready, counts.total))
}

/// The words of [`crate::Problem`] come through; what hosts say is summed up.
fn reason_word(outcome: &Outcome) -> &'static str {
    const KNOWN: [&str; 15] = [
        "ParameterMissing",
        "ParameterInvalid",
        "ParameterUnknown",
        "ProfileUnknown",
        "SecretMissing",
        "WrongTarget",
        "SubstitutionFailed",
        "NamespaceInvalid",
        "RenderFailed",
        "DiskSizeMissing",
        "DependencyMissing",
        "DependencyNotReady",
        "Conflict",
        "ClusterNotReady",
        "HostNotRunning",
    ];
    KNOWN.into_iter().find(|word| *word == outcome.reason).unwrap_or("TargetsNotReady")
}

/// Which targets stopped it, and why.
fn stopped(facts: &Facts<'_, '_, '_>) -> Option<String> {
    let stop = facts.gate.stopped?;
    let name = |o: &Outcome| {
        let name = facts.state.sites.get(o.target.site).map_or("", |s| s.name());
        format!("{name} ({})", o.message)
    };
    let failed: Vec<String> = facts.outcomes.iter().filter(|o| o.is_failed()).map(name).collect();
    let why = match stop {
        Stop::TooManyFailed(n) => format!("{n} targets failed"),
        Stop::Unreachable(n) => {
            format!(
                "{n} targets of the batch failed, and {} percent cannot be ready",
                facts.spec.rollout.success_percent
            )
        }
    };
    Some(format!(
        "it stopped at {} percent: {why}: {}; put them right, or deploy another version",
        facts.gate.percent,
        some_of(&failed)
    ))
}

/// An add-on has one target.
pub(crate) fn of_addon(carrier: &Carrier<'_, '_>, outcomes: &[Outcome]) -> AddonStatus {
    let (phase, reason, message) = match outcomes.first() {
        Some(o) if o.is_ready() => (o.phase, "Ready".to_owned(), String::new()),
        Some(o) => (o.phase, o.reason.clone(), o.message.clone()),
        None => {
            (Phase::Waiting, "ClusterNotReady".to_owned(), "the cluster has no control plane yet".to_owned())
        }
    };
    AddonStatus {
        package: carrier.head.package().to_owned(),
        version: carrier.package.as_ref().ok().map(|p| p.spec.version.clone()),
        phase,
        reason,
        message,
    }
}
