//! Any wishes at all: what is admitted never breaks the tree, and what is refused comes with advice.

mod forest;

use std::collections::BTreeSet;

use cairn_contract::Timestamp;
use cairn_domain::{
    admit::{Admitted, Intent, Stamp, admit, manifest},
    index::Index,
    model::{Kind, Manifest, Namespace, Spec, Uid},
};
use forest::{Forest, split};
use proptest::prelude::*;
use serde_json::{Value, json};

use Kind::{Host, Organisation, Project, Region, Site};

fn stamp(n: usize) -> Stamp {
    Stamp { uid: forest::uid(n), resource_version: 7, now: Timestamp(0) }
}

fn sent(kind: Kind, full: &str, spec: Value) -> Manifest {
    let (name, namespace) = split(kind, full);
    let value = json!({"apiVersion": "cairn/v1", "kind": kind,
        "metadata": {"name": name, "namespace": namespace}, "spec": spec});
    manifest(&value).expect("its head is right")
}

/// One wish: what to do, with which of the few names there are.
#[derive(Debug, Clone)]
enum Wish {
    Write(Kind, u8, u8, Option<u8>),
    Delete(Kind, u8, u8),
}

fn wishes() -> impl Strategy<Value = Vec<Wish>> {
    let kind = prop::sample::select(vec![Organisation, Project, Region, Region, Site, Host]);
    let write = (kind.clone(), 0..5_u8, 0..4_u8, prop::option::of(0..5_u8));
    let wish = prop_oneof![
        5 => write.prop_map(|(k, n, s, p)| Wish::Write(k, n, s, p)),
        1 => (kind, 0..5_u8, 0..4_u8).prop_map(|(k, n, s)| Wish::Delete(k, n, s)),
    ];
    prop::collection::vec(wish, 0..120)
}

fn named(kind: Kind, name: u8, space: u8) -> String {
    let organisation = space % 2;
    match kind {
        Organisation => format!("n{}", name % 2),
        Project => format!("n{}.n{organisation}", name % 2),
        _ => format!("n{name}.n{}.n{organisation}", space / 2),
    }
}

fn wished(index: &mut Index, wish: &Wish, n: usize) -> bool {
    let (kind, full) = match wish {
        Wish::Write(kind, name, space, _) | Wish::Delete(kind, name, space) => {
            (*kind, named(*kind, *name, *space))
        }
    };
    let (name, namespace) = split(kind, &full);
    let current = index.named(kind, &namespace, &name).cloned();
    let result = match (wish, &current) {
        (Wish::Delete(..), Some(current)) => admit(index, Intent::Delete { current }, stamp(n)),
        (Wish::Delete(..), None) => return false,
        (Wish::Write(.., parent), current) => {
            let parent = parent.map(|p| format!("n{p}"));
            let spec = match kind {
                Region => json!({"parent": parent}),
                Site => json!({"region": parent}),
                Host => json!({"site": parent, "serial": full}),
                _ => json!({}),
            };
            let manifest = &sent(kind, &full, spec);
            match current {
                Some(current) => admit(index, Intent::Update { current, manifest }, stamp(n)),
                None => admit(index, Intent::Create { manifest, namespace: None }, stamp(n)),
            }
        }
    };
    match result {
        Ok(Admitted::Create(object) | Admitted::Update { object, .. }) => drop(index.put(*object)),
        Ok(Admitted::Delete) => drop(index.remove(current.expect("it was deleted").metadata.uid, 1)),
        Ok(Admitted::Unchanged) => {}
        Err(refusals) => assert!(!refusals.is_empty() && refusals.iter().all(|r| !r.next.is_empty())),
    }
    true
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_admitted_is_always_a_tree(wishes in wishes()) {
        let mut index = Index::default();
        for (n, wish) in wishes.iter().enumerate() {
            wished(&mut index, wish, n);
        }
        for object in Kind::ALL.into_iter().flat_map(|k| index.of_kind(k)) {
            let line = index.lineage(object.metadata.uid);
            let uids: BTreeSet<Uid> = line.iter().map(|o| o.metadata.uid).collect();
            prop_assert_eq!(uids.len(), line.len(), "a cycle through {}", object);
            prop_assert_eq!(line.first().unwrap().kind(), Organisation, "an orphan: {}", object);
            prop_assert!(line.iter().filter(|o| o.kind() == Region).count() <= 16);
            let parent = index.parent(object.metadata.uid).map(|p| (p.kind(), p.metadata.name.clone()));
            let says = match &object.spec {
                Spec::Region(s) => s.parent.clone().map(|n| (Region, n)),
                Spec::Site(s) => s.region.clone().map(|n| (Region, n)),
                Spec::Host(s) => Some((Site, s.site.clone().unwrap())),
                _ => None,
            };
            if says.is_some() {
                prop_assert_eq!(parent, says);
            }
        }
    }

    #[test]
    fn any_manifest_is_admitted_or_refused_with_advice(value in any_json(), kind in prop::sample::select(Kind::ALL.to_vec())) {
        let _ = manifest(&value);
        let f = Forest::small();
        let spec = json!({"apiVersion": "cairn/v1", "kind": kind, "metadata": {"name": "x"}, "spec": value});
        let m = manifest(&spec).unwrap();
        let retail: Namespace = "retail.acme".parse().unwrap();
        if let Err(refusals) = admit(&f.index, Intent::Create { manifest: &m, namespace: Some(&retail) }, stamp(9)) {
            prop_assert!(!refusals.is_empty());
            prop_assert!(refusals.iter().all(|r| !r.message.is_empty() && !r.next.is_empty()));
        }
    }
}

/// JSON with names and words of the model in it, so that it gets somewhere.
fn any_json() -> impl Strategy<Value = Value> {
    const WORDS: [&str; 24] = [
        "rules",
        "verbs",
        "kinds",
        "get",
        "Host",
        "target",
        "kind",
        "name",
        "boot",
        "maxAttempts",
        "windows",
        "maintenance",
        "start",
        "minutes",
        "selector",
        "matchLabels",
        "settings",
        "macs",
        "ek",
        "site",
        "till",
        "expires",
        "match",
        "serial",
    ];
    let word = || prop_oneof![3 => prop::sample::select(WORDS.to_vec()).prop_map(str::to_owned), 1 => any::<String>()];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(word(), inner, 0..6)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}
