//! One application of a release while it is brought into the cluster: its objects, how far it is, what went wrong. Pure; `keep`
//! drives it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cairn_contract::Digest;
use cairn_contract::workload::{Application, ApplicationObserved, Body, Phase, WorkloadObserved};
use tokio::time::Instant;

use crate::health::{Before, State};
use crate::inventory::Entry;
use crate::key::Key;
use crate::kinds::Resource;
use crate::manifest::{Object, parse};
use crate::order::Stage;

/// Most workloads of an application that are told of.
const TOLD: usize = 200;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Why an application does not go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    pub(crate) kind: TroubleKind,
}

/// What may end a trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TroubleKind {
    /// Somebody has to do something.
    Lasting,
    /// Time.
    Passing,
}

/// Where an object goes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Spot {
    pub(crate) object: Arc<Object>,
    pub(crate) key: Key,
    pub(crate) stage: Stage,
    /// Absent until the definition of its kind is established.
    pub(crate) resource: Option<Resource>,
}

/// One application.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) namespace: String,
    patience: Duration,
    blob: Digest,
    pub(crate) objects: Vec<Arc<Object>>,
    pub(crate) spots: Vec<Spot>,
    pub(crate) begun: Option<Instant>,
    pub(crate) was: Before,
    /// It cannot be applied by this order.
    refusal: Option<Trouble>,
    trouble: Option<Trouble>,
    /// A kind that nobody serves.
    pub(crate) lacking: Option<Trouble>,
    /// What it waits for in the cluster, while nothing is wrong.
    pub(crate) held: Option<String>,
    pause: Duration,
    retry: Option<Instant>,
    pub(crate) told: ApplicationObserved,
}

impl Part {
    /// From the release; none for what the host runs itself.
    pub(crate) fn new(application: &Application, blobs: &BTreeMap<Digest, Arc<Vec<u8>>>) -> Option<Self> {
        let Body::Manifests { digest, namespace, .. } = &application.body else { return None };
        let (objects, refusal) = match read(digest, blobs.get(digest)) {
            Ok(objects) => (objects.into_iter().map(Arc::new).collect(), None),
            Err(trouble) => (Vec::new(), Some(trouble)),
        };
        let mut part = Self {
            name: application.name.clone(),
            namespace: namespace.clone(),
            patience: Duration::from_secs(application.patience_s.into()),
            blob: *digest,
            objects,
            spots: Vec::new(),
            begun: None,
            was: Before::Unready,
            refusal,
            trouble: None,
            lacking: None,
            held: None,
            pause: FIRST_PAUSE,
            retry: None,
            told: waiting(&application.name),
        };
        if !crate::key::is_name(namespace) || namespace == crate::manifest::SYSTEM {
            part.refuse("BadManifest", format!("`{namespace}` is no namespace that an application may have"));
        }
        Some(part)
    }

    /// It cannot go on with this order.
    pub(crate) fn refuse(&mut self, reason: &'static str, message: String) {
        self.refusal = Some(Trouble { reason, message, kind: TroubleKind::Lasting });
    }

    /// Goes on where the same application of the order before was.
    pub(crate) fn inherit(&mut self, old: &Self) {
        if self.blob == old.blob && self.namespace == old.namespace {
            self.was = old.was;
            self.begun = old.begun;
        }
    }

    /// Whether it is of no use to try.
    pub(crate) fn is_refused(&self) -> bool {
        self.refusal.is_some()
    }

    /// Whether each of its objects has its place.
    pub(crate) fn is_placed(&self) -> bool {
        self.spots.len() == self.objects.len() && self.spots.iter().all(|s| s.resource.is_some())
    }

    /// Whether all of it is in the cluster.
    pub(crate) fn is_applied(&self) -> bool {
        let well = self.refusal.is_none() && self.trouble.is_none() && self.held.is_none();
        well && self.begun.is_some() && self.is_placed()
    }

    /// Whether it is time to try what failed.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.retry.is_none_or(|at| at <= now)
    }

    /// When it is tried again.
    pub(crate) fn next_try(&self) -> Option<Instant> {
        self.retry
    }

    /// Something went wrong; it is tried again ever more slowly.
    pub(crate) fn failed(&mut self, trouble: Trouble, now: Instant) {
        if self.trouble.as_ref() != Some(&trouble) {
            self.pause = FIRST_PAUSE;
        }
        self.trouble = Some(trouble);
        self.retry = now.checked_add(self.pause);
        self.pause = self.pause.saturating_mul(2).min(LONGEST_PAUSE);
    }

    /// A try came to its end without failure.
    pub(crate) fn applied(&mut self) {
        self.trouble = None;
        self.retry = None;
        self.pause = FIRST_PAUSE;
    }

    /// Begins to count its patience.
    pub(crate) fn begin(&mut self, now: Instant) {
        self.begun.get_or_insert(now);
    }

    /// The server was away for so long: that was not its fault.
    pub(crate) fn excuse(&mut self, away: Duration) {
        self.begun = self.begun.and_then(|b| b.checked_add(away));
    }

    /// For the inventory.
    pub(crate) fn entries(&self, application: usize) -> impl Iterator<Item = Entry> {
        self.spots.iter().map(move |spot| Entry {
            api_version: spot.object.gvk.api_version(),
            kind: spot.key.kind.clone(),
            namespace: spot.key.namespace.clone(),
            name: spot.key.name.clone(),
            uid: String::new(),
            application,
        })
    }

    /// It waits for others.
    pub(crate) fn wait(&mut self, what: String) {
        self.told = ApplicationObserved {
            message: what,
            reason: "WaitingForDependency".into(),
            ..waiting(&self.name)
        };
    }

    /// Says how it is, from its objects.
    pub(crate) fn tell(&mut self, seen: Vec<(State, WorkloadObserved)>, now: Instant) {
        let worst = seen.iter().map(|(state, _)| *state).max().unwrap_or(State::Ready);
        let overdue = self.begun.is_some_and(|b| now.duration_since(b) > self.patience);
        let (phase, reason, message) = self.judge(worst, &seen, overdue_of(overdue));
        if phase == Phase::Ready {
            self.was = Before::Ready;
        }
        self.told = ApplicationObserved {
            name: self.name.clone(),
            phase,
            reason: reason.to_owned(),
            message,
            workloads: told(seen),
        };
    }

    fn judge(
        &self,
        worst: State,
        seen: &[(State, WorkloadObserved)],
        time: Time,
    ) -> (Phase, &'static str, String) {
        if let Some(trouble) = self.refusal.as_ref().or(self.trouble.as_ref()) {
            let state = match (trouble.kind, time) {
                (TroubleKind::Passing, Time::Left) => State::Progressing,
                _ => State::Failed,
            };
            return (state.phase(self.was), trouble.reason, trouble.message.clone());
        }
        if let Some(held) = &self.held {
            let state = if time == Time::Over { State::Failed } else { State::Progressing };
            return (state.phase(self.was), "Progressing", held.clone());
        }
        let first = seen.iter().filter(|(state, _)| *state == worst).map(|(_, w)| w);
        let message =
            first.map(|w| format!("{} {}: {}", w.kind, w.name, w.message)).next().unwrap_or_default();
        match (worst, time) {
            (State::Ready, _) => (Phase::Ready, "Ready", format!("{} objects", seen.len())),
            (State::Progressing, Time::Left) => (worst.phase(self.was), "Progressing", message),
            (State::Progressing, Time::Over) => (State::Failed.phase(self.was), "Overdue", message),
            (State::Failed, _) => (worst.phase(self.was), "Unhealthy", message),
        }
    }
}

/// Of its patience.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Time {
    Left,
    Over,
}

fn overdue_of(overdue: bool) -> Time {
    if overdue { Time::Over } else { Time::Left }
}

fn read(digest: &Digest, blob: Option<&Arc<Vec<u8>>>) -> Result<Vec<Object>, Trouble> {
    let Some(blob) = blob else {
        let message = "its objects are still being fetched".to_owned();
        return Err(Trouble { reason: "Fetching", message, kind: TroubleKind::Passing });
    };
    let refused = |reason, message| Trouble { reason, message, kind: TroubleKind::Lasting };
    if Digest::of(blob) != *digest {
        return Err(refused("DigestMismatch", "the bytes of its objects are not those of its digest".into()));
    }
    parse(blob).map_err(|e| refused(e.reason(), e.to_string()))
}

fn waiting(name: &str) -> ApplicationObserved {
    ApplicationObserved {
        name: name.to_owned(),
        phase: Phase::Waiting,
        reason: "Waiting".into(),
        message: String::new(),
        workloads: Vec::new(),
    }
}

/// The worst first, then what runs, then the rest.
fn told(mut seen: Vec<(State, WorkloadObserved)>) -> Vec<WorkloadObserved> {
    seen.sort_by_key(|(state, w)| (std::cmp::Reverse(*state), does_nothing(&w.kind)));
    seen.into_iter().take(TOLD).map(|(_, w)| w).collect()
}

fn does_nothing(kind: &str) -> bool {
    const RUNS: [&str; 8] = [
        "Deployment",
        "StatefulSet",
        "DaemonSet",
        "Job",
        "CronJob",
        "Pod",
        "VirtualMachine",
        "VirtualMachineInstance",
    ];
    !RUNS.contains(&kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(patience_s: u32) -> Part {
        let blob = b"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"}}".to_vec();
        let digest = Digest::of(&blob);
        let body = Body::Manifests { digest, size: 0, namespace: "shop".into() };
        let application = Application { name: "web".into(), patience_s, body };
        Part::new(&application, &BTreeMap::from([(digest, Arc::new(blob))])).unwrap()
    }

    fn seen(state: State) -> Vec<(State, WorkloadObserved)> {
        let workload = WorkloadObserved {
            kind: "Pod".into(),
            namespace: "shop".into(),
            name: "a".into(),
            phase: Phase::Ready,
            message: "it is starting".into(),
            restarts: 0,
        };
        vec![(state, workload)]
    }

    #[tokio::test(start_paused = true)]
    async fn patience_ends_and_what_was_ready_degrades() {
        let mut part = part(60);
        let start = Instant::now();
        part.begin(start);
        part.tell(seen(State::Progressing), start);
        assert_eq!(
            (part.told.phase, part.told.message.as_str()),
            (Phase::Progressing, "Pod a: it is starting")
        );
        part.tell(seen(State::Progressing), start + Duration::from_secs(61));
        assert_eq!((part.told.phase, part.told.reason.as_str()), (Phase::Failed, "Overdue"));
        part.excuse(Duration::from_secs(30));
        part.tell(seen(State::Progressing), start + Duration::from_secs(61));
        assert_eq!(part.told.phase, Phase::Progressing);
        part.tell(seen(State::Ready), start);
        part.tell(seen(State::Failed), start);
        assert_eq!((part.told.phase, part.told.reason.as_str()), (Phase::Degraded, "Unhealthy"));
    }

    #[tokio::test(start_paused = true)]
    async fn failures_are_tried_again_ever_more_slowly() {
        let mut part = part(60);
        let now = Instant::now();
        let trouble = || Trouble { reason: "Refused", message: "no".into(), kind: TroubleKind::Passing };
        let mut pauses = Vec::new();
        for _ in 0..8 {
            part.failed(trouble(), now);
            pauses.push(part.next_try().unwrap().duration_since(now).as_secs());
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert!(!part.is_due(now));
        part.applied();
        assert!(part.is_due(now));
    }

    #[test]
    fn bytes_that_are_missing_or_others_are_told_apart() {
        let digest = Digest::of(b"x");
        let body = Body::Manifests { digest, size: 1, namespace: "shop".into() };
        let application = Application { name: "web".into(), patience_s: 1, body };
        let of = |blobs| Part::new(&application, &blobs).unwrap().refusal.unwrap();
        assert_eq!(of(BTreeMap::new()).reason, "Fetching");
        assert_eq!(of(BTreeMap::from([(digest, Arc::new(b"y".to_vec()))])).reason, "DigestMismatch");
        assert_eq!(of(BTreeMap::from([(digest, Arc::new(b"x".to_vec()))])).reason, "BadManifest");
    }
}
