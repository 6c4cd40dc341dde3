//! What cannot be applied is told, with names, and harms nothing else.

use cairn_contract::workload::{Phase, placeholder};
use serde_json::json;
use uuid::Uuid;

use crate::site::{Site, config_map, order, with_password};

/// Two owners and foreign fields are conflicts with names.
pub(crate) async fn owners(site: &Site) {
    let one = order(1, &[("web", vec![config_map("settings", &[("a", "1")])])]);
    let two = order(2, &[("web", vec![config_map("settings", &[("a", "2")]), config_map("own", &[])])]);
    site.apply(vec![one.clone()]).await;
    site.applier.want(vec![one.clone(), two.clone()]);
    let seen =
        site.until("the conflict", |all| all.iter().any(|r| r.reason == "OwnedByAnotherDeployment")).await;
    let told = &seen[1].message;
    assert!(
        told.contains("d1.acme") && told.contains("d2.acme") && told.contains("ConfigMap shop/settings"),
        "{told}"
    );
    assert_eq!((seen[0].phase, seen[1].phase), (Phase::Ready, Phase::Failed));
    assert_eq!(site.kubectl("get configmap settings -n shop -o jsonpath={.data.a}"), "1");
    // It resolves itself when the other gives the object up.
    site.apply(vec![two]).await;
    assert_eq!(site.kubectl("get configmap settings -n shop -o jsonpath={.data.a}"), "2");
    site.applier.want(Vec::new());
    site.until("nothing", <[_]>::is_empty).await;

    // What is marked as another's is not deleted, whatever our inventory says.
    site.apply(vec![order(4, &[("web", vec![config_map("taken", &[])])])]).await;
    site.kubectl(&format!(
        "label --overwrite configmap taken -n shop cairn.dev/deployment={}",
        Uuid::from_u128(5)
    ));
    site.empty().await;
    assert!(site.has("configmap taken -n shop"));

    // Somebody else's object: a field that differs is a conflict, the rest is added, and it outlives us.
    site.kubectl("create configmap found -n shop --from-literal=a=theirs");
    site.applier.want(vec![order(3, &[("web", vec![config_map("found", &[("a", "ours")])])])]);
    let seen = site.until("the conflict", |all| all.iter().any(|r| r.reason == "FieldConflict")).await;
    assert!(seen[0].message.contains(".data.a is set by kubectl-create"), "{}", seen[0].message);
    site.apply(vec![order(3, &[("web", vec![config_map("found", &[("b", "ours")])])])]).await;
    assert_eq!(site.get("configmap found -n shop")["data"], json!({"a": "theirs", "b": "ours"}));
    site.applier.want(Vec::new());
    site.until("nothing", <[_]>::is_empty).await;
    let left = site.get("configmap found -n shop");
    assert_eq!(left["data"], json!({"a": "theirs"}));
    assert_eq!(left["metadata"].get("labels"), None);
}

/// Bad objects are told, and keep no secrets in their words.
pub(crate) async fn bad_objects(site: &Site) {
    let unknown =
        json!({"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": {"name": "tls"}});
    let newer = json!({"apiVersion": "policy/v9", "kind": "PodDisruptionBudget", "metadata": {"name": "b"}});
    let value = placeholder(Uuid::from_u128(3), "password");
    // Refused, with words that would repeat the value.
    let leak = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"},
        "spec": {"type": value, "ports": [{"port": 80}]}});
    let large = config_map("large", &[("a", &"x".repeat(3 << 20))]);
    let orders = vec![
        order(1, &[("web", vec![config_map("fine", &[]), unknown])]),
        order(2, &[("web", vec![newer])]),
        with_password(order(3, &[("web", vec![leak])]), "hunter2"),
        order(4, &[("web", vec![large])]),
        order(5, &[("one", vec![config_map("x", &[])]), ("two", vec![config_map("x", &[])])]),
        with_password(
            order(6, &[("web", vec![config_map("m", &[("a", &placeholder(Uuid::nil(), "gone"))])])]),
            "hunter2",
        ),
    ];
    site.applier.want(orders);
    let seen = site
        .until("all troubles", |all| all.len() == 6 && all.iter().all(|r| r.phase == Phase::Failed))
        .await;
    let reasons: Vec<&str> = seen.iter().map(|r| r.reason.as_str()).collect();
    assert_eq!(
        reasons,
        ["KindUnknown", "KindUnknown", "Refused", "TooLarge", "DuplicateObject", "SecretMissing"]
    );
    assert!(
        seen[0].message.contains("CustomResourceDefinition of Certificate.cert-manager.io"),
        "{}",
        seen[0].message
    );
    assert!(seen[1].message.contains("but in policy/v1"), "{}", seen[1].message);
    assert!(seen[2].message.contains("spec.type"), "{}", seen[2].message);
    assert!(!format!("{seen:?}").contains("hunter2"));
    assert!(site.has("configmap fine -n shop"), "what comes before the unknown kind is applied");
    // The kind appears: nothing has to be ordered again.
    site.create(&crate::site::definition("cert-manager.io", "Certificate", "Namespaced"));
    site.until("the certificate", |all| {
        all.iter().any(|r| r.deployment == Uuid::from_u128(1) && r.phase == Phase::Ready)
    })
    .await;
    assert!(site.has("certificate tls -n shop"));
}
