//! What this host says: gathered from the node, the applier and its own containers, sent on each change and once a minute.

use std::sync::Arc;
use std::time::Duration;

use cairn_contract::workload::{
    ApplicationObserved, Body, Desired, NodeObserved, Observed, Phase, Release, ReleaseObserved,
};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::access::{Accesses, first};
use super::calls::Calls;
use super::desired::Orders;

/// Changes that come close together are told together.
const TOGETHER: Duration = Duration::from_millis(500);
const AT_LEAST: Duration = Duration::from_secs(60);
const AGAIN: Duration = Duration::from_secs(3);
const LIMIT: Duration = Duration::from_secs(15);

/// Whom to ask.
#[derive(Debug, Clone)]
pub(super) struct Sources {
    pub(super) orders: Orders,
    pub(super) node: watch::Receiver<Option<NodeObserved>>,
    pub(super) applied: watch::Receiver<Vec<ReleaseObserved>>,
    pub(super) own: watch::Receiver<Vec<ReleaseObserved>>,
}

/// Tells the provisioner; done when a source ends.
pub(super) async fn run(calls: Arc<Calls>, mut accesses: Accesses, mut sources: Sources) {
    let mut told: Option<Observed> = None;
    let mut due = Instant::now();
    loop {
        let observed = sources.gather();
        let is_news = told.as_ref() != Some(&observed);
        // Nothing is known yet: then there is nothing to say, and nothing that could be misread as "all is gone".
        if observed.revision.is_some()
            && (is_news || Instant::now() >= due)
            && first(&mut accesses).await.is_some()
        {
            let sent: Result<(), _> = calls.post("/host/v1/observed", &observed, LIMIT, 1 << 16).await;
            match sent {
                Ok(()) => {
                    told = Some(observed);
                    due = Instant::now() + AT_LEAST;
                }
                Err(error) => {
                    tracing::debug!("the report did not arrive: {:#}", anyhow::Error::new(error));
                    told = None;
                    sleep(AGAIN).await;
                    continue;
                }
            }
        }
        tokio::select! {
            () = sleep_until(due.max(Instant::now() + TOGETHER)) => {}
            changed = sources.changed() => {
                if !changed { return }
                sleep(TOGETHER).await;
            }
        }
    }
}

impl Sources {
    /// Whether all are still there.
    async fn changed(&mut self) -> bool {
        tokio::select! {
            changed = self.orders.changed() => changed.is_ok(),
            changed = self.node.changed() => changed.is_ok(),
            changed = self.applied.changed() => changed.is_ok(),
            changed = self.own.changed() => changed.is_ok(),
        }
    }

    fn gather(&mut self) -> Observed {
        let desired = self.orders.borrow_and_update().clone();
        let mut said = self.applied.borrow_and_update().clone();
        for own in self.own.borrow_and_update().iter() {
            match said.iter_mut().find(|r| r.deployment == own.deployment) {
                Some(of_cluster) => merge(of_cluster, own),
                None => said.push(own.clone()),
            }
        }
        let node = self.node.borrow_and_update().clone();
        let Some(desired) = desired else { return Observed { revision: None, node, releases: said } };
        said.extend(silent(&desired, &said));
        Observed { revision: Some(desired.revision), node, releases: said }
    }
}

/// A release of which nothing has spoken yet.
fn silent(desired: &Desired, said: &[ReleaseObserved]) -> Vec<ReleaseObserved> {
    let of_cluster =
        |release: &Release| release.applications.iter().any(|a| matches!(a.body, Body::Manifests { .. }));
    let told = |release: &Release| {
        let (reason, message) = match of_cluster(release) {
            true => ("ClusterAbsent", "the cluster's API server is not up yet"),
            false => ("Waiting", "it is not begun yet"),
        };
        ReleaseObserved {
            deployment: release.deployment,
            revision: release.revision,
            phase: Phase::Waiting,
            reason: reason.to_owned(),
            message: message.to_owned(),
            corrected: 0,
            applications: Vec::new(),
        }
    };
    let unheard = |release: &&Release| !said.iter().any(|s| s.deployment == release.deployment);
    desired.releases.iter().filter(unheard).map(told).collect()
}

/// One release of which a part is in the cluster and another on the host.
fn merge(into: &mut ReleaseObserved, own: &ReleaseObserved) {
    if rank(own.phase) > rank(into.phase) {
        (into.phase, into.reason, into.message) = (own.phase, own.reason.clone(), own.message.clone());
    }
    into.corrected = into.corrected.saturating_add(own.corrected);
    into.applications.extend(own.applications.iter().cloned());
}

/// A release by its applications.
pub(super) fn release(
    release: &Release,
    applications: Vec<ApplicationObserved>,
    corrected: u64,
) -> ReleaseObserved {
    let worst = applications.iter().max_by_key(|a| rank(a.phase));
    let (phase, reason, message) = match worst {
        Some(worst) if worst.phase != Phase::Ready => {
            (worst.phase, worst.reason.clone(), format!("{}: {}", worst.name, worst.message))
        }
        Some(_) | None => (Phase::Ready, "Ready".to_owned(), String::new()),
    };
    let (deployment, revision) = (release.deployment, release.revision);
    ReleaseObserved { deployment, revision, phase, reason, message, corrected, applications }
}

/// All of them being removed.
pub(super) fn ranked(mut applications: Vec<ApplicationObserved>) -> Vec<ApplicationObserved> {
    for application in &mut applications {
        application.phase = Phase::Removing;
    }
    applications
}

/// The worse, the more.
fn rank(phase: Phase) -> u8 {
    match phase {
        Phase::Ready => 0,
        Phase::Waiting => 1,
        Phase::Progressing => 2,
        Phase::Removing => 3,
        Phase::Degraded => 4,
        Phase::Failed => 5,
    }
}

#[cfg(test)]
mod tests {
    use cairn_contract::Digest;
    use uuid::Uuid;

    use super::*;

    fn application(name: &str, phase: Phase) -> ApplicationObserved {
        ApplicationObserved {
            name: name.into(),
            phase,
            reason: "X".into(),
            message: "m".into(),
            workloads: vec![],
        }
    }

    fn empty() -> Release {
        Release {
            deployment: Uuid::from_u128(1),
            name: "a.b.c".into(),
            revision: Digest([1; 32]),
            applications: vec![],
        }
    }

    #[test]
    fn a_release_is_as_its_worst_part() {
        let all = vec![
            application("a", Phase::Ready),
            application("b", Phase::Failed),
            application("c", Phase::Waiting),
        ];
        let said = release(&empty(), all, 2);
        assert_eq!((said.phase, said.message.as_str(), said.corrected), (Phase::Failed, "b: m", 2));
        assert_eq!(release(&empty(), vec![application("a", Phase::Ready)], 0).phase, Phase::Ready);
    }

    #[test]
    fn a_release_of_cluster_and_host_is_one() {
        let mut there = release(&empty(), vec![application("a", Phase::Ready)], 1);
        merge(&mut there, &release(&empty(), vec![application("b", Phase::Degraded)], 1));
        assert_eq!((there.phase, there.applications.len(), there.corrected), (Phase::Degraded, 2, 2));
    }

    #[test]
    fn what_nobody_speaks_of_is_waiting() {
        let desired = Desired::new(None, None, vec![empty()]);
        let said = silent(&desired, &[]);
        assert_eq!((said.len(), said[0].phase), (1, Phase::Waiting));
        assert!(silent(&desired, &said).is_empty());
    }
}
