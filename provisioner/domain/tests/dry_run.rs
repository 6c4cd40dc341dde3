//! What a dry run says: which hosts a write touches.

mod forest;

use cairn_domain::{
    admit::touched,
    model::{Kind, Object},
};
use forest::{Forest, object};
use serde_json::json;

use Kind::{Policy, Region, Site};

#[test]
fn a_dry_run_names_the_hosts() {
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

    f.put(Region, "south.retail.acme", json!({}));
    let site = f.get(Site, "depot.retail.acme").clone();
    let moved = object(Site, "depot.retail.acme", site.metadata.uid, json!({"region": "south"}));
    assert_eq!(names(&f, Some(&site), Some(&moved)), ["depot-1.retail.acme"]);
}
