//! All resources in memory, as a value: names, the tree, lists, effective labels and settings. No I/O and no lock: the
//! store feeds one from its change log and guards it.
//!
//! ```text
//! put / remove -- Applied --> events()  what watchers need: the object before and after, with what each inherited
//! list(Query)                           sorted by namespace and name; selectors see effective labels
//! lineage, effective                    root first; a child's value hides its parent's
//! ```

mod effective;
mod event;
mod field;
mod find;
mod list;

pub use effective::{Effective, Source};
pub use event::{Event, Seen};
pub use field::{FIELDS, field};
pub use find::FindError;
pub use list::{Page, Query};

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use crate::model::{Kind, Namespace, Object, Spec, Uid};

/// All resources. `Default` is empty.
#[derive(Debug, Default)]
pub struct Index {
    entries: HashMap<Uid, Entry>,
    names: BTreeMap<Kind, BTreeMap<Namespace, BTreeMap<String, Uid>>>,
    children: HashMap<Uid, BTreeSet<Uid>>,
    revision: i64,
}

#[derive(Debug)]
struct Entry {
    object: Arc<Object>,
    /// The node that it lies in; `None` directly in the appliance.
    parent: Option<Uid>,
}

impl Index {
    /// The highest resource version that it has seen.
    pub fn revision(&self) -> i64 {
        self.revision
    }

    /// It has seen everything up to here.
    pub fn advance(&mut self, revision: i64) {
        self.revision = self.revision.max(revision);
    }

    /// How many there are of a kind.
    pub fn count(&self, kind: Kind) -> usize {
        self.names.get(&kind).map_or(0, |n| n.values().map(BTreeMap::len).sum())
    }

    /// The resource of this uid.
    pub fn get(&self, uid: Uid) -> Option<&Arc<Object>> {
        self.entries.get(&uid).map(|e| &e.object)
    }

    /// The resource of this kind and name.
    pub fn named(&self, kind: Kind, namespace: &Namespace, name: &str) -> Option<&Arc<Object>> {
        self.get(*self.names.get(&kind)?.get(namespace)?.get(name)?)
    }

    /// All of a kind that live in exactly this namespace, by name.
    pub fn in_namespace(&self, kind: Kind, namespace: &Namespace) -> impl Iterator<Item = &Arc<Object>> {
        let names = self.names.get(&kind).and_then(|n| n.get(namespace));
        names.into_iter().flat_map(BTreeMap::values).filter_map(|uid| self.get(*uid))
    }

    /// All of a kind, by namespace and name.
    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Arc<Object>> {
        let names = self.names.get(&kind);
        names
            .into_iter()
            .flat_map(BTreeMap::values)
            .flat_map(BTreeMap::values)
            .filter_map(|uid| self.get(*uid))
    }

    /// The node of a namespace; `None` of the appliance, and when it is gone.
    pub fn node_of(&self, namespace: &Namespace) -> Option<&Arc<Object>> {
        match namespace {
            Namespace::Appliance => None,
            Namespace::Organisation(name) => self.named(Kind::Organisation, &Namespace::Appliance, name),
            Namespace::Project { organisation, project } => {
                self.named(Kind::Project, &Namespace::Organisation(organisation.clone()), project)
            }
        }
    }

    /// The node that a resource lies in.
    pub fn parent(&self, uid: Uid) -> Option<&Arc<Object>> {
        self.get(self.entries.get(&uid)?.parent?)
    }

    /// From the organisation down to the resource itself. Empty when there is none of this uid.
    pub fn lineage(&self, uid: Uid) -> Vec<&Arc<Object>> {
        let mut line: Vec<_> = self.upwards(Some(uid)).collect();
        line.reverse();
        line
    }

    /// The resource and then its ancestors, the nearest first. Ends even if the store should hold a cycle.
    pub(crate) fn upwards(&self, from: Option<Uid>) -> impl Iterator<Item = &Arc<Object>> {
        let mut next = from;
        let mut left = self.entries.len();
        std::iter::from_fn(move || {
            left = left.checked_sub(1)?;
            let entry = self.entries.get(&next?)?;
            next = entry.parent;
            Some(&entry.object)
        })
    }

    /// What lies directly below: nodes, and what else lives in a namespace.
    pub fn children(&self, uid: Uid) -> impl Iterator<Item = &Arc<Object>> {
        self.children.get(&uid).into_iter().flatten().filter_map(|uid| self.get(*uid))
    }

    /// All hosts at or below a node.
    pub fn hosts_below(&self, uid: Uid) -> Vec<Uid> {
        let mut hosts = Vec::new();
        let (mut open, mut left) = (vec![uid], self.entries.len());
        while let Some(uid) = open.pop() {
            let Some(rest) = left.checked_sub(1) else { break };
            left = rest;
            if self.get(uid).is_some_and(|o| o.kind() == Kind::Host) {
                hosts.push(uid);
            }
            open.extend(self.children.get(&uid).into_iter().flatten());
        }
        hosts
    }

    /// All resources at once, in any order: for a start.
    pub fn load(objects: impl IntoIterator<Item = Object>, revision: i64) -> Self {
        let mut index = Self { revision, ..Self::default() };
        for object in objects {
            let uid = object.metadata.uid;
            index.link(uid, None, &object);
            index.entries.insert(uid, Entry { object: Arc::new(object), parent: None });
        }
        let uids: Vec<Uid> = index.entries.keys().copied().collect();
        for uid in uids {
            let parent = index.get(uid).and_then(|object| index.parent_of(object));
            if let (Some(parent), Some(entry)) = (parent, index.entries.get_mut(&uid)) {
                entry.parent = Some(parent);
                index.children.entry(parent).or_default().insert(uid);
            }
        }
        index
    }

    /// Puts a resource in, or in the place of the one with its uid. Gives what watchers are told: one event for it, and
    /// one for each host below whose inherited labels changed by it.
    pub fn put(&mut self, object: Object) -> Vec<Event> {
        let object = Arc::new(object);
        let uid = object.metadata.uid;
        let revision = object.metadata.resource_version;
        let mut below = self.below_if_touched(&object);
        let before = self.take(uid);
        let parent = self.parent_of(&object);
        self.link(uid, parent, &object);
        self.entries.insert(uid, Entry { object: Arc::clone(&object), parent });
        if before.is_none() {
            below.extend(self.adopt(&object));
        }
        self.advance(revision);
        let mut events = vec![Event { revision, before, after: self.seen(uid) }];
        events.extend(self.retold(revision, below));
        events
    }

    /// Takes in what came before the node that it names: of changes that are read in one go only the last of each resource
    /// is applied, so a child can be earlier than its parent. Gives the hosts below, as they were.
    fn adopt(&mut self, node: &Object) -> Vec<Seen> {
        let moved: Vec<(Uid, Option<Uid>, Uid)> = self.waiting(node);
        let hosts = moved.iter().flat_map(|(uid, ..)| self.hosts_below(*uid));
        let below = self.all_seen(hosts.collect());
        for (uid, from, to) in moved {
            self.unlink(uid, from);
            self.children.entry(to).or_default().insert(uid);
            if let Some(entry) = self.entries.get_mut(&uid) {
                entry.parent = Some(to);
            }
        }
        below
    }

    /// Each with the parent that it has and the one that it should have, now that `node` is there.
    fn waiting(&self, node: &Object) -> Vec<(Uid, Option<Uid>, Uid)> {
        let metadata = &node.metadata;
        let space = match node.kind() {
            Kind::Organisation => Namespace::Organisation(metadata.name.clone()),
            Kind::Project => match &metadata.namespace {
                Namespace::Organisation(organisation) => Namespace::project(&metadata.name, organisation),
                Namespace::Appliance | Namespace::Project { .. } => return Vec::new(),
            },
            Kind::Region | Kind::Site => metadata.namespace.clone(),
            _ => return Vec::new(),
        };
        // What names a region or site that is missing lies directly in the project, where little else does.
        let candidates: Vec<Uid> = match self.node_of(&space).filter(|o| o.metadata.uid != metadata.uid) {
            Some(space) => self.children.get(&space.metadata.uid).into_iter().flatten().copied().collect(),
            None => {
                let spaces = self.names.values().filter_map(|spaces| spaces.get(&space));
                spaces.flat_map(BTreeMap::values).copied().collect()
            }
        };
        let move_of = |uid: Uid| {
            let entry = self.entries.get(&uid)?;
            let to = self.parent_of(&entry.object)?;
            (entry.parent != Some(to)).then_some((uid, entry.parent, to))
        };
        candidates.into_iter().filter_map(move_of).collect()
    }

    /// Takes a resource out; `None` when there is none.
    pub fn remove(&mut self, uid: Uid, revision: i64) -> Option<Event> {
        let before = self.take(uid);
        self.advance(revision);
        before.map(|before| Event { revision, before: Some(before), after: None })
    }

    /// Unlinks; the children keep pointing at it, since it is about to come back or had none.
    fn take(&mut self, uid: Uid) -> Option<Seen> {
        let seen = self.seen(uid)?;
        let entry = self.entries.remove(&uid)?;
        let metadata = &entry.object.metadata;
        if let Some(spaces) = self.names.get_mut(&entry.object.kind())
            && let Some(names) = spaces.get_mut(&metadata.namespace)
        {
            // Another may have taken the name already: changes of one transaction arrive in any order.
            if names.get(&metadata.name) == Some(&uid) {
                names.remove(&metadata.name);
            }
            if names.is_empty() {
                spaces.remove(&metadata.namespace);
            }
        }
        self.unlink(uid, entry.parent);
        Some(seen)
    }

    fn unlink(&mut self, uid: Uid, parent: Option<Uid>) {
        if let Some(parent) = parent
            && let Some(children) = self.children.get_mut(&parent)
        {
            children.remove(&uid);
            if children.is_empty() {
                self.children.remove(&parent);
            }
        }
    }

    fn link(&mut self, uid: Uid, parent: Option<Uid>, object: &Object) {
        let metadata = &object.metadata;
        let spaces = self.names.entry(object.kind()).or_default();
        spaces.entry(metadata.namespace.clone()).or_default().insert(metadata.name.clone(), uid);
        if let Some(parent) = parent {
            self.children.entry(parent).or_default().insert(uid);
        }
    }

    /// Where a resource lies by what its spec says; in its namespace's node where that names nothing that exists.
    pub(crate) fn parent_of(&self, object: &Object) -> Option<Uid> {
        let namespace = &object.metadata.namespace;
        let named = match &object.spec {
            Spec::Region(spec) => spec.parent.as_deref().map(|name| (Kind::Region, name)),
            Spec::Site(spec) => spec.region.as_deref().map(|name| (Kind::Region, name)),
            Spec::Host(spec) => spec.site.as_deref().map(|name| (Kind::Site, name)),
            Spec::Organisation(_)
            | Spec::Project(_)
            | Spec::Policy(_)
            | Spec::OsImage(_)
            | Spec::FirmwareProfile(_)
            | Spec::ClaimRule(_)
            | Spec::User(_)
            | Spec::Role(_)
            | Spec::RoleBinding(_)
            | Spec::Token(_)
            | Spec::Distribution(_)
            | Spec::ClusterTemplate(_)
            | Spec::Cluster(_)
            | Spec::Package(_)
            | Spec::Deployment(_)
            | Spec::Secret(_) => None,
        };
        let found = named.and_then(|(kind, name)| self.named(kind, namespace, name));
        found.or_else(|| self.node_of(namespace)).map(|o| o.metadata.uid)
    }
}
