//! Trees for tests: by hand, and at random.

#![allow(dead_code, reason = "each test program uses a part")]

use cairn_contract::Timestamp;
use cairn_domain::{
    index::Index,
    model::{Kind, Metadata, Namespace, Object, Spec, Uid},
};
use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) fn uid(n: usize) -> Uid {
    Uid(Uuid::from_u128(n as u128 + 1))
}

/// `NAME.NAMESPACE`; a user's name may hold dots.
pub(crate) fn split(kind: Kind, full: &str) -> (String, Namespace) {
    match full.split_once('.') {
        Some((name, rest)) if kind != Kind::User => (name.to_owned(), rest.parse().expect("a namespace")),
        _ => (full.to_owned(), Namespace::Appliance),
    }
}

pub(crate) fn object(kind: Kind, full: &str, uid: Uid, spec: Value) -> Object {
    let (name, namespace) = split(kind, full);
    let metadata = Metadata {
        name,
        namespace,
        uid,
        labels: Default::default(),
        annotations: Default::default(),
        generation: 1,
        resource_version: 1,
        created: Timestamp(0),
    };
    Object { metadata, spec: Spec::parse(kind, spec).expect("a spec of its kind"), host: None, status: None }
}

/// An index that is filled by name.
#[derive(Default)]
pub(crate) struct Forest {
    pub(crate) index: Index,
    next: usize,
}

impl Forest {
    /// acme: retail (region north > inner, sites till, depot (in inner), hosts), wholesale. globex: lab. User ann.
    pub(crate) fn small() -> Self {
        let mut f = Self::default();
        for org in ["acme", "globex"] {
            f.put(Kind::Organisation, org, json!({}));
        }
        for project in ["retail.acme", "wholesale.acme", "lab.globex"] {
            f.put(Kind::Project, project, json!({}));
        }
        f.put(Kind::Region, "north.retail.acme", json!({}));
        f.put(Kind::Region, "inner.retail.acme", json!({"parent": "north"}));
        f.put(Kind::Site, "till.retail.acme", json!({}));
        f.put(Kind::Site, "depot.retail.acme", json!({"region": "inner"}));
        f.put(Kind::Site, "hall.wholesale.acme", json!({}));
        f.put(Kind::Site, "bench.lab.globex", json!({}));
        for (host, site) in [
            ("till-1.retail.acme", "till"),
            ("depot-1.retail.acme", "depot"),
            ("hall-1.wholesale.acme", "hall"),
            ("bench-1.lab.globex", "bench"),
        ] {
            f.put(Kind::Host, host, json!({"site": site, "serial": host}));
        }
        f.put(Kind::User, "ann", json!({}));
        f
    }

    pub(crate) fn put(&mut self, kind: Kind, full: &str, spec: Value) -> Uid {
        let known = self.find(kind, full).map(|o| o.metadata.uid);
        let uid = known.unwrap_or_else(|| self.fresh());
        self.index.put(object(kind, full, uid, spec));
        uid
    }

    pub(crate) fn fresh(&mut self) -> Uid {
        self.next += 1;
        uid(self.next)
    }

    pub(crate) fn find(&self, kind: Kind, full: &str) -> Option<&Object> {
        let (name, namespace) = split(kind, full);
        self.index.named(kind, &namespace, &name).map(AsRef::as_ref)
    }

    #[track_caller]
    pub(crate) fn get(&self, kind: Kind, full: &str) -> &Object {
        self.find(kind, full).unwrap_or_else(|| panic!("no {kind} {full}"))
    }

    #[track_caller]
    pub(crate) fn uid(&self, kind: Kind, full: &str) -> Uid {
        self.get(kind, full).metadata.uid
    }

    /// Binds `role` to user ann where the binding's full name says, at a node of it if one is given.
    pub(crate) fn bind(&mut self, full: &str, role: &str, at: Option<(Kind, &str)>) {
        let at = at.map(|(kind, name)| json!({"kind": kind, "name": name}));
        let mut spec = json!({"role": role, "subjects": [{"kind": "User", "name": "ann"}]});
        if let Some(at) = at {
            spec["at"] = at;
        }
        self.put(Kind::RoleBinding, full, spec);
    }
}

/// Numbers that [`grow`] makes a valid tree of: each becomes one object whose parent exists.
pub(crate) fn seeds(most: usize) -> impl Strategy<Value = Vec<(u8, u16, u16)>> {
    prop::collection::vec((0..10_u8, any::<u16>(), any::<u16>()), 0..most)
}

fn pick(from: &[String], at: u16) -> Option<&String> {
    from.get(usize::from(at) % from.len().max(1))
}

/// Two organisations with two projects each, and whatever the seeds say; every object has one or two labels.
pub(crate) fn grow(seeds: &[(u8, u16, u16)]) -> Vec<Object> {
    let mut out = Vec::new();
    let mut add = |kind: Kind, full: String, spec: Value, n: u16| {
        let mut o = object(kind, &full, uid(out.len()), spec);
        let label = |k: u16| (format!("k{}", k % 4), format!("v{}", k / 4 % 3));
        o.metadata.labels.extend([label(n), label(n.rotate_left(7))]);
        out.push(o);
    };
    let mut projects = Vec::new();
    for org in ["a", "b"] {
        add(Kind::Organisation, org.to_owned(), json!({}), 1);
        for project in ["p", "q"] {
            add(Kind::Project, format!("{project}.{org}"), json!({}), 2);
            projects.push(format!("{project}.{org}"));
        }
    }
    let mut spaces = vec![String::new(), "a".to_owned(), "b".to_owned()];
    spaces.extend(projects.iter().cloned());
    let mut regions = vec![Vec::new(); 4];
    let mut sites = vec![Vec::new(); 4];
    for (at, (what, x, y)) in seeds.iter().enumerate() {
        let p = usize::from(*x) % 4;
        let project = &projects[p];
        match what {
            0..=2 => {
                let parent = pick(&regions[p], *y).filter(|_| y % 3 != 0);
                add(Kind::Region, format!("r{at}.{project}"), json!({"parent": parent}), *x);
                regions[p].push(format!("r{at}"));
            }
            3..=4 => {
                let region = pick(&regions[p], *y).filter(|_| y % 4 != 0);
                add(Kind::Site, format!("s{at}.{project}"), json!({"region": region}), *x);
                sites[p].push(format!("s{at}"));
            }
            5..=7 => {
                let site = pick(&sites[p], *y);
                add(Kind::Host, format!("h{at}.{project}"), json!({"site": site}), *x);
            }
            8 => {
                let space = &spaces[usize::from(*x) % spaces.len()];
                let kind = [Kind::Policy, Kind::ClaimRule, Kind::FirmwareProfile][usize::from(*y) % 3];
                let dot = if space.is_empty() { "" } else { "." };
                add(kind, format!("x{at}{dot}{space}"), json!({}), *x);
            }
            _ => add(Kind::User, format!("u{at}"), json!({}), *x),
        }
    }
    out
}
