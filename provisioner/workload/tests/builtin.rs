//! What comes with Cairn is admitted by Cairn, and a cluster can be made from it.

mod world;

use cairn_contract::{Timestamp, workload::Distribution};
use cairn_domain::{
    admit::{Admitted, Intent, Stamp, admit, manifest},
    model::{Kind, Uid},
};
use cairn_workload::BUILT_IN;
use serde_json::{Value, json};
use world::Site;

#[track_caller]
fn admitted(s: &Site, value: &Value) -> Value {
    let m = manifest(value).expect("a manifest");
    let stamp = Stamp { uid: Uid::nil(), resource_version: 1, now: Timestamp(0) };
    match admit(&s.index, Intent::Create { manifest: &m, namespace: None }, stamp) {
        Ok(Admitted::Create(object)) => serde_json::to_value(&object.spec).expect("JSON"),
        other => panic!("{other:#?}"),
    }
}

#[test]
fn every_built_in_template_makes_a_cluster() {
    for built_in in BUILT_IN {
        let mut s = Site::default();
        let name = built_in.name;
        let run: Distribution = serde_saphyr::from_str(built_in.distribution).expect(name);
        assert!(!run.control_plane.units.is_empty() && !run.worker.units.is_empty(), "{name}");
        let distribution = json!({"apiVersion": "cairn/v1", "kind": "Distribution", "metadata": {"name": name},
            "spec": {"family": name, "version": "1.36.1", "run": run}});
        let spec = admitted(&s, &distribution);
        s.put(Kind::Distribution, name, spec);
        let template: Value = serde_saphyr::from_str(built_in.template).expect(name);
        let spec = admitted(&s, &template);
        s.put(Kind::ClusterTemplate, name, spec);
        for host in ["a", "b"] {
            s.running(host, &[]);
        }
        s.put(Kind::Cluster, "shop.retail.acme", json!({"template": name, "hosts": ["a", "b"]}));
        s.settle();
        assert_eq!(
            s.condition(Kind::Cluster, "shop.retail.acme", "Ready"),
            "True/Ready: all 2 nodes are ready",
            "{name}"
        );
    }
}
