//! What a release has in the cluster, kept in the cluster: a ConfigMap for each in namespace `cairn-system`, which outlives the
//! agent and its disk. It names objects and never holds their content. Pure; `keep` reads and writes it.

use std::collections::BTreeSet;

use cairn_contract::Digest;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::key::{Gvk, Key, is_name, text};
use crate::manifest::SYSTEM;
use crate::order::Stage;

/// Label of the ConfigMaps that are inventories: the deployment's uid.
pub const INVENTORY: &str = "cairn.dev/inventory";

/// One object of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// `apiVersion`.
    #[serde(rename = "v")]
    pub api_version: String,
    /// `kind`.
    #[serde(rename = "k")]
    pub kind: String,
    /// Empty for objects of the cluster.
    #[serde(rename = "ns", default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Its name.
    #[serde(rename = "n")]
    pub name: String,
    /// Its uid; empty until it was applied.
    #[serde(rename = "u", default, skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// Place of its application in the release.
    #[serde(rename = "a")]
    pub application: usize,
}

impl Entry {
    /// Its kind; `None` when the entry was tampered with.
    #[must_use]
    pub fn gvk(&self) -> Option<Gvk> {
        let sound = is_name(&self.name) && (self.namespace.is_empty() || is_name(&self.namespace));
        Gvk::new(&self.api_version, &self.kind).filter(|_| sound && self.namespace != SYSTEM)
    }

    /// What it names.
    #[must_use]
    pub fn key(&self) -> Option<Key> {
        self.gvk().map(|gvk| Key::new(&gvk, &self.namespace, &self.name))
    }

    /// Higher is removed earlier.
    #[must_use]
    pub fn rank(&self) -> (usize, Option<Stage>) {
        (self.application, self.gvk().map(|gvk| Stage::of(&gvk)))
    }
}

/// All of one release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// Uid of the Deployment.
    pub deployment: Uuid,
    /// Its full name.
    pub name: String,
    /// The last revision that was applied as a whole.
    pub revision: Option<Digest>,
    /// In the order in which they were applied.
    pub entries: Vec<Entry>,
}

/// An inventory that cannot be believed: nothing is deleted by it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("ConfigMap {SYSTEM}/{name} is no inventory any more: its {field} was changed by hand")]
pub struct InventoryError {
    name: String,
    field: &'static str,
}

impl Inventory {
    /// With nothing in it.
    #[must_use]
    pub fn new(deployment: Uuid, name: &str) -> Self {
        Self { deployment, name: name.to_owned(), revision: None, entries: Vec::new() }
    }

    /// Name of its ConfigMap.
    #[must_use]
    pub fn map_name(&self) -> String {
        format!("inventory-{}", self.deployment)
    }

    /// The ConfigMap, as it is applied.
    #[must_use]
    pub fn to_map(&self) -> Value {
        let lines: Vec<String> = self.entries.iter().filter_map(|e| serde_json::to_string(e).ok()).collect();
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {
                "name": self.map_name(), "namespace": SYSTEM,
                "labels": { INVENTORY: self.deployment.to_string() },
            },
            "data": {
                "name": self.name,
                "revision": self.revision.map(|r| r.to_string()).unwrap_or_default(),
                "entries": lines.join("\n"),
            },
        })
    }

    /// Reads a ConfigMap.
    ///
    /// # Errors
    /// When a field cannot be read, or an entry names what no release may have.
    pub fn from_map(map: &Value) -> Result<Self, InventoryError> {
        let name = text(map, &["metadata", "name"]).chars().take(253).collect::<String>();
        let bad = |field| InventoryError { name: name.clone(), field };
        let label = text(map, &["metadata", "labels", INVENTORY]);
        let deployment: Uuid = label.parse().map_err(|_| bad("label"))?;
        let revision = match text(map, &["data", "revision"]) {
            "" => None,
            digest => Some(digest.parse().map_err(|_| bad("data.revision"))?),
        };
        let lines = text(map, &["data", "entries"]).lines();
        let entries: Option<Vec<Entry>> =
            lines.map(|l| serde_json::from_str(l).ok().filter(|e: &Entry| e.gvk().is_some())).collect();
        let out = Self {
            deployment,
            name: text(map, &["data", "name"]).to_owned(),
            revision,
            entries: entries.ok_or(bad("data.entries"))?,
        };
        if out.map_name() == name { Ok(out) } else { Err(bad("name")) }
    }

    /// The entry of an object.
    #[must_use]
    pub fn find(&self, key: &Key) -> Option<&Entry> {
        self.entries.iter().find(|e| e.key().as_ref() == Some(key))
    }

    /// With everything in it that is to be applied, before it is: what an agent that ends in between has made is known.
    #[must_use]
    pub fn announcing(&self, wanted: &[Entry]) -> Self {
        let mut out = self.clone();
        let known: BTreeSet<Key> = self.entries.iter().filter_map(Entry::key).collect();
        let new = wanted.iter().filter(|e| e.key().is_some_and(|k| !known.contains(&k)));
        out.entries.extend(new.cloned());
        out
    }

    /// What is in it and no more wanted, in the order of removal.
    #[must_use]
    pub fn obsolete(&self, wanted: &BTreeSet<Key>) -> Vec<Entry> {
        let gone = self.entries.iter().filter(|e| e.key().is_some_and(|k| !wanted.contains(&k)));
        removal_order(gone.cloned().collect())
    }
}

/// Last applications first, in each the last stage first.
#[must_use]
pub fn removal_order(mut entries: Vec<Entry>) -> Vec<Entry> {
    entries.sort_by_key(|e| std::cmp::Reverse(e.rank()));
    entries
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(api_version: &str, kind: &str, name: &str, application: usize) -> Entry {
        Entry {
            api_version: api_version.into(),
            kind: kind.into(),
            namespace: "shop".into(),
            name: name.into(),
            uid: String::new(),
            application,
        }
    }

    fn some() -> Inventory {
        let mut out = Inventory::new(Uuid::from_u128(7), "shop.acme");
        out.revision = Some(Digest::of(b"1"));
        out.entries = vec![entry("v1", "ConfigMap", "a", 0), entry("apps/v1", "Deployment", "b", 0)];
        out.entries.push(entry("v1", "ConfigMap", "c", 1));
        out
    }

    #[test]
    fn it_comes_back_from_its_config_map() {
        assert_eq!(Inventory::from_map(&some().to_map()), Ok(some()));
    }

    #[test]
    fn a_map_changed_by_hand_is_not_believed() {
        for (path, text) in
            [("entries", "{}"), ("revision", "x"), ("entries", r#"{"v":"v1","k":"Pod","n":"..","a":0}"#)]
        {
            let mut map = some().to_map();
            map["data"][path] = text.into();
            assert!(Inventory::from_map(&map).unwrap_err().to_string().contains(path), "{text}");
        }
        let mut renamed = some().to_map();
        renamed["metadata"]["name"] = "inventory-x".into();
        assert!(Inventory::from_map(&renamed).is_err());
    }

    #[test]
    fn what_is_no_more_wanted_goes_last_application_first() {
        let keep = BTreeSet::from([some().entries[0].key().unwrap()]);
        let names: Vec<String> = some().obsolete(&keep).into_iter().map(|e| e.name).collect();
        assert_eq!(names, ["c", "b"]);
        let all: Vec<String> = removal_order(some().entries).into_iter().map(|e| e.name).collect();
        assert_eq!(all, ["c", "b", "a"]);
    }

    #[test]
    fn another_version_of_a_kind_is_the_same_object() {
        let wanted = [entry("apps/v1beta1", "Deployment", "b", 3), entry("v1", "Secret", "d", 0)];
        let names: Vec<String> = some().announcing(&wanted).entries.into_iter().map(|e| e.name).collect();
        assert_eq!(names, ["a", "b", "c", "d"]);
    }

    fn keys() -> impl Strategy<Value = Vec<Entry>> {
        prop::collection::vec(("[a-c]", 0_usize..3), 0..9)
            .prop_map(|all| all.into_iter().map(|(n, a)| entry("v1", "ConfigMap", &n, a)).collect())
    }

    proptest! {
        #[test]
        fn nothing_wanted_is_obsolete_and_all_else_is(old in keys(), wanted in keys()) {
            let mut inventory = Inventory::new(Uuid::nil(), "x");
            inventory.entries = old.clone();
            let set: BTreeSet<Key> = wanted.iter().filter_map(Entry::key).collect();
            let obsolete: BTreeSet<Key> = inventory.obsolete(&set).iter().filter_map(Entry::key).collect();
            prop_assert!(obsolete.is_disjoint(&set));
            let before: BTreeSet<Key> = old.iter().filter_map(Entry::key).collect();
            prop_assert_eq!(&before - &set, obsolete);
            let after: BTreeSet<Key> = inventory.announcing(&wanted).entries.iter().filter_map(Entry::key).collect();
            prop_assert_eq!(after, &before | &set);
        }

        #[test]
        fn no_config_map_makes_it_panic(entries in "\\PC{0,60}", name in "\\PC{0,9}", label in "\\PC{0,9}") {
            let mut map = some().to_map();
            map["data"]["entries"] = entries.into();
            let _ = Inventory::from_map(&map);
            map["metadata"]["name"] = name.into();
            map["metadata"]["labels"][INVENTORY] = label.into();
            let _ = Inventory::from_map(&map);
        }
    }
}
