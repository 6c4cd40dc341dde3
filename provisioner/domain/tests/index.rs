//! The index against naive readings of the same objects: lists, inheritance, names and children.

mod forest;

use std::collections::{BTreeMap, BTreeSet};

use cairn_domain::{
    index::{Index, Query},
    model::{Kind, Namespace, Object, Spec, Uid},
    selector::{FieldSelector, Selector},
};
use forest::{grow, seeds};
use proptest::prelude::*;

/// Where an object lies, by its words alone.
fn parent<'a>(all: &'a [Object], object: &Object) -> Option<&'a Object> {
    let space = &object.metadata.namespace;
    let named = match &object.spec {
        Spec::Region(s) => s.parent.as_ref().map(|n| (Kind::Region, n)),
        Spec::Site(s) => s.region.as_ref().map(|n| (Kind::Region, n)),
        Spec::Host(s) => s.site.as_ref().map(|n| (Kind::Site, n)),
        _ => None,
    };
    let find = |kind: Kind, space: &Namespace, name: &str| {
        all.iter().find(|o| o.kind() == kind && o.metadata.namespace == *space && o.metadata.name == name)
    };
    if let Some((kind, name)) = named {
        return find(kind, space, name);
    }
    match space {
        Namespace::Appliance => None,
        Namespace::Organisation(name) => find(Kind::Organisation, &Namespace::Appliance, name),
        Namespace::Project { organisation, project } => {
            find(Kind::Project, &Namespace::Organisation(organisation.clone()), project)
        }
    }
}

fn naive_labels(all: &[Object], object: &Object) -> BTreeMap<String, String> {
    let mut labels = match parent(all, object) {
        Some(above) if object.kind().is_node() => naive_labels(all, above),
        _ => BTreeMap::new(),
    };
    labels.extend(object.metadata.labels.clone());
    labels
}

/// All that the index says, in a form that can be compared.
fn told(index: &Index, all: &[Object]) -> BTreeMap<Uid, (Option<Uid>, BTreeSet<Uid>, bool)> {
    let one = |o: &Object| {
        let (uid, m) = (o.metadata.uid, &o.metadata);
        let parent = index.parent(uid).map(|p| p.metadata.uid);
        let children = index.children(uid).map(|c| c.metadata.uid).collect();
        let named = index.named(o.kind(), &m.namespace, &m.name).is_some_and(|n| n.metadata.uid == uid);
        (uid, (parent, children, named))
    };
    all.iter().map(one).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn effective_labels_are_those_of_a_naive_walk(seeds in seeds(80)) {
        let all = grow(&seeds);
        let index = Index::load(all.clone(), 1);
        for object in &all {
            let uid = object.metadata.uid;
            let naive = naive_labels(&all, object);
            let labels: BTreeMap<String, String> =
                index.labels(uid).into_iter().map(|e| (e.key, e.value)).collect();
            prop_assert_eq!(&labels, &naive);
            for key in ["k0", "k1", "k2", "k3"] {
                prop_assert_eq!(index.label(uid, key), naive.get(key).map(String::as_str));
                let seen = index.seen(uid).unwrap();
                prop_assert_eq!(seen.label(key), naive.get(key).map(String::as_str));
            }
        }
    }

    #[test]
    fn an_effective_label_names_the_node_that_says_it(seeds in seeds(60)) {
        let all = grow(&seeds);
        let index = Index::load(all.clone(), 1);
        for object in &all {
            for effective in index.labels(object.metadata.uid) {
                let source = all.iter().find(|o| {
                    o.kind() == effective.source.kind && o.full_name() == effective.source.name
                });
                prop_assert_eq!(source.unwrap().metadata.labels.get(&effective.key), Some(&effective.value));
            }
        }
    }

    #[test]
    fn pages_make_up_the_whole_list(
        seeds in seeds(80),
        limit in 1..7_usize,
        within in prop::sample::select(vec!["", "a", "b", "p.a", "q.b", "none"]),
        labels in prop::sample::select(vec!["", "k0=v1", "k1 in (v0,v2),!k3", "k2 notin (v1)"]),
    ) {
        let all = grow(&seeds);
        let index = Index::load(all.clone(), 1);
        let within: Namespace = within.parse().unwrap();
        let (selector, fields): (Selector, FieldSelector) = (labels.parse().unwrap(), FieldSelector::default());
        for kind in Kind::ALL {
            let mut expected: Vec<(Namespace, String)> = all
                .iter()
                .filter(|o| o.kind() == kind && o.metadata.namespace.is_within(&within))
                .filter(|o| { let l = naive_labels(&all, o); selector.matches(|k| l.get(k)) })
                .map(|o| (o.metadata.namespace.clone(), o.metadata.name.clone()))
                .collect();
            expected.sort();
            let mut listed: Vec<(Namespace, String)> = Vec::new();
            loop {
                let last = listed.last().cloned();
                let after = last.as_ref().map(|(space, name)| (space, name.as_str()));
                let query = Query { kind, within: &within, labels: &selector, fields: &fields, after, limit };
                let page = index.list(&query, |_| true);
                prop_assert!(page.items.len() <= limit);
                prop_assert!(!page.more || page.items.len() == limit);
                listed.extend(page.items.iter().map(|o| (o.metadata.namespace.clone(), o.metadata.name.clone())));
                if !page.more {
                    break;
                }
            }
            prop_assert_eq!(listed, expected);
        }
    }

    #[test]
    fn putting_and_removing_leaves_what_loading_makes(
        seeds in seeds(60),
        again in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
        gone in any::<u16>(),
    ) {
        let mut all = grow(&seeds);
        let mut index = Index::default();
        for object in &all {
            index.put(object.clone());
        }
        for at in again {
            // The same, put again, and once more in another order.
            index.put(all[at.index(all.len())].clone());
        }
        prop_assert_eq!(told(&index, &all), told(&Index::load(all.clone(), 1), &all));
        // Leaves go, the last made first.
        for _ in 0..usize::from(gone) % (all.len() + 1) {
            let object = all.pop().unwrap();
            prop_assert!(index.remove(object.metadata.uid, 2).is_some());
            prop_assert!(index.get(object.metadata.uid).is_none());
            let m = &object.metadata;
            prop_assert!(index.named(object.kind(), &m.namespace, &m.name).is_none());
        }
        prop_assert_eq!(told(&index, &all), told(&Index::load(all.clone(), 1), &all));
        for kind in Kind::ALL {
            prop_assert_eq!(index.count(kind), all.iter().filter(|o| o.kind() == kind).count());
        }
    }

    #[test]
    fn an_object_that_moves_takes_what_lies_in_it_along(seeds in seeds(60), which: prop::sample::Index) {
        let mut all = grow(&seeds);
        let mut index = Index::load(all.clone(), 1);
        let sites: Vec<usize> = (0..all.len()).filter(|i| all[*i].kind() == Kind::Site).collect();
        prop_assume!(!sites.is_empty());
        let at = sites[which.index(sites.len())];
        let Spec::Site(spec) = &mut all[at].spec else { unreachable!() };
        spec.region = None;
        all[at].metadata.labels.insert("k0".to_owned(), "moved".to_owned());
        let events = index.put(all[at].clone());
        prop_assert_eq!(told(&index, &all), told(&Index::load(all.clone(), 1), &all));
        let hosts: BTreeSet<Uid> = index.hosts_below(all[at].metadata.uid).into_iter().collect();
        let told: BTreeSet<Uid> = events.iter().skip(1).map(|e| e.object().unwrap().metadata.uid).collect();
        prop_assert_eq!(told, hosts);
        for event in &events[1..] {
            prop_assert!(event.is_inherited());
            let now = index.seen(event.object().unwrap().metadata.uid).unwrap();
            prop_assert_eq!(&event.after.as_ref().unwrap().inherited, &now.inherited);
        }
    }

    #[test]
    fn any_order_of_putting_is_as_good_as_another(seeds in seeds(40), order in any::<u64>()) {
        let all = grow(&seeds);
        let mut shuffled = all.clone();
        let mut state = order | 1;
        for i in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            shuffled.swap(i, (state >> 33) as usize % (i + 1));
        }
        let mut index = Index::default();
        for object in shuffled {
            index.put(object);
        }
        prop_assert_eq!(told(&index, &all), told(&Index::load(all.clone(), 1), &all));
    }
}
