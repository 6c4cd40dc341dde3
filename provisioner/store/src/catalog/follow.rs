//! The follower: the one who changes the index, by reading the log of changes.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use cairn_domain::{
    index::{Event, Index, Seen},
    model::{Kind, Object, Spec, Uid},
};
use tokio_util::sync::CancellationToken;

use super::{Catalog, Ring};
use crate::{Changed, ReadError, Store};

/// Changes that are applied at a time.
const AT_ONCE: u32 = 512;
/// Changes that are remembered for watchers over a restart.
const REMEMBERED: i64 = 8192;
/// The database failed: it is asked again after this.
const AGAIN: Duration = Duration::from_millis(200);

impl Catalog {
    /// Applies changes as they are committed, until `stop`.
    pub async fn follow(&self, stop: CancellationToken) {
        let mut commits = self.0.store.revisions();
        loop {
            commits.mark_unchanged();
            let wait = match self.catch_up().await {
                // The store's own errors are its writers' to tell.
                Err(_) => AGAIN,
                Ok(()) => Duration::MAX,
            };
            tokio::select! {
                () = stop.cancelled() => return,
                heard = commits.changed() => if heard.is_err() { return },
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Applies what is committed now.
    pub(super) async fn catch_up(&self) -> Result<(), ReadError> {
        loop {
            let last = self.index().revision();
            let changes = self.0.store.changes_after(last, AT_ONCE).await?;
            let Some(first) = changes.first() else { return Ok(()) };
            // Numbers can be left out, but not many: then ask whether what is between was cut off.
            if first.revision > last.saturating_add(1) && self.0.store.oldest_revision().await? > last {
                self.reload().await?;
                continue;
            }
            let objects = load(&self.0.store, &changes).await?;
            self.apply(changes, objects);
        }
    }

    fn apply(&self, changes: Vec<Changed>, mut objects: HashMap<Uid, Object>) {
        let mut index = self.index_mut();
        let mut ring = self.ring_mut();
        for change in changes {
            let revision = change.revision;
            if change.deleted.is_some() {
                index.remove(change.uid, revision).into_iter().for_each(|event| ring.push(event));
            } else if let Some(object) = take_if(&mut objects, change.uid, revision) {
                index.put(object).into_iter().for_each(|event| ring.push(event));
            }
            // Else there is a later change of it, which will tell.
            index.advance(revision);
        }
        let revision = index.revision();
        drop((index, ring));
        self.0.revisions.send_replace(revision);
    }

    /// So far behind that changes are gone: everything anew, and watchers list again.
    async fn reload(&self) -> Result<(), ReadError> {
        let (objects, revision) = self.0.store.all_objects().await?;
        let fresh = Index::load(objects, revision);
        let mut index = self.index_mut();
        let mut ring = self.ring_mut();
        *index = fresh;
        ring.restart(revision);
        drop((index, ring));
        self.0.revisions.send_replace(revision);
        Ok(())
    }
}

/// A resource, if it is as that revision made it.
fn take_if(objects: &mut HashMap<Uid, Object>, uid: Uid, revision: i64) -> Option<Object> {
    let is_it = objects.get(&uid).is_some_and(|object| object.metadata.resource_version == revision);
    if is_it { objects.remove(&uid) } else { None }
}

async fn load(store: &Store, changes: &[Changed]) -> Result<HashMap<Uid, Object>, ReadError> {
    let put = changes.iter().filter(|c| c.deleted.is_none()).map(|c| (c.uid, c.kind));
    // A resource that changed twice is read once.
    let uids: Vec<(Kind, Uid)> =
        put.collect::<BTreeMap<_, _>>().into_iter().map(|(uid, kind)| (kind, uid)).collect();
    let objects = store.objects(&uids).await?;
    Ok(objects.into_iter().map(|object| (object.metadata.uid, object)).collect())
}

/// The newest changes as events whose `before` nobody remembers.
pub(super) async fn remembered(store: &Store, index: &Index) -> Result<Ring, ReadError> {
    let revision = index.revision();
    let floor = store.oldest_revision().await?.max(revision.saturating_sub(REMEMBERED));
    let mut ring = Ring::new(floor);
    let mut after = floor;
    while after < revision {
        let changes = store.changes_after(after, AT_ONCE).await?;
        let Some(last) = changes.last() else { break };
        after = last.revision;
        for change in changes.into_iter().filter(|c| c.revision <= revision) {
            event(index, change).into_iter().for_each(|event| ring.push(event));
        }
    }
    Ok(ring)
}

fn event(index: &Index, change: Changed) -> Option<Event> {
    let revision = change.revision;
    match change.deleted {
        Some(object) => {
            let before = Some(gone(index, *object));
            Some(Event { revision, before, after: None })
        }
        None => {
            let after = index.seen(change.uid)?;
            let is_it = after.object.metadata.resource_version == revision;
            is_it.then_some(Event { revision, before: None, after: Some(after) })
        }
    }
}

/// A deleted resource, with the nodes above it as far as they still exist.
fn gone(index: &Index, object: Object) -> Seen {
    let namespace = &object.metadata.namespace;
    let named = match &object.spec {
        Spec::Region(spec) => spec.parent.as_deref().map(|name| (Kind::Region, name)),
        Spec::Site(spec) => spec.region.as_deref().map(|name| (Kind::Region, name)),
        Spec::Host(spec) => spec.site.as_deref().map(|name| (Kind::Site, name)),
        _ => None,
    };
    let parent = named.and_then(|(kind, name)| index.named(kind, namespace, name));
    let parent = parent.or_else(|| index.node_of(namespace)).map(|parent| parent.metadata.uid);
    let lineage = parent.map(|uid| index.lineage(uid)).unwrap_or_default();
    let above: Vec<Uid> = lineage.iter().rev().map(|node| node.metadata.uid).collect();
    Seen { object: Arc::new(object), inherited: Arc::default(), above: above.into() }
}
