//! What comes down the tree, and where from.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
};

use schemars::JsonSchema;
use serde::Serialize;

use super::Index;
use crate::model::{Kind, Labels, Object, Uid};

/// Where an effective value is from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// Its kind.
    pub kind: Kind,
    /// `NAME.NAMESPACE`.
    pub name: String,
}

impl From<&Object> for Source {
    fn from(object: &Object) -> Self {
        Self { kind: object.kind(), name: object.full_name() }
    }
}

/// One effective label or setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Effective {
    /// Its key.
    pub key: String,
    /// Its value here.
    pub value: String,
    /// Which node says so.
    pub source: Source,
    /// Nodes above that say otherwise, the nearest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hides: Vec<Source>,
}

impl Index {
    /// Effective labels of a resource, by key.
    pub fn labels(&self, uid: Uid) -> Vec<Effective> {
        self.merged(uid, |object| Some(&object.metadata.labels))
    }

    /// Effective settings of a node, by key.
    pub fn settings(&self, uid: Uid) -> Vec<Effective> {
        self.merged(uid, |object| object.spec.settings())
    }

    /// The effective value of one label.
    pub fn label(&self, uid: Uid, key: &str) -> Option<&str> {
        self.giving(uid).find_map(|o| o.metadata.labels.get(key)).map(String::as_str)
    }

    fn merged<'a>(
        &'a self,
        uid: Uid,
        values: impl Fn(&'a Object) -> Option<&'a BTreeMap<String, String>>,
    ) -> Vec<Effective> {
        let mut found: BTreeMap<&str, Effective> = BTreeMap::new();
        for object in self.giving(uid) {
            for (key, value) in values(object).into_iter().flatten() {
                let (source, hides) = (Source::from(object), Vec::new());
                let nearest = found.entry(key).or_insert_with(|| Effective {
                    key: key.clone(),
                    value: value.clone(),
                    source: source.clone(),
                    hides,
                });
                if nearest.value != *value {
                    nearest.hides.push(source);
                }
            }
        }
        found.into_values().collect()
    }

    /// The resource itself and, if it is a node, its ancestors: those that give it labels and settings. The nearest first.
    fn giving(&self, uid: Uid) -> impl Iterator<Item = &Object> {
        let depth = match self.get(uid) {
            Some(object) if object.kind().is_node() => usize::MAX,
            Some(_) | None => 1,
        };
        self.upwards(Some(uid)).take(depth).map(AsRef::as_ref)
    }

    /// The labels that a node gives to those directly below it.
    pub(crate) fn given(&self, node: Option<Uid>) -> Labels {
        let mut labels = Labels::new();
        for object in self.upwards(node) {
            for (key, value) in &object.metadata.labels {
                if !labels.contains_key(key) {
                    labels.insert(key.clone(), value.clone());
                }
            }
        }
        labels
    }
}

/// Effective labels of many resources in one go: what each parent gives is merged once.
#[derive(Debug)]
pub(crate) struct Inherited<'a> {
    index: &'a Index,
    given: RefCell<HashMap<Uid, BTreeMap<&'a str, &'a str>>>,
}

impl<'a> Inherited<'a> {
    pub(crate) fn new(index: &'a Index) -> Self {
        Self { index, given: RefCell::default() }
    }

    /// The effective value of a label of `object`, which is in the index.
    pub(crate) fn of(&self, object: &'a Object, key: &str) -> Option<&'a str> {
        if let Some(own) = object.metadata.labels.get(key) {
            return Some(own);
        }
        if !object.kind().is_node() {
            return None;
        }
        let parent = self.index.entries.get(&object.metadata.uid)?.parent?;
        let index = self.index;
        let mut given = self.given.borrow_mut();
        let given = given.entry(parent).or_insert_with(|| merge(index, parent));
        given.get(key).copied()
    }
}

fn merge(index: &Index, node: Uid) -> BTreeMap<&str, &str> {
    let mut labels = BTreeMap::new();
    for object in index.upwards(Some(node)) {
        for (key, value) in &object.metadata.labels {
            labels.entry(key.as_str()).or_insert(value.as_str());
        }
    }
    labels
}
