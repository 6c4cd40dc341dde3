//! What a dry run says: which hosts a write touches, and what changes for them.

mod forest;

use cairn_domain::{
    admit::{compare, touched},
    model::{Kind, Object},
};
use forest::{Forest, object};
use serde_json::json;

use Kind::{Host, Policy, Region, Site};

#[test]
fn a_dry_run_names_the_hosts_and_what_changes_for_them() {
    let mut f = Forest::small();
    let names = |f: &Forest, before: Option<&Object>, after: Option<&Object>| -> Vec<String> {
        let uids = touched(&f.index, before, after).hosts;
        uids.iter().map(|u| f.index.get(*u).unwrap().full_name()).collect()
    };
    let north = f.get(Region, "north.retail.acme").clone();
    let mut after = north.clone();
    assert_eq!(names(&f, Some(&north), Some(&after)), [""; 0]);
    after.metadata.labels.insert("tier".to_owned(), "cold".to_owned());
    assert_eq!(names(&f, Some(&north), Some(&after)), ["depot-1.retail.acme"]);
    let depot = f.uid(Host, "depot-1.retail.acme");
    let differences = compare(&f.index, depot, north.metadata.uid, Some(&after));
    assert_eq!(differences.labels.len(), 1);
    assert_eq!(differences.labels[0].before, None);
    assert_eq!(differences.labels[0].after.as_ref().unwrap().source.name, "north.retail.acme");

    let policy = |spec| object(Policy, "p.retail.acme", forest::uid(5_000), spec);
    let all = policy(json!({"boot": {"maxAttempts": 5}}));
    assert_eq!(names(&f, None, Some(&all)), ["till-1.retail.acme", "depot-1.retail.acme"]);
    let one = policy(json!({"target": {"kind": "Site", "name": "till"}}));
    assert_eq!(names(&f, None, Some(&one)), ["till-1.retail.acme"]);
    assert_eq!(names(&f, Some(&one), None), ["till-1.retail.acme"]);
    let cold = policy(json!({"selector": {"matchLabels": {"tier": "cold"}}}));
    assert_eq!(names(&f, None, Some(&cold)), [""; 0]);
    f.index.put(after);
    assert_eq!(names(&f, Some(&one), Some(&cold)), ["till-1.retail.acme", "depot-1.retail.acme"]);

    // Moved, it inherits from elsewhere.
    f.put(Region, "south.retail.acme", json!({"settings": {"dns": "10.0.0.1"}}));
    let site = f.get(Site, "depot.retail.acme").clone();
    let moved = object(Site, "depot.retail.acme", site.metadata.uid, json!({"region": "south"}));
    assert_eq!(names(&f, Some(&site), Some(&moved)), ["depot-1.retail.acme"]);
    let differences = compare(&f.index, depot, site.metadata.uid, Some(&moved));
    assert_eq!(differences.labels[0].after, None);
    assert_eq!(differences.settings[0].after.as_ref().unwrap().value, "10.0.0.1");
}
