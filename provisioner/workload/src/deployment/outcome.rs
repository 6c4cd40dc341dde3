//! What becomes of one target in this plan.

use cairn_contract::workload::Phase;

use super::carrier::{Carrier, Target};
use crate::{Assignment, cluster::Standing, release::Built, sites::Site};

/// How one target stands.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) target: Target,
    /// It was told what it shall have.
    pub(crate) released: bool,
    pub(crate) phase: Phase,
    /// Why it is not told now, or why it is not ready; empty reason: it can be told.
    pub(crate) reason: String,
    pub(crate) message: String,
    /// Nothing but the rollout stands between it and its order.
    pub(crate) may: bool,
}

impl Outcome {
    pub(crate) fn is_ready(&self) -> bool {
        self.released && self.phase == Phase::Ready
    }

    pub(crate) fn is_failed(&self) -> bool {
        self.phase == Phase::Failed
    }

    pub(crate) fn hold(&mut self, reason: &str, message: impl Into<String>) {
        self.may = false;
        reason.clone_into(&mut self.reason);
        self.message = message.into();
    }

    fn fail(&mut self, reason: &str, message: impl Into<String>) {
        self.hold(reason, message);
        self.phase = Phase::Failed;
    }
}

/// By its own row, package and site; other deployments and the rollout come after.
pub(crate) fn of(
    carrier: &Carrier<'_, '_>,
    target: Target,
    site: &Site<'_>,
    row: Option<&Assignment>,
) -> Outcome {
    let mut out = Outcome {
        target,
        released: false,
        phase: Phase::Waiting,
        reason: String::new(),
        message: String::new(),
        may: true,
    };
    let built = match (&carrier.package, carrier.variant(target)) {
        (Err(problem), _) => return failed(out, problem),
        (Ok(_), Some(variant)) => match &variant.built {
            Ok(built) => built,
            Err(problem) => return failed(out, problem),
        },
        (Ok(_), None) => return out,
    };
    let told = row.filter(|row| row.body.is_some());
    out.released =
        told.is_some() && built.release.as_ref().map(|r| r.revision) == told.map(|row| row.revision);
    match told {
        Some(row) if out.released => said(&mut out, row),
        _ => {
            out.phase = Phase::Waiting;
            wait(&mut out, built, site);
        }
    }
    out
}

fn failed(mut out: Outcome, problem: &crate::Problem) -> Outcome {
    out.fail(problem.reason, problem.to_string());
    out
}

/// The host's own words.
fn said(out: &mut Outcome, row: &Assignment) {
    out.phase = row.phase();
    out.may = false;
    match &row.observed {
        // Of a million ready ones nobody reads the words.
        Some(_) if out.phase == Phase::Ready => {}
        Some(said) if row.phase() == said.phase() => {
            let (reason, message) = said.why();
            (out.reason, out.message) = (reason.to_owned(), message.to_owned());
        }
        Some(_) | None => out.hold("Released", "the host was told and has not answered yet"),
    }
}

/// Why it cannot be told yet.
fn wait(out: &mut Outcome, built: &Built, site: &Site<'_>) {
    if built.release.is_none() {
        return out.hold("Rendering", "its manifests are being rendered");
    }
    match (site.host, &site.trouble, site.standing) {
        (_, Some(trouble), _) => out.hold("ClusterNotReady", trouble.clone()),
        (None, None, _) => out.hold("ClusterNotReady", "the cluster has no control plane yet"),
        (Some(host), None, Standing::Away) => {
            let word = host.host.as_deref().map_or("not known", |h| h.state.word());
            out.hold(
                "HostNotRunning",
                format!("host {} is {word}; it gets it when it runs", host.metadata.name),
            );
        }
        (Some(_), None, Standing::Running | Standing::Silent) => {}
    }
}
