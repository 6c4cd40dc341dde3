//! Containers and virtual machines of the releases: given to the runtime in order, taken from it when they are not wanted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use cairn_contract::workload::{
    Application, ApplicationObserved, Body, Phase, Release, ReleaseObserved, Secrets,
};
use cairn_runtime::{Runtime, Seen};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::desired::Orders;
use super::engine::Engine;
use super::report::{self, ranked};
use super::secrets::Vault;

/// Between two looks: the runtime tells of nothing by itself.
const LOOK: Duration = Duration::from_millis(500);
/// Between two looks for what earlier agents left.
const SWEEP: Duration = Duration::from_secs(60);

type Key = (Uuid, String);

/// What the host runs itself.
pub(super) struct Own {
    pub(super) runtime: Arc<Runtime>,
    pub(super) engine: Engine,
    pub(super) vault: Arc<Vault>,
    pub(super) said: watch::Sender<Vec<ReleaseObserved>>,
}

/// What is remembered between two passes.
#[derive(Default)]
struct Memory {
    /// Since when an application is not ready, and which order that is about.
    unready: BTreeMap<Key, (cairn_contract::Digest, Instant)>,
    removing: BTreeSet<Key>,
    removals: JoinSet<Key>,
    swept: Option<Instant>,
    engine: Option<Result<(), String>>,
}

impl Own {
    /// Follows the orders; done when they end.
    pub(super) async fn run(self, mut orders: Orders) {
        let mut memory = Memory::default();
        let mut news = self.vault.news();
        loop {
            let desired = orders.borrow_and_update().clone();
            if let Some(desired) = desired {
                self.pass(&desired.releases, &mut memory).await;
            }
            tokio::select! {
                changed = orders.changed() => if changed.is_err() { return },
                _ = news.changed() => {}
                Some(Ok(key)) = memory.removals.join_next() => { memory.removing.remove(&key); }
                () = sleep(LOOK) => {}
            }
        }
    }

    async fn pass(&self, releases: &[Release], memory: &mut Memory) {
        self.start(releases, memory).await;
        let seen: BTreeMap<Key, Seen> = self
            .runtime
            .observe()
            .into_iter()
            .map(|seen| ((seen.deployment, seen.application.name.clone()), seen))
            .collect();
        let mut said = Vec::new();
        let mut wanted = BTreeSet::new();
        for release in releases.iter().filter(|r| r.applications.iter().any(is_own)) {
            wanted.extend(
                release
                    .applications
                    .iter()
                    .filter(|a| is_own(a))
                    .map(|a| (release.deployment, a.name.clone())),
            );
            said.push(self.release(release, &seen, memory));
        }
        memory.unready.retain(|key, _| wanted.contains(key));
        self.sweep(&wanted, memory).await;
        said.extend(removing(&seen, &wanted, releases));
        self.said.send_if_modified(|old| {
            let differs = *old != said;
            *old = said;
            differs
        });
    }

    /// containerd, as soon as there is or was something for it.
    async fn start(&self, releases: &[Release], memory: &mut Memory) {
        let wanted = releases.iter().any(|r| r.applications.iter().any(is_container));
        if matches!(memory.engine, Some(Ok(()))) || !(wanted || self.engine.was_used()) {
            return;
        }
        let started = self.engine.start().await;
        if let Err(why) = &started
            && memory.engine.as_ref() != Some(&started)
        {
            tracing::warn!(why, "no containers");
        }
        memory.engine = Some(started);
    }

    /// Orders one release's applications, each when those before it are ready.
    fn release(&self, release: &Release, seen: &BTreeMap<Key, Seen>, memory: &mut Memory) -> ReleaseObserved {
        let values = self.vault.of(release);
        let (mut applications, mut blocked, mut corrected) = (Vec::new(), None::<String>, 0_u64);
        for application in release.applications.iter().filter(|a| is_own(a)) {
            let key = (release.deployment, application.name.clone());
            let known = seen.get(&key);
            let needs = needs_secrets(application);
            let told = match (&blocked, needs && values.is_none()) {
                (Some(before), _) if known.is_none() => {
                    Err(waiting(application, "Ordered", &format!("it comes after {before}")))
                }
                (_, true) if known.is_none() => Err(waiting(
                    application,
                    "SecretsAbsent",
                    "its secrets have not come from the provisioner yet",
                )),
                // What runs by an earlier order goes on until its turn comes.
                (Some(_), _) | (None, true) => Ok(()),
                (None, false)
                    if let Some(Err(why)) = memory.engine.as_ref().filter(|_| is_container(application)) =>
                {
                    Err(failed(application, why))
                }
                (None, false) => {
                    let secrets =
                        Secrets { values: values.as_ref().map(|v| v.by_name().clone()).unwrap_or_default() };
                    self.runtime
                        .ensure(release, application, &secrets)
                        .map_err(|e| failed(application, &e.to_string()))
                }
            };
            let observed = match (told, known) {
                (Err(observed), _) => observed,
                (Ok(()), Some(seen)) => {
                    corrected = corrected.saturating_add(seen.corrected);
                    current(release, application, seen, memory)
                }
                (Ok(()), None) => waiting(application, "Taken", "it is begun"),
            };
            if observed.phase != Phase::Ready {
                blocked.get_or_insert_with(|| application.name.clone());
            }
            applications.push(observed);
        }
        report::release(release, applications, corrected)
    }

    /// Removes what no order names, also what earlier agents left.
    async fn sweep(&self, wanted: &BTreeSet<Key>, memory: &mut Memory) {
        let now = Instant::now();
        let here: BTreeSet<Key> =
            self.runtime.observe().into_iter().map(|s| (s.deployment, s.application.name)).collect();
        let mut gone: Vec<Key> = here.difference(wanted).cloned().collect();
        if memory.swept.is_none_or(|at| now.duration_since(at) >= SWEEP) {
            match self.runtime.known().await {
                Ok(known) => {
                    memory.swept = Some(now);
                    gone.extend(known.into_iter().filter(|key| !wanted.contains(key)));
                }
                Err(error) => tracing::debug!("what runs here is not known: {:#}", anyhow::Error::new(error)),
            }
        }
        for key in gone {
            if !memory.removing.insert(key.clone()) {
                continue;
            }
            let (runtime, last) = (Arc::clone(&self.runtime), !wanted.iter().any(|(of, _)| *of == key.0));
            memory.removals.spawn(async move {
                let removed = runtime.remove(key.0, &key.1).await;
                if removed.is_ok()
                    && last
                    && let Err(error) = runtime.forget(key.0)
                {
                    tracing::warn!("volumes stay: {:#}", anyhow::Error::new(error));
                }
                key
            });
        }
    }
}

fn is_container(application: &Application) -> bool {
    matches!(application.body, Body::Container(_))
}

fn is_own(application: &Application) -> bool {
    !matches!(application.body, Body::Manifests { .. })
}

/// By the placeholders of [`cairn_contract::workload::placeholder`].
fn needs_secrets(application: &Application) -> bool {
    serde_json::to_string(&application.body).is_ok_and(|text| text.contains("cairn-secret-"))
}

/// What is seen, with the application's own patience.
fn current(
    release: &Release,
    application: &Application,
    seen: &Seen,
    memory: &mut Memory,
) -> ApplicationObserved {
    let key = (release.deployment, application.name.clone());
    let mut observed = seen.application.clone();
    if seen.revision != release.revision {
        observed.phase = Phase::Progressing;
        observed.reason = "OrderChanged".to_owned();
    }
    if observed.phase == Phase::Ready {
        memory.unready.remove(&key);
        return observed;
    }
    let (of, since) = *memory.unready.entry(key.clone()).or_insert((release.revision, Instant::now()));
    if of != release.revision {
        memory.unready.insert(key, (release.revision, Instant::now()));
    } else if matches!(observed.phase, Phase::Waiting | Phase::Progressing)
        && since.elapsed() > Duration::from_secs(u64::from(application.patience_s))
    {
        observed.phase = Phase::Failed;
        observed.message = format!("not ready within {} s: {}", application.patience_s, observed.message);
    }
    observed
}

fn waiting(application: &Application, reason: &str, message: &str) -> ApplicationObserved {
    let (reason, message) = (reason.to_owned(), message.to_owned());
    ApplicationObserved {
        name: application.name.clone(),
        phase: Phase::Waiting,
        reason,
        message,
        workloads: Vec::new(),
    }
}

fn failed(application: &Application, message: &str) -> ApplicationObserved {
    ApplicationObserved { phase: Phase::Failed, ..waiting(application, "Refused", message) }
}

/// What is still there of releases that are not wanted any more.
fn removing(
    seen: &BTreeMap<Key, Seen>,
    wanted: &BTreeSet<Key>,
    releases: &[Release],
) -> Vec<ReleaseObserved> {
    let mut left: BTreeMap<Uuid, Vec<&Seen>> = BTreeMap::new();
    for (key, seen) in seen.iter().filter(|(key, _)| !wanted.contains(*key)) {
        if !releases.iter().any(|r| r.deployment == key.0) {
            left.entry(key.0).or_default().push(seen);
        }
    }
    let told = |(deployment, all): (Uuid, Vec<&Seen>)| ReleaseObserved {
        deployment,
        revision: all.first().map_or(cairn_contract::Digest([0; 32]), |seen| seen.revision),
        phase: Phase::Removing,
        reason: "Removing".to_owned(),
        message: "it is being removed".to_owned(),
        corrected: 0,
        applications: ranked(all.into_iter().map(|seen| seen.application.clone()).collect()),
    };
    left.into_iter().map(told).collect()
}
