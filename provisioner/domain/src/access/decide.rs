//! The decision about one thing, and about one write.

use std::{cell::RefCell, collections::HashMap};

use serde_json::Value;

use super::{Excess, Grants, Rights, give, grants::shown, rights::word};
use crate::{
    admit::{no_node, no_space},
    index::{Index, Seen},
    model::{Kind, Namespace, Object, Uid, Verb},
};

/// Where something is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// To this resource.
    Of(Uid),
    /// Something is made in this namespace.
    In(&'a Namespace),
    /// Something is made in this node.
    Under(Uid),
}

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Do it.
    Allowed,
    /// Say that there is no such thing (404).
    Hidden,
    /// Say that the right is missing (403).
    Forbidden,
}

impl Decision {
    /// Whether it may be done.
    pub fn is_allowed(self) -> bool {
        self == Self::Allowed
    }
}

/// Why a write is denied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// It must look as if the resource, or the namespace for a new one, did not exist (404).
    #[error("there is no such resource")]
    Hidden,
    /// The same of the place that the resource is to be put in: in the words of [`crate::admit`] for one that is missing.
    #[error("{0}")]
    NoPlace(String),
    /// A right is missing (403).
    #[error("you need the right `{}` on {kind} at {at}", word(*verb))]
    Forbidden {
        /// Which.
        verb: Verb,
        /// On what.
        kind: Kind,
        /// Where.
        at: String,
    },
    /// It would give somebody a right that the writer has not (403).
    #[error(transparent)]
    Excess(#[from] Excess),
}

/// Where a new resource of `kind` would lie, by what its spec names: for deciding before the spec is read in full.
pub fn place_of_new<'a>(index: &Index, kind: Kind, namespace: &'a Namespace, spec: &Value) -> Place<'a> {
    let (field, parent) = match kind {
        Kind::Region => ("parent", Kind::Region),
        Kind::Site => ("region", Kind::Region),
        Kind::Host => ("site", Kind::Site),
        _ => return Place::In(namespace),
    };
    let name = spec.get(field).and_then(Value::as_str);
    let node = name.and_then(|name| index.named(parent, namespace, name));
    node.map_or(Place::In(namespace), |o| Place::Under(o.metadata.uid))
}

impl Grants {
    /// Whether `verb` may be done on a resource of `kind` at `place`. For many at once see [`Self::over`].
    pub fn decide(&self, index: &Index, verb: Verb, kind: Kind, place: Place<'_>) -> Decision {
        self.over(index).decide(verb, kind, place)
    }

    /// The same, remembering what it worked out: for lists. `index` must be as it was when the grants were made, or a
    /// later one after no event of [`super::changes_grants`].
    pub fn over<'a>(&'a self, index: &'a Index) -> Sight<'a> {
        Sight { grants: self, index, known: RefCell::default() }
    }

    /// Whether `get` is allowed on what an event shows, by what lay above it then.
    pub fn sees(&self, seen: &Seen) -> bool {
        let own = self.at.get(&seen.object.metadata.uid).copied().unwrap_or_default();
        let mut rights = self.everywhere | own;
        for above in seen.above.iter() {
            rights |= self.at.get(above).copied().unwrap_or_default();
        }
        self.reads(rights, &seen.object, seen.above.first().copied())
    }

    /// Whether `get` is allowed on something in the node `parent`, given the rights that hold there.
    fn reads(&self, rights: Rights, object: &Object, parent: Option<Uid>) -> bool {
        let kind = object.kind();
        if rights.has(Verb::Get, kind) {
            return true;
        }
        if acts_downwards(kind) {
            let below = match (parent, &object.metadata.namespace) {
                (Some(node), _) => self.below.get(&node).copied().unwrap_or_default(),
                (None, Namespace::Appliance) => self.anywhere,
                // Its namespace's node is gone: it acts on nothing.
                (None, Namespace::Organisation(_) | Namespace::Project { .. }) => Rights::NONE,
            };
            return below.has(Verb::Get, kind);
        }
        kind.is_node() && self.below.contains_key(&object.metadata.uid)
    }

    /// Whether `before` may become `after`: made where there is no `before`, removed where there is no `after`. Both the
    /// right to write and, for roles, bindings, tokens and users, the right to give. Says nothing about whether it makes
    /// sense ([`crate::admit`]).
    ///
    /// # Errors
    /// [`Denied`], the first reason.
    pub fn may_write(
        &self,
        index: &Index,
        before: Option<&Object>,
        after: Option<&Object>,
    ) -> Result<(), Denied> {
        let sight = self.over(index);
        match (before, after) {
            (None, None) => return Ok(()),
            (None, Some(new)) => sight.may_put(new)?,
            (Some(old), None) => sight.needs(Verb::Delete, old)?,
            (Some(old), Some(new)) => {
                sight.needs(Verb::Update, old)?;
                if index.parent(old.metadata.uid).map(|p| p.metadata.uid) != index.parent_of(new) {
                    sight.may_move(old, new)?;
                }
            }
        }
        after.map_or(Ok(()), |new| give::may_grant(&sight, before, new).map_err(Denied::from))
    }
}

/// [`Grants`] over one index.
#[derive(Debug)]
pub struct Sight<'a> {
    grants: &'a Grants,
    pub(super) index: &'a Index,
    known: RefCell<HashMap<Uid, Rights>>,
}

impl Sight<'_> {
    /// Whether `get` is allowed on a resource of the index.
    pub fn sees(&self, object: &Object) -> bool {
        if self.grants.everywhere.has(Verb::Get, object.kind()) {
            return true;
        }
        self.index.get(object.metadata.uid).is_some() && self.reads(object)
    }

    /// See [`Grants::decide`].
    pub fn decide(&self, verb: Verb, kind: Kind, place: Place<'_>) -> Decision {
        let (allowed, visible) = match place {
            Place::Of(uid) => match self.index.get(uid) {
                Some(object) if object.kind() == kind => {
                    let visible = self.reads(object);
                    let allowed = visible && (verb == Verb::Get || self.rights_on(uid).has(verb, kind));
                    (allowed, visible)
                }
                Some(_) | None => (false, false),
            },
            Place::Under(node) => {
                let Some(node) = self.index.get(node) else { return Decision::Hidden };
                let allowed = self.rights(Some(node.metadata.uid)).has(verb, kind);
                // One that is hidden is as one that does not exist: then the namespace would be the place.
                let visible =
                    self.reads(node) || (!is_space(node) && self.sees_namespace(&node.metadata.namespace));
                (allowed, visible)
            }
            Place::In(namespace) => {
                (self.rights_in(namespace).has(verb, kind), self.sees_namespace(namespace))
            }
        };
        match (allowed, visible) {
            (true, _) => Decision::Allowed,
            (false, true) => Decision::Forbidden,
            (false, false) => Decision::Hidden,
        }
    }

    fn reads(&self, object: &Object) -> bool {
        let uid = object.metadata.uid;
        let parent = self.index.parent(uid).map(|p| p.metadata.uid);
        self.grants.reads(self.rights_on(uid), object, parent)
    }

    /// On a resource: what is granted at it or above. Only nodes are remembered that others lie in.
    fn rights_on(&self, uid: Uid) -> Rights {
        let own = self.grants.at.get(&uid).copied().unwrap_or_default();
        own | self.rights(self.index.parent(uid).map(|p| p.metadata.uid))
    }

    /// Inside of a node; `None`: of the appliance.
    pub(super) fn rights(&self, node: Option<Uid>) -> Rights {
        let Some(uid) = node else { return self.grants.everywhere };
        if let Some(known) = self.known.borrow().get(&uid) {
            return *known;
        }
        let at = |o: &Object| self.grants.at.get(&o.metadata.uid).copied().unwrap_or_default();
        let mut rights = self.grants.everywhere;
        for object in self.index.upwards(node) {
            rights |= at(object);
        }
        self.known.borrow_mut().insert(uid, rights);
        rights
    }

    /// Inside of a namespace, or of the nearest one above that exists: who may write there learns from admission that it
    /// does not exist.
    fn rights_in(&self, namespace: &Namespace) -> Rights {
        let mut space = Some(namespace.clone());
        while let Some(here) = space {
            if let Some(node) = self.index.node_of(&here) {
                return self.rights(Some(node.metadata.uid));
            }
            space = here.parent();
        }
        self.rights(None)
    }

    fn sees_namespace(&self, namespace: &Namespace) -> bool {
        match namespace {
            Namespace::Appliance => true,
            inside => self.index.node_of(inside).is_some_and(|o| self.reads(o)),
        }
    }

    fn needs(&self, verb: Verb, object: &Object) -> Result<(), Denied> {
        let (kind, uid) = (object.kind(), object.metadata.uid);
        match self.decide(verb, kind, Place::Of(uid)) {
            Decision::Allowed => Ok(()),
            Decision::Hidden => Err(Denied::Hidden),
            Decision::Forbidden => {
                let at =
                    if kind.is_node() { Some(uid) } else { self.index.parent(uid).map(|p| p.metadata.uid) };
                Err(Denied::Forbidden { verb, kind, at: shown(self.index, at) })
            }
        }
    }

    fn may_put(&self, new: &Object) -> Result<(), Denied> {
        let namespace = &new.metadata.namespace;
        let space = self.index.node_of(namespace).map(|o| o.metadata.uid);
        let node = space.and_then(|_| self.index.parent_of(new));
        let place = node.map_or(Place::In(namespace), Place::Under);
        match self.decide(Verb::Create, new.kind(), place) {
            Decision::Allowed => Ok(()),
            Decision::Hidden => Err(Denied::Hidden),
            Decision::Forbidden => {
                let seen = node.filter(|uid| self.index.get(*uid).is_some_and(|o| self.reads(o)));
                let at = shown(self.index, seen.or(space));
                Err(Denied::Forbidden { verb: Verb::Create, kind: new.kind(), at })
            }
        }
    }

    /// To another place: it is made there, and a host is taken away from where it was.
    fn may_move(&self, old: &Object, new: &Object) -> Result<(), Denied> {
        if old.kind() == Kind::Host {
            self.needs(Verb::Operate, old)?;
        }
        let namespace = &new.metadata.namespace;
        if !self.sees_namespace(namespace) {
            return Err(Denied::NoPlace(no_space(namespace)));
        }
        let node = self.index.parent_of(new).and_then(|uid| self.index.get(uid));
        match node.filter(|o| !self.reads(o)) {
            Some(hidden) => Err(Denied::NoPlace(no_node(hidden.kind(), &hidden.metadata.name, namespace))),
            None => self.may_put(new),
        }
    }
}

/// Whether others can live in it by their namespace.
fn is_space(node: &Object) -> bool {
    matches!(node.kind(), Kind::Organisation | Kind::Project)
}

/// Kinds that say something about what lies below their namespace.
fn acts_downwards(kind: Kind) -> bool {
    match kind {
        Kind::Policy
        | Kind::OsImage
        | Kind::FirmwareProfile
        | Kind::Role
        | Kind::Distribution
        | Kind::ClusterTemplate
        | Kind::Package => true,
        Kind::Organisation
        | Kind::Project
        | Kind::Region
        | Kind::Site
        | Kind::Host
        | Kind::ClaimRule
        | Kind::User
        | Kind::RoleBinding
        | Kind::Token
        | Kind::Cluster
        | Kind::Deployment
        | Kind::Secret => false,
    }
}
