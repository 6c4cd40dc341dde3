//! From nothing to ready, to another revision, to nothing.

use cairn_contract::workload::{Phase, placeholder};
use serde_json::json;
use uuid::Uuid;

use crate::site::{Site, config_map, definition, order, with_password};

fn secret(id: u128) -> serde_json::Value {
    let text = format!("postgres://user:{}@db", placeholder(Uuid::from_u128(id), "password"));
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "stringData": {"url": text}})
}

/// A release comes in order, changes, and leaves.
pub(crate) async fn life(site: &Site) {
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": "shop-reader", "namespace": "shop"}, "rules": []});
    // The kind comes with the release itself, and its object stands before it in the blob.
    let gadget = json!({"apiVersion": "cairn.test/v1", "kind": "Gadget", "metadata": {"name": "one"}, "spec": {"size": 1}});
    let first = vec![gadget, definition("cairn.test", "Gadget", "Namespaced"), secret(1), role];
    let one = order(1, &[("base", first), ("after", vec![config_map("late", &[("a", "1")])])]);

    // Without values only what needs none is begun.
    site.applier.want(vec![one.clone()]);
    let seen =
        site.until("the missing values", |all| all.iter().any(|r| r.reason == "SecretsNotFetched")).await;
    assert_eq!(seen[0].applications[1].phase, Phase::Waiting);
    assert!(!site.has("configmap late -n shop"));

    let one = with_password(one, "hunter2");
    let seen = site.apply(vec![one.clone()]).await;
    assert_eq!(seen[0].applications.len(), 2);
    let url = site.kubectl("get secret db -n shop -o jsonpath={.data.url}");
    assert_eq!(url, "cG9zdGdyZXM6Ly91c2VyOmh1bnRlcjJAZGI=");
    let owner = site.kubectl("get gadget one -n shop -o jsonpath={.metadata.labels.cairn\\.dev/deployment}");
    assert_eq!(owner, Uuid::from_u128(1).to_string());
    let inventory = site.kubectl("get configmap -n cairn-system -o json");
    assert!(inventory.contains("Gadget") && !inventory.contains("hunter2"));
    assert!(!format!("{seen:?}").contains("hunter2"));

    // Another value alone is another object.
    site.applier.want(vec![with_password(one, "other")]);
    site.eventually("the other password", |s| {
        s.kubectl("get secret db -n shop -o jsonpath={.data.url}") == "cG9zdGdyZXM6Ly91c2VyOm90aGVyQGRi"
    })
    .await;

    // Another revision: what is not in it goes, after the new is there.
    let two = order(
        1,
        &[("base", vec![config_map("new", &[])]), ("after", vec![config_map("late", &[("a", "2")])])],
    );
    site.apply(vec![two]).await;
    site.eventually("the old to go", |s| !s.has("secret db -n shop") && !s.has("crd gadgets.cairn.test"))
        .await;
    assert!(!site.has("clusterrole shop-reader") && site.has("configmap new -n shop"));
    assert_eq!(site.kubectl("get configmap late -n shop -o jsonpath={.data.a}"), "2");

    // A finalizer holds it up, and is not taken off.
    site.kubectl(
        "patch configmap new -n shop --type=merge -p {\"metadata\":{\"finalizers\":[\"cairn.test/hold\"]}}",
    );
    site.applier.want(Vec::new());
    let seen = site.until("the removal", |all| all.iter().any(|r| r.phase == Phase::Removing)).await;
    assert_eq!(seen.len(), 1);
    site.eventually("the other to go", |s| !s.has("configmap late -n shop")).await;
    assert!(site.has("configmap new -n shop"));
    site.kubectl("patch configmap new -n shop --type=merge -p {\"metadata\":{\"finalizers\":null}}");
    site.until("nothing", <[_]>::is_empty).await;
    assert!(!site.has("configmap new -n shop"));
    assert_eq!(site.kubectl("get configmap -n cairn-system -l cairn.dev/inventory -o name"), "");
}

/// Another revision of a job is another job; what else cannot be changed in place is told, or replaced where that is asked for.
pub(crate) async fn replacement(site: &Site) {
    let job = |image: &str| {
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "migrate"}, "spec": {"template": {"spec": {
            "restartPolicy": "Never", "containers": [{"name": "a", "image": image, "ports": [{"containerPort": 80}]}]}}}})
    };
    let image = |s: &Site| s.kubectl("get job migrate -n shop --ignore-not-found -o jsonpath={..image}");
    for wanted in ["registry.test/a:1", "registry.test/a:2"] {
        site.applier.want(vec![order(8, &[("web", vec![job(wanted)])])]);
        site.eventually("the job", |s| image(s) == wanted).await;
    }
    let fixed = |kind: &str, replace: &str| json!({"apiVersion": "v1", "kind": "Secret", "type": kind, "metadata": {"name": "s", "annotations": {"cairn.dev/replace": replace}}});
    site.apply(vec![order(8, &[("web", vec![fixed("one", "no")])])]).await;
    site.applier.want(vec![order(8, &[("web", vec![fixed("two", "no")])])]);
    site.until("the refusal", |all| all[0].reason == "ImmutableField").await;
    site.apply(vec![order(8, &[("web", vec![fixed("two", "true")])])]).await;
    assert_eq!(site.kubectl("get secret s -n shop -o jsonpath={.type}"), "two");
}
