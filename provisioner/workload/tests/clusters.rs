//! Clusters: how they are made, how hosts come and go, and what is said of what does not go.

mod world;

use cairn_contract::{
    Timestamp,
    workload::{NodeRole, Phase},
};
use cairn_domain::{State, model::Kind};
use cairn_workload::{LEAVE_DEADLINE_MS, Order, addon_uid, control_plane, desired};
use serde_json::json;
use world::{Site, package};

const C: Kind = Kind::Cluster;

#[test]
fn a_cluster_of_named_hosts_gets_its_control_plane_first_and_workers_with_tokens_of_their_own() {
    let mut s = Site::default().with_template();
    for name in ["a", "b", "c"] {
        s.running(name, &[]);
    }
    s.put(C, "shop.retail.acme", json!({"hosts": ["b", "a", "c"]}));
    let first = s.round();
    assert_eq!((first.orders.len(), first.tokens.len()), (3, 0), "workers wait without a token");
    assert_eq!(
        s.row(C, "shop.retail.acme", "a").body.as_ref().map(|b| b.json().contains("\"worker\":null")),
        Some(true)
    );
    let second = s.round();
    assert_eq!(second.tokens.len(), 2, "the control plane is there: one for each worker");
    s.settle();
    assert_eq!(s.told(), ["a:shop", "b:shop", "c:shop"]);
    let cluster = s.uid(C, "shop.retail.acme");
    assert_eq!(
        control_plane(&s.rows, cluster),
        Some(s.uid(Kind::Host, "b.retail.acme")),
        "the first one named"
    );
    let status = s.status(C, "shop.retail.acme");
    assert_eq!(status["version"], "1.36.1");
    assert_eq!(status["controlPlane"], "b");
    assert_eq!(status["nodes"].as_array().map(Vec::len), Some(3));
    assert_eq!(s.condition(C, "shop.retail.acme", "Ready"), "True/Ready: all 3 nodes are ready");
}

#[test]
fn a_changed_template_changes_nothing_that_is_made_not_even_for_nodes_that_come_later() {
    let mut s = Site::default().with_template();
    s.running("a", &[]);
    s.put(C, "shop.retail.acme", json!({"hosts": ["a"]}));
    s.settle();
    s.put(Kind::Distribution, "plain.acme", json!({"family": "kubeadm", "version": "1.37.0", "run": {}}));
    s.put(
        Kind::ClusterTemplate,
        "edge.acme",
        json!({"version": "2.0.0", "distribution": "plain", "default": true,
        "podCidr": "10.99.0.0/16"}),
    );
    assert_eq!(s.plan().orders, []);
    s.running("b", &[]);
    s.put(C, "shop.retail.acme", json!({"hosts": ["a", "b"]}));
    s.settle();
    let row = s.row(C, "shop.retail.acme", "b");
    let json = row.body.as_ref().expect("an order").json();
    assert!(
        json.contains("1.36.1") && json.contains("10.42.0.0/16") && json.contains("\"cni\":\"bridge\""),
        "{json}"
    );
    assert_eq!(s.status(C, "shop.retail.acme")["madeFrom"]["version"], "1.0.0");
}

#[test]
fn a_selector_follows_labels_and_a_node_leaves_through_the_control_plane() {
    let mut s = Site::default().with_template();
    s.running("a", &[("tier", "shop")]);
    s.running("b", &[("tier", "shop")]);
    s.running("z", &[]);
    s.put(C, "shop.retail.acme", json!({"selector": {"matchLabels": {"tier": "shop"}}}));
    s.settle();
    assert_eq!(s.told(), ["a:shop", "b:shop"]);
    s.running("b", &[]);
    let first = s.round();
    let removed = |orders: &[Order]| orders.iter().filter(|o| matches!(o, Order::Remove { .. })).count();
    assert_eq!((first.orders.len(), removed(&first.orders)), (1, 0), "the control plane drains it first");
    let status = s.status(C, "shop.retail.acme");
    assert_eq!(status["leaving"][0]["host"], "b");
    assert_eq!(removed(&s.round().orders), 1, "it is not listed any more");
    s.settle();
    assert_eq!(s.told(), ["a:shop"]);
    assert_eq!(s.status(C, "shop.retail.acme")["leaving"], json!(null));
    // The node is used again elsewhere.
    s.put(C, "other.retail.acme", json!({"hosts": ["b"]}));
    s.settle();
    assert_eq!(s.told(), ["a:shop", "b:other"]);
}

#[test]
fn a_node_that_cannot_be_drained_is_removed_after_ten_minutes_and_that_is_said() {
    let mut s = Site::default().with_template();
    s.running("a", &[]);
    s.running("b", &[]);
    s.put(C, "shop.retail.acme", json!({"hosts": ["a", "b"]}));
    s.settle();
    s.put(C, "shop.retail.acme", json!({"hosts": ["a"]}));
    s.deaf.insert("a".to_owned());
    s.round();
    s.now += LEAVE_DEADLINE_MS - 1;
    assert_eq!(s.round().orders, []);
    s.now += 1;
    let plan = s.round();
    assert!(matches!(plan.orders.as_slice(), [Order::Remove { .. }]), "{:?}", plan.orders);
    assert!(s.condition(C, "shop.retail.acme", "LeavingLate").starts_with("True/DrainTimedOut"));
}

#[test]
fn a_control_plane_that_cannot_be_asked_neither_gives_a_drain_up_nor_skips_it() {
    let mut s = Site::default().with_template();
    s.running("a", &[]);
    s.running("b", &[]);
    s.put(C, "shop.retail.acme", json!({"hosts": ["a", "b"]}));
    s.settle();
    s.put(C, "shop.retail.acme", json!({"hosts": ["a"]}));
    let plan = s.plan();
    s.apply(&plan);
    let a = s.uid(Kind::Host, "a.retail.acme");
    let head = s.rows.iter_mut().find(|r| r.host == a).expect("a control plane");
    let Some(cairn_workload::Said::Node(said)) = &head.observed else { panic!("it spoke") };
    let mut said = said.as_ref().clone();
    (said.phase, said.nodes) = (Phase::Degraded, Vec::new());
    head.observed = Some(cairn_workload::Said::Node(said.into()));
    assert_eq!(s.plan().orders, [], "an empty list of one that is not well says nothing");
    assert!(
        s.row(C, "shop.retail.acme", "a")
            .body
            .as_ref()
            .is_some_and(|b| b.json().contains("\"leaving\":[\"b\"]"))
    );
}

#[test]
fn the_control_plane_cannot_leave_and_its_loss_is_told_with_what_to_do() {
    let mut s = Site::default().with_template();
    s.running("a", &[("tier", "shop")]);
    s.running("b", &[("tier", "shop")]);
    s.put(C, "shop.retail.acme", json!({"selector": {"matchLabels": {"tier": "shop"}}}));
    s.settle();
    s.running("a", &[]);
    s.settle();
    assert_eq!(s.told(), ["a:shop", "b:shop"], "the oldest had the role and keeps it");
    s.delete(Kind::Host, "a.retail.acme");
    s.settle();
    let said = s.condition(C, "shop.retail.acme", "ControlPlaneReady");
    assert!(said.starts_with("False/ControlPlaneLost: ") && said.contains("delete the cluster"), "{said}");
    s.delete(C, "shop.retail.acme");
    s.settle();
    assert_eq!(s.rows, []);
}

#[test]
fn a_host_is_in_one_cluster_and_the_other_one_names_both() {
    let mut s = Site::default().with_template();
    s.running("a", &[]);
    s.put(C, "one.retail.acme", json!({"hosts": ["a"]}));
    s.put(C, "two.retail.acme", json!({"hosts": ["a"]}));
    s.settle();
    assert_eq!(s.told(), ["a:one"]);
    assert_eq!(
        s.condition(C, "two.retail.acme", "Conflict"),
        "True/HostsTaken: host a is wanted by clusters two.retail.acme and one.retail.acme; one.retail.acme has it: take it \
         out of one of them"
    );
    s.delete(C, "one.retail.acme");
    s.settle();
    assert_eq!(s.told(), ["a:two"]);
}

#[test]
fn a_deleted_cluster_leaves_its_hosts_clean_and_running() {
    let mut s = Site::default().with_template();
    s.running("a", &[]);
    s.running("b", &[]);
    s.put(C, "shop.retail.acme", json!({"hosts": ["a", "b"]}));
    s.settle();
    s.delete(C, "shop.retail.acme");
    let plan = s.round();
    assert_eq!(plan.orders.len(), 2);
    s.settle();
    assert_eq!(s.rows, []);
}

#[test]
fn tokens_are_for_running_hosts_and_replaced_when_they_ran_out_unused() {
    let mut s = Site::default().with_template();
    s.running("a", &[]);
    s.host("b", "till", State::Registered, &[]);
    s.put(C, "shop.retail.acme", json!({"hosts": ["a", "b"]}));
    s.settle();
    assert_eq!((s.told(), s.tokens.len()), (vec!["a:shop".to_owned()], 0));
    assert!(
        s.condition(C, "shop.retail.acme", "NodesReady")
            .contains("b: the host is registered; it joins when it is running")
    );
    s.running("b", &[]);
    s.deaf.insert("b".to_owned());
    s.settle();
    assert_eq!((s.told().len(), s.tokens.len()), (2, 1));
    let first = s.tokens[0].id.clone();
    s.now += 600_001;
    s.settle();
    assert_eq!(s.tokens.len(), 2, "the first ran out before it was used");
    let body = s.row(C, "shop.retail.acme", "b").body.as_ref().expect("an order").json();
    assert!(!body.contains(&first) && body.contains(&s.tokens[1].id), "{body}");
    let head = s.row(C, "shop.retail.acme", "a").body.as_ref().expect("an order").json();
    assert!(!head.contains(&first) && head.contains(&s.tokens[1].id), "{head}");
    s.deaf.clear();
    s.settle();
    assert!(s.tokens[1].spent);
    s.now += 10_000_000;
    s.settle();
    assert_eq!(s.tokens.len(), 2, "one that joined needs no other");
}

#[test]
fn a_worker_that_was_installed_again_joins_again() {
    let mut s = Site::default().with_template();
    s.running("a", &[]);
    s.running("b", &[]);
    s.put(C, "shop.retail.acme", json!({"hosts": ["a", "b"]}));
    s.settle();
    let row = s
        .rows
        .iter_mut()
        .find(|r| {
            matches!(
                r.body.as_ref().and_then(|b| match b {
                    cairn_workload::Body::Node(n) => Some(n.role.clone()),
                    cairn_workload::Body::Release(_) => None,
                }),
                Some(NodeRole::Worker(_))
            )
        })
        .expect("a worker");
    let Some(cairn_workload::Said::Node(said)) = &row.observed else { panic!("it spoke") };
    let mut said = said.as_ref().clone();
    said.phase = Phase::Failed;
    row.observed = Some(cairn_workload::Said::Node(said.into()));
    // The API server still lists the old node, not ready.
    let head = s
        .rows
        .iter_mut()
        .find(|r| matches!(&r.observed, Some(cairn_workload::Said::Node(n)) if n.endpoint.is_some()));
    let head = head.expect("a control plane");
    let Some(cairn_workload::Said::Node(said)) = &head.observed else { panic!("it spoke") };
    let mut said = said.as_ref().clone();
    said.nodes.iter_mut().for_each(|n| n.ready = false);
    head.observed = Some(cairn_workload::Said::Node(said.into()));
    assert_eq!(s.plan().tokens.len(), 1);
}

#[test]
fn what_a_cluster_lacks_is_told_with_the_field() {
    let mut s = Site::default();
    s.running("a", &[]);
    s.put(C, "shop.retail.acme", json!({"hosts": ["a", "gone"]}));
    s.settle();
    let said = s.condition(C, "shop.retail.acme", "Ready");
    assert!(
        said.starts_with("False/NoDefaultTemplate: spec.template: no ClusterTemplate of retail.acme"),
        "{said}"
    );
    let mut s = s.with_template();
    s.settle();
    let said = s.condition(C, "shop.retail.acme", "Ready");
    assert!(said.starts_with("False/HostMissing: spec.hosts: there is no host gone"), "{said}");
    assert_eq!(s.told(), ["a:shop"]);
    s.put(C, "empty.retail.acme", json!({"selector": {"matchLabels": {"x": "y"}}}));
    s.put(C, "bad.retail.acme", json!({"hosts": ["a"], "template": "edgy"}));
    s.settle();
    assert!(s.condition(C, "empty.retail.acme", "Ready").starts_with("False/NoHosts: it has no host yet"));
    assert!(
        s.condition(C, "bad.retail.acme", "Ready")
            .starts_with("False/TemplateMissing: spec.template: there is no ClusterTemplate edgy")
    );
}

#[test]
fn a_silent_host_is_told_apart_and_nothing_is_taken_from_it() {
    let mut s = Site::default().with_template();
    s.running("a", &[]);
    s.put(C, "shop.retail.acme", json!({"hosts": ["a"]}));
    s.settle();
    s.host("a", "till", State::Silent { since: Timestamp(0) }, &[]);
    let plan = s.round();
    assert_eq!(plan.orders, []);
    assert!(s.condition(C, "shop.retail.acme", "Ready").contains("does not answer"));
}

#[test]
fn a_policy_gives_each_host_a_cluster_of_its_own_when_it_onboards() {
    let mut s = Site::default().with_template();
    s.put(
        Kind::Policy,
        "auto.retail.acme",
        json!({"target": {"kind": "Site", "name": "till"}, "cluster": {"mode": "single"}}),
    );
    s.running("a", &[]);
    s.host("b", "till", State::Pending, &[]);
    s.host("c", "depot", State::Running { until: Timestamp(i64::MAX) }, &[]);
    s.settle();
    assert_eq!(s.told(), ["a:a"]);
    s.running("b", &[]);
    s.settle();
    assert_eq!(s.told(), ["a:a", "b:b"]);
}

#[test]
fn add_ons_of_the_template_come_with_the_cluster_and_go_with_it() {
    let mut s = Site::default().with_template();
    s.put(Kind::Package, "dns-1.acme", package("dns", "1.0.0", json!({})));
    s.put(
        Kind::ClusterTemplate,
        "edge.acme",
        json!({"version": "1.1.0", "distribution": "plain", "default": true,
        "addons": [{"package": "dns"}]}),
    );
    s.running("a", &[]);
    s.put(C, "shop.retail.acme", json!({"hosts": ["a"]}));
    s.settle();
    assert_eq!(s.told(), ["a:dns", "a:shop"]);
    assert_eq!(s.condition(C, "shop.retail.acme", "AddonsReady"), "True/Ready: all 1 add-ons are ready");
    let cluster = s.uid(C, "shop.retail.acme");
    let addon = addon_uid(cluster, "dns");
    assert_eq!(addon.0.get_version_num(), 5);
    let rows = s.rows.clone();
    let got = desired(&s.index, &rows, s.registry.as_ref());
    assert_eq!((got.node.is_some(), got.releases.len()), (true, 1));
    assert_eq!(got.releases[0].deployment, addon.0);
    s.put(
        Kind::ClusterTemplate,
        "edge.acme",
        json!({"version": "1.2.0", "distribution": "plain", "default": true}),
    );
    s.settle();
    assert_eq!(s.told(), ["a:dns", "a:shop"], "it was made with it");
    s.delete(C, "shop.retail.acme");
    s.settle();
    assert_eq!(s.rows, []);
}
