//! One release in the cluster: brought there, kept so, told of. Each pass compares what is wanted with what was applied and what
//! the mirror shows, and does what is missing; it remembers no steps, so a pass that was cut short is simply done again.
//!
//! Not the loop (`applier`), one object (`put`), or what leaves (`withdraw`).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use cairn_contract::Digest;
use cairn_contract::workload::{Phase, ReleaseObserved, WorkloadObserved};
use futures_util::{StreamExt as _, stream};
use tokio::time::Instant;

use crate::cluster::{CallError, Cluster};
use crate::health::{Before, State};
use crate::inventory::{Entry, Inventory};
use crate::key::{Gvk, Key};
use crate::kinds::{KindError, Kinds, Resource, Scope, scope_by_definition};
use crate::look::Looks;
use crate::manifest::{MAX_OBJECTS, Owner};
use crate::mirror::Mirror;
use crate::order::Stage;
use crate::part::{Part, Spot, Trouble, TroubleKind};
use crate::put::{Cause, Put, PutError, Sender, Trace, source};
use crate::refusal::Refusal;
use crate::store;
use crate::wanted::Order;
use crate::withdraw::{self, Leaving};

/// Objects that are sent at the same time.
const AT_ONCE: usize = 8;
/// Corrections in a row that are made at once.
const AT_FIRST: u32 = 5;
/// A peace of this length forgets corrections.
const PEACE: Duration = Duration::from_secs(300);

/// The server is away: the pass ends, and is done again later.
#[derive(Debug, thiserror::Error)]
#[error("the API server does not answer")]
pub(crate) struct Away(#[source] pub(crate) CallError);

/// What all passes share.
#[derive(Debug)]
pub(crate) struct Around {
    pub(crate) cluster: Cluster,
    pub(crate) kinds: Kinds,
    pub(crate) mirror: Mirror,
}

/// An object as this process applied it.
#[derive(Debug, Clone)]
struct Set {
    source: Digest,
    trace: Trace,
    uid: String,
    corrections: u32,
    last: Option<Instant>,
}

/// A release.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) owner: Owner,
    /// Absent: it is to leave.
    pub(crate) order: Option<Arc<Order>>,
    pub(crate) parts: Vec<Part>,
    /// As the cluster has it.
    pub(crate) inventory: Inventory,
    set: HashMap<Key, Set>,
    corrected: u64,
    looks: Looks,
    pub(crate) leaving: Leaving,
    /// When it has to be looked at, whatever happens before.
    pub(crate) wake: Option<Instant>,
}

impl Kept {
    pub(crate) fn new(inventory: Inventory) -> Self {
        Self {
            owner: Owner { deployment: inventory.deployment, name: inventory.name.clone() },
            order: None,
            parts: Vec::new(),
            inventory,
            set: HashMap::new(),
            corrected: 0,
            looks: Looks::default(),
            leaving: Leaving::default(),
            wake: None,
        }
    }

    /// Another order, the same, or (`None`) to leave.
    pub(crate) fn want(&mut self, order: Option<Arc<Order>>) {
        let same = match (&self.order, &order) {
            (Some(old), Some(new)) => Arc::ptr_eq(old, new) || old == new,
            (old, new) => old.is_none() && new.is_none(),
        };
        if same {
            return;
        }
        self.leaving = Leaving::default();
        if let Some(order) = &order {
            self.owner.name.clone_from(&order.release.name);
            let old = std::mem::take(&mut self.parts);
            let applications = order.release.applications.iter();
            self.parts = applications.filter_map(|a| Part::new(a, &order.blobs)).collect();
            for part in &mut self.parts {
                if let Some(before) = old.iter().find(|o| o.name == part.name) {
                    part.inherit(before);
                }
            }
            self.bound();
        }
        self.order = order;
    }

    fn bound(&mut self) {
        let count: usize = self.parts.iter().map(|p| p.objects.len()).sum();
        if count > MAX_OBJECTS {
            let message =
                format!("the release has {count} objects; the limit is {MAX_OBJECTS}: split the package");
            self.parts.iter_mut().for_each(|p| p.refuse("TooLarge", message.clone()));
        }
    }

    /// Brings the cluster nearer to the order.
    pub(crate) async fn pass(&mut self, around: &mut Around, now: Instant) -> Result<(), Away> {
        self.wake = None;
        let Some(order) = self.order.clone() else { return Ok(()) };
        self.place(around, now).await?;
        self.refuse_doubles();
        let whole = self.inventory.revision == Some(order.release.revision);
        let mut gate: Option<String> = None;
        for at in 0..self.parts.len() {
            let Some(part) = self.parts.get_mut(at) else { break };
            if let Some(first) = gate.as_ref().filter(|_| part.begun.is_none() && !whole) {
                part.wait(format!("begins when {first} is ready"));
                continue;
            }
            part.begin(now);
            self.advance(around, (at, &order), now).await?;
            self.observe(around, at, now).await?;
            if let Some(part) = self.parts.get(at).filter(|p| p.told.phase != Phase::Ready) {
                gate.get_or_insert(part.name.clone());
            }
        }
        self.finish(around, &order, now).await
    }

    /// Finds out where each object goes.
    async fn place(&mut self, around: &mut Around, now: Instant) -> Result<(), Away> {
        let definitions: Vec<_> = self.parts.iter().flat_map(|p| p.objects.iter().cloned()).collect();
        for part in self.parts.iter_mut().filter(|p| !p.is_refused() && p.is_due(now)) {
            if part.is_placed() {
                continue;
            }
            let mut spots = Vec::new();
            part.lacking = None;
            for object in &part.objects {
                let (resource, scope) = match around.kinds.resolve(&around.cluster, &object.gvk).await {
                    Ok(resource) => (Some(resource.clone()), resource.scope),
                    Err(error) => match scope_in(&definitions, &object.gvk) {
                        Some(scope) => (None, scope),
                        None => {
                            part.lacking = Some(unknown_kind(error)?);
                            continue;
                        }
                    },
                };
                let own = object.namespace.as_deref().unwrap_or(&part.namespace);
                let namespace = if scope == Scope::Cluster { "" } else { own };
                let key = Key::new(&object.gvk, namespace, &object.name);
                spots.push(Spot { key, stage: Stage::of(&object.gvk), resource, object: Arc::clone(object) });
            }
            part.spots = spots;
        }
        Ok(())
    }

    /// One object in two applications would be fought over.
    fn refuse_doubles(&mut self) {
        let mut seen: BTreeMap<Key, String> = BTreeMap::new();
        for part in &mut self.parts {
            let mut double = None;
            for spot in &part.spots {
                if let Some(other) = seen.insert(spot.key.clone(), part.name.clone()) {
                    double = Some(format!(
                        "{} is in {other} and in {}; leave it in one of them",
                        spot.key, part.name
                    ));
                }
            }
            if let Some(message) = double {
                part.refuse("DuplicateObject", message);
            }
        }
    }

    /// Applies what an application lacks, stage after stage.
    async fn advance(
        &mut self,
        around: &mut Around,
        (at, order): (usize, &Order),
        now: Instant,
    ) -> Result<(), Away> {
        let Some(part) = self.parts.get_mut(at).filter(|p| !p.is_refused()) else { return Ok(()) };
        let due = part.is_due(now);
        let spots = part.spots.clone();
        let stages: BTreeSet<Stage> = spots.iter().map(|s| s.stage).collect();
        part.held = None;
        for stage in stages {
            let mut todo = self.todo(around, (&spots, stage), order, now);
            todo.retain(|(_, cause)| due || *cause == Cause::Drift);
            let trouble =
                if todo.is_empty() { None } else { self.bring(around, (at, todo), order, now).await? };
            let held = self.held(around, (&spots, stage));
            let Some(part) = self.parts.get_mut(at) else { return Ok(()) };
            part.held = held;
            if let Some(trouble) = trouble {
                part.failed(trouble, now);
                return Ok(());
            }
            if part.held.is_some() {
                return Ok(());
            }
        }
        let Some(part) = self.parts.get_mut(at).filter(|_| due) else { return Ok(()) };
        match part.lacking.clone() {
            Some(lacking) => part.failed(lacking, now),
            None => part.applied(),
        }
        Ok(())
    }

    /// Brings objects of one stage into the cluster, after what has to be there before.
    async fn bring(
        &mut self,
        around: &mut Around,
        (at, todo): (usize, Vec<(Spot, Cause)>),
        order: &Order,
        now: Instant,
    ) -> Result<Option<Trouble>, Away> {
        if let Some(trouble) = told_of("its inventory", self.announce(around).await)? {
            return Ok(Some(trouble));
        }
        if let Some(trouble) = told_of("its namespace", self.ensure_namespace(around, at).await)? {
            return Ok(Some(trouble));
        }
        Ok(first_of(self.send(around, todo, order, now).await?))
    }

    /// What of a stage was never applied, is another now, or was changed by others.
    fn todo(
        &mut self,
        around: &Around,
        (spots, stage): (&[Spot], Stage),
        order: &Order,
        now: Instant,
    ) -> Vec<(Spot, Cause)> {
        let mut out = Vec::new();
        for spot in spots.iter().filter(|s| s.stage == stage && s.resource.is_some()) {
            let cause = match self.set.get(&spot.key) {
                None if self.was_applied(&spot.key, order) => Some(Cause::Again),
                None => Some(Cause::New),
                Some(set) if set.source != source(&spot.object, order.secrets.as_deref()) => {
                    // Without values nothing can be said about it.
                    (!spot.object.secret || order.secrets.is_some()).then_some(Cause::New)
                }
                Some(set) => drifted(around, &spot.key, set).then_some(Cause::Drift),
            };
            let Some(cause) = cause else { continue };
            if cause == Cause::Drift && !self.may_correct(&spot.key, now) {
                continue;
            }
            out.push((spot.clone(), cause));
        }
        out
    }

    /// By this very order, before the agent began.
    fn was_applied(&self, key: &Key, order: &Order) -> bool {
        self.inventory.revision == Some(order.release.revision)
            && self.inventory.find(key).is_some_and(|e| !e.uid.is_empty())
    }

    /// Someone who changes an object again and again is answered ever more slowly: at most once a minute.
    fn may_correct(&mut self, key: &Key, now: Instant) -> bool {
        let Some(set) = self.set.get_mut(key) else { return true };
        let since = set.last.map_or(PEACE, |last| now.duration_since(last));
        if since >= PEACE {
            set.corrections = 0;
        }
        let power = set.corrections.saturating_sub(AT_FIRST).min(6);
        let pause =
            Duration::from_secs(if set.corrections < AT_FIRST { 0 } else { 2_u64.saturating_pow(power) });
        if since >= pause.min(Duration::from_secs(60)) {
            return true;
        }
        let due = now.checked_add(pause.saturating_sub(since));
        self.wake = [self.wake, due].into_iter().flatten().min();
        false
    }

    /// Sends objects, some at a time, and notes what came of it.
    async fn send(
        &mut self,
        around: &mut Around,
        todo: Vec<(Spot, Cause)>,
        order: &Order,
        now: Instant,
    ) -> Result<Vec<Trouble>, Away> {
        let sender = Sender {
            cluster: &around.cluster,
            mirror: &around.mirror,
            owner: &self.owner,
            values: order.secrets.as_deref(),
        };
        let uids: Vec<String> = todo.iter().map(|(spot, _)| self.uid(&spot.key)).collect();
        let work = todo.into_iter().zip(uids).map(|((spot, cause), uid)| async move {
            let result = sender.put((&spot, cause), &uid).await;
            (spot, cause, result)
        });
        let done: Vec<_> = stream::iter(work).buffer_unordered(AT_ONCE).collect().await;
        let mut troubles = Vec::new();
        for (spot, cause, result) in done {
            match result {
                Ok(put) => self.note((&spot, cause), put, order, now),
                Err(PutError::Away(error)) => return Err(Away(error)),
                Err(error) => {
                    if let PutError::Refused { refusal, .. } = &error
                        && refusal.code == 404
                    {
                        around.kinds.forget(&spot.object.gvk);
                    }
                    troubles.push(trouble(&spot.key, &error));
                }
            }
        }
        Ok(troubles)
    }

    fn uid(&self, key: &Key) -> String {
        let known = self.set.get(key).map(|s| s.uid.clone());
        known.or_else(|| self.inventory.find(key).map(|e| e.uid.clone())).unwrap_or_default()
    }

    fn note(&mut self, (spot, cause): (&Spot, Cause), put: Put, order: &Order, now: Instant) {
        let old = self.set.get(&spot.key);
        let mut set = Set {
            source: source(&spot.object, order.secrets.as_deref()),
            trace: put.trace,
            uid: put.uid,
            corrections: old.map_or(0, |s| s.corrections),
            last: old.and_then(|s| s.last),
        };
        if cause != Cause::New && put.changed {
            self.corrected = self.corrected.saturating_add(1);
            set.corrections = set.corrections.saturating_add(1);
            set.last = Some(now);
            tracing::info!(object = %spot.key, deployment = %self.owner.name, "put right what others changed");
        }
        self.set.insert(spot.key.clone(), set);
    }

    /// Writes down what is going to be made, before it is.
    async fn announce(&mut self, around: &Around) -> Result<(), CallError> {
        let wanted: Vec<Entry> = self.parts.iter().enumerate().flat_map(|(at, p)| p.entries(at)).collect();
        let mut next = self.inventory.announcing(&wanted);
        next.name.clone_from(&self.owner.name);
        if next != self.inventory {
            store::write(&around.cluster, &next).await?;
            self.inventory = next;
        }
        Ok(())
    }

    async fn ensure_namespace(&self, around: &Around, at: usize) -> Result<(), CallError> {
        let Some(part) = self.parts.get(at) else { return Ok(()) };
        let uses = |s: &Spot| s.key.namespace == part.namespace && s.resource.is_some();
        let own = |s: &&Spot| s.key.kind == "Namespace" && s.key.name == part.namespace;
        let brought = self.parts.iter().flat_map(|p| &p.spots).any(|s| own(&s));
        if brought || !part.spots.iter().any(uses) {
            return Ok(());
        }
        store::ensure_namespace(&around.cluster, &part.namespace).await
    }

    /// Definitions and namespaces that do not serve yet: nothing after them can be sent.
    fn held(&self, around: &Around, (spots, stage): (&[Spot], Stage)) -> Option<String> {
        if stage != Stage::Foundation {
            return None;
        }
        spots.iter().filter(|s| s.stage == stage).find_map(|spot| {
            let live = around.mirror.get(&spot.key)?;
            let health =
                crate::health::appraise(&spot.object.gvk, &live.value, &crate::health::Around::default());
            (health.state != State::Ready).then(|| format!("{}: {}", spot.key, health.message))
        })
    }

    /// Looks at the objects of an application.
    async fn observe(&mut self, around: &Around, at: usize, now: Instant) -> Result<(), Away> {
        let Some(part) = self.parts.get(at) else { return Ok(()) };
        let (spots, was) = (part.spots.clone(), part.was);
        let mut seen = Vec::new();
        for spot in &spots {
            seen.push(self.look(around, spot, was).await?);
        }
        if let Some(part) = self.parts.get_mut(at) {
            part.tell(seen, now);
        }
        Ok(())
    }

    async fn look(
        &mut self,
        around: &Around,
        spot: &Spot,
        was: Before,
    ) -> Result<(State, WorkloadObserved), Away> {
        let workload = |state: State, message: String, restarts| {
            let told = WorkloadObserved {
                kind: spot.key.kind.clone(),
                namespace: spot.key.namespace.clone(),
                name: spot.key.name.clone(),
                phase: state.phase(was),
                message,
                restarts,
            };
            (state, told)
        };
        let Some(live) = around.mirror.get(&spot.key) else {
            return Ok(workload(State::Progressing, "not in the cluster".into(), 0));
        };
        let look = self.looks.at(&around.cluster, (&spot.object.gvk, &spot.key), &live).await;
        match look {
            Ok(look) => {
                let fought = self.fought(&spot.key, live.writer.as_deref());
                let message = fought.unwrap_or(look.health.message);
                Ok(workload(look.health.state, message, look.restarts))
            }
            Err(error) if error.is_away() => Err(Away(error)),
            Err(error) => Ok(workload(State::Progressing, format!("it cannot be looked at: {error}"), 0)),
        }
    }

    /// Who changes it again and again.
    fn fought(&self, key: &Key, writer: Option<&str>) -> Option<String> {
        let set = self.set.get(key).filter(|s| s.corrections >= AT_FIRST)?;
        let who = writer.unwrap_or("somebody");
        Some(format!(
            "{who} has changed it {} times; it is put right once a minute: change the package instead",
            set.corrections
        ))
    }

    /// When all of it is applied: the inventory, and what is no longer wanted.
    async fn finish(&mut self, around: &mut Around, order: &Order, now: Instant) -> Result<(), Away> {
        if !self.parts.iter().all(Part::is_applied) {
            return Ok(());
        }
        let wanted: BTreeSet<Key> =
            self.parts.iter().flat_map(|p| p.spots.iter().map(|s| s.key.clone())).collect();
        let obsolete = self.inventory.obsolete(&wanted);
        let left = if obsolete.is_empty() {
            Vec::new()
        } else {
            withdraw::all(around, &self.owner, obsolete).await?
        };
        let mut next = Inventory::new(self.owner.deployment, &self.owner.name);
        next.revision = Some(order.release.revision);
        next.entries = self.parts.iter().enumerate().flat_map(|(at, p)| p.entries(at)).collect();
        for entry in &mut next.entries {
            entry.uid = entry.key().map(|k| self.uid(&k)).unwrap_or_default();
        }
        next.entries.extend(left.iter().map(|l| l.entry.clone()));
        if next != self.inventory {
            let written = store::write(&around.cluster, &next).await;
            match (told_of("its inventory", written)?, self.parts.first_mut()) {
                (Some(trouble), Some(part)) => part.failed(trouble, now),
                _ => self.inventory = next,
            }
        }
        self.set.retain(|key, _| wanted.contains(key));
        self.leaving.note(left, now);
        Ok(())
    }

    /// Kinds that have to be watched for it.
    pub(crate) fn resources(&self) -> impl Iterator<Item = &Resource> {
        self.parts.iter().flat_map(|p| p.spots.iter().filter_map(|s| s.resource.as_ref()))
    }

    /// When it wants to be looked at.
    pub(crate) fn next_wake(&self, now: Instant) -> Option<Instant> {
        let tries = self.parts.iter().filter_map(Part::next_try);
        let unready = self.parts.iter().any(|p| p.told.phase != Phase::Ready) || self.leaving.is_busy();
        let soon = if unready { now.checked_add(Duration::from_secs(2)) } else { None };
        tries.chain(self.wake).chain(soon).min()
    }

    /// How it is.
    pub(crate) fn told(&self) -> ReleaseObserved {
        let revision = self.order.as_ref().map(|o| o.release.revision).or(self.inventory.revision);
        let worst = self.parts.iter().max_by_key(|p| rank(p.told.phase));
        let mut out = ReleaseObserved {
            deployment: self.owner.deployment,
            revision: revision.unwrap_or(Digest([0; 32])),
            phase: Phase::Ready,
            reason: "Ready".into(),
            message: String::new(),
            corrected: self.corrected,
            applications: self.parts.iter().map(|p| p.told.clone()).collect(),
        };
        if let Some(part) = worst.filter(|p| p.told.phase != Phase::Ready) {
            out.phase = part.told.phase;
            out.reason.clone_from(&part.told.reason);
            out.message = format!("{}: {}", part.name, part.told.message);
        }
        self.leaving.tell(&mut out, self.order.is_some());
        out
    }
}

/// The worst of a release.
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

fn scope_in(definitions: &[Arc<crate::manifest::Object>], gvk: &Gvk) -> Option<Scope> {
    definitions.iter().find_map(|d| scope_by_definition(&d.value, gvk))
}

/// What the release is told when something of its own could not be written.
fn told_of(what: &str, result: Result<(), CallError>) -> Result<Option<Trouble>, Away> {
    match result {
        Ok(()) => Ok(None),
        Err(error) if error.is_away() => Err(Away(error)),
        Err(error) => {
            let passes = error.refusal().is_some_and(Refusal::passes);
            let kind = if passes { TroubleKind::Passing } else { TroubleKind::Lasting };
            Ok(Some(Trouble {
                reason: "Refused",
                message: format!("{what} could not be written: {error}"),
                kind,
            }))
        }
    }
}

fn unknown_kind(error: KindError) -> Result<Trouble, Away> {
    match error {
        KindError::Ask { source, .. } if source.is_away() => Err(Away(source)),
        KindError::Ask { ref source, .. } => {
            let message = format!("{error}: {source}");
            Ok(Trouble { reason: "Refused", message, kind: TroubleKind::Passing })
        }
        KindError::Unknown { .. } => {
            Ok(Trouble { reason: "KindUnknown", message: error.to_string(), kind: TroubleKind::Lasting })
        }
    }
}

fn drifted(around: &Around, key: &Key, set: &Set) -> bool {
    match around.mirror.get(key) {
        Some(live) => Trace::of(&live) != set.trace,
        None => around.mirror.knows(key),
    }
}

fn trouble(key: &Key, error: &PutError) -> Trouble {
    let kind = if error.lasts() { TroubleKind::Lasting } else { TroubleKind::Passing };
    Trouble { reason: error.reason(), message: format!("{key}: {error}"), kind }
}

/// The one that somebody has to do something about, and how many there are.
fn first_of(mut troubles: Vec<Trouble>) -> Option<Trouble> {
    troubles.sort_by_key(|t| t.kind == TroubleKind::Passing);
    let more = troubles.len().saturating_sub(1);
    let mut first = troubles.into_iter().next()?;
    if more > 0 {
        first.message = format!("{} (and {more} more)", first.message);
    }
    Some(first)
}
