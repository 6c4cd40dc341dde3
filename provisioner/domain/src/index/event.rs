//! What a watcher is told: a resource before and after a change, with the labels that it inherited then.

use std::{collections::HashMap, sync::Arc};

use super::Index;
use crate::model::{Labels, Object, Uid};

/// A resource as it was at one moment.
#[derive(Debug, Clone)]
pub struct Seen {
    /// It.
    pub object: Arc<Object>,
    /// Labels given by the nodes above; its own hide them. Empty for what is no node.
    pub inherited: Arc<Labels>,
    /// The nodes above, the nearest first: for asking who may see it.
    pub above: Arc<[Uid]>,
}

/// One change. Where `before` and `after` hold the very same object, only what it inherits changed.
#[derive(Debug, Clone)]
pub struct Event {
    /// The resource version of the change.
    pub revision: i64,
    /// `None`: it is new, or (after a restart) nobody remembers.
    pub before: Option<Seen>,
    /// `None`: it is gone.
    pub after: Option<Seen>,
}

impl Seen {
    /// The effective value of a label.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.object.metadata.labels.get(key).or_else(|| self.inherited.get(key)).map(String::as_str)
    }
}

impl Event {
    /// Of what it tells.
    pub fn object(&self) -> Option<&Arc<Object>> {
        self.after.as_ref().or(self.before.as_ref()).map(|s| &s.object)
    }

    /// Whether the object itself is the same, and only what lies above it changed.
    pub fn is_inherited(&self) -> bool {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => Arc::ptr_eq(&before.object, &after.object),
            _ => false,
        }
    }
}

/// Hosts that a change of a node will touch, each with what it inherits before.
pub(super) type Below = Vec<Seen>;

impl Index {
    /// A resource with what it inherits.
    pub fn seen(&self, uid: Uid) -> Option<Seen> {
        self.seen_sharing(uid, &mut HashMap::new())
    }

    fn seen_sharing(&self, uid: Uid, shared: &mut HashMap<Uid, (Arc<Labels>, Arc<[Uid]>)>) -> Option<Seen> {
        let entry = self.entries.get(&uid)?;
        let object = Arc::clone(&entry.object);
        let Some(parent) = entry.parent else {
            return Some(Seen { object, inherited: Arc::default(), above: Arc::from([]) });
        };
        let (inherited, above) = shared.entry(parent).or_insert_with(|| {
            let above = self.upwards(Some(parent)).map(|o| o.metadata.uid).collect();
            (Arc::new(self.given(Some(parent))), above)
        });
        let inherited = if object.kind().is_node() { Arc::clone(inherited) } else { Arc::default() };
        Some(Seen { object, inherited, above: Arc::clone(above) })
    }

    /// The hosts whose inherited labels or place `next` changes, as they are now.
    pub(super) fn below_if_touched(&self, next: &Object) -> Below {
        let uid = next.metadata.uid;
        let Some(entry) = self.entries.get(&uid) else { return Vec::new() };
        let moved = entry.parent != self.parent_of(next);
        if !moved && entry.object.metadata.labels == next.metadata.labels {
            return Vec::new();
        }
        let hosts = self.hosts_below(uid).into_iter().filter(|host| *host != uid);
        self.all_seen(hosts.collect())
    }

    /// Many with what they inherit.
    pub(super) fn all_seen(&self, uids: Vec<Uid>) -> Below {
        let mut shared = HashMap::new();
        uids.into_iter().filter_map(|uid| self.seen_sharing(uid, &mut shared)).collect()
    }

    /// Events of those hosts, after the change.
    pub(super) fn retold(&self, revision: i64, below: Below) -> Vec<Event> {
        let mut shared = HashMap::new();
        let event = |before: Seen| {
            let after = self.seen_sharing(before.object.metadata.uid, &mut shared);
            Event { revision, before: Some(before), after }
        };
        below.into_iter().map(event).collect()
    }
}
