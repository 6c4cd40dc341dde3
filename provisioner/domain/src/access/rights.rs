//! A set of rights: pairs of verb and kind, as bits.

use std::ops::{BitAnd, BitOr, BitOrAssign};

use crate::model::{Kind, RoleRule, RoleSpec, Verb};

/// All verbs.
pub const VERBS: [Verb; 8] = [
    Verb::Get,
    Verb::Create,
    Verb::Update,
    Verb::Delete,
    Verb::Accept,
    Verb::Operate,
    Verb::Secret,
    Verb::Audit,
];

/// A verb as in JSON and in messages.
pub fn word(verb: Verb) -> &'static str {
    match verb {
        Verb::Get => "get",
        Verb::Create => "create",
        Verb::Update => "update",
        Verb::Delete => "delete",
        Verb::Accept => "accept",
        Verb::Operate => "operate",
        Verb::Secret => "secret",
        Verb::Audit => "audit",
    }
}

/// Which verbs on which kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rights([u32; VERBS.len()]);

impl Rights {
    /// None.
    pub const NONE: Self = Self([0; VERBS.len()]);

    /// All verbs on all kinds.
    pub fn all() -> Self {
        Self::of_rule(&RoleRule { verbs: Vec::new(), kinds: Vec::new() })
    }

    /// What a role allows.
    pub fn of(role: &RoleSpec) -> Self {
        role.rules.iter().map(Self::of_rule).fold(Self::NONE, BitOr::bitor)
    }

    fn of_rule(rule: &RoleRule) -> Self {
        let verbs: &[Verb] = if rule.verbs.is_empty() { &VERBS } else { &rule.verbs };
        let kinds: &[Kind] = if rule.kinds.is_empty() { &Kind::ALL } else { &rule.kinds };
        let pairs = verbs.iter().flat_map(|verb| kinds.iter().map(|kind| Self::one(*verb, *kind)));
        pairs.fold(Self::NONE, BitOr::bitor)
    }

    /// One verb on one kind.
    pub fn one(verb: Verb, kind: Kind) -> Self {
        // A word for each verb, a bit for each kind; there are 19.
        let mut rights = Self::NONE;
        if let Some(word) = rights.0.get_mut(verb as usize) {
            *word = 1 << (kind as u32);
        }
        rights
    }

    /// Whether it holds this one.
    pub fn has(self, verb: Verb, kind: Kind) -> bool {
        self & Self::one(verb, kind) != Self::NONE
    }

    /// Those of it that `other` has not.
    pub fn without(self, other: Self) -> Self {
        self.with(other, |a, b| a & !b)
    }

    fn with(mut self, other: Self, join: fn(u32, u32) -> u32) -> Self {
        for (a, b) in self.0.iter_mut().zip(other.0) {
            *a = join(*a, b);
        }
        self
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self == Self::NONE
    }

    /// Each of them, kind by kind.
    pub fn each(self) -> impl Iterator<Item = (Verb, Kind)> {
        let pairs = Kind::ALL.into_iter().flat_map(|kind| VERBS.into_iter().map(move |verb| (verb, kind)));
        pairs.filter(move |(verb, kind)| self.has(*verb, *kind))
    }
}

impl BitOr for Rights {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.with(other, |a, b| a | b)
    }
}

impl BitAnd for Rights {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        self.with(other, |a, b| a & b)
    }
}

impl BitOrAssign for Rights {
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}
