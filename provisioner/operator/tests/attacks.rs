//! What an attack on the control plane found, each held to what is right now.
#![allow(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod desk;

use desk::{Desk, LOCAL};
use futures_util::future::join_all;
use serde_json::{Value, json};

/// What is told but for the name of the place that was tried.
fn told(answer: &desk::Answer, place: &str) -> (u16, String) {
    (answer.status.as_u16(), answer.text.replace(place, "PLACE"))
}

on_both_engines! {
    async fn a_move_into_another_tenant_tells_nothing_of_what_is_there(desk: &Desk) {
        desk.two_tenants().await;
        desk.make("Project", "acme", "vault", json!({})).await;
        for (namespace, site) in [("retail.acme", "main"), ("vault.acme", "cellar"), ("retail.other", "attic")] {
            desk.make("Site", namespace, site, json!({})).await;
            desk.make("Host", namespace, &format!("host-{site}"), json!({"serial": format!("S-{site}")})).await;
        }
        let anna = desk.log_in("anna").await;
        for (real, missing, site) in [("vault.acme", "vauls.acme", "cellar"), ("retail.other", "retail.othes", "attic")] {
            for name in ["host-main", &format!("host-{site}")] {
                for spec in [json!({}), json!({"site": site}), json!({"site": "nowhere"}), json!({"site": null})] {
                    let patch = |namespace: &str| json!({"metadata": {"namespace": namespace, "name": name}, "spec": spec});
                    let line = "PATCH /hosts/host-main.retail.acme";
                    let there = desk.call(&anna, line, patch(real)).await;
                    let nowhere = desk.call(&anna, line, patch(missing)).await;
                    assert_eq!(told(&there, real), told(&nowhere, missing), "{spec}");
                    assert_eq!(there.status, 404, "{}", there.text);
                }
            }
            for site in [json!(site), json!("nowhere"), Value::Null] {
                let body = |namespace: &str| json!({"namespace": namespace, "site": site});
                let line = "POST /hosts/host-main.retail.acme/move";
                let there = desk.call(&anna, line, body(real)).await;
                let nowhere = desk.call(&anna, line, body(missing)).await;
                assert_eq!(told(&there, real), told(&nowhere, missing), "{site}");
            }
        }
        let patch = json!({"metadata": {"namespace": "vault.acme"}, "spec": {"site": "cellar"}});
        let moved = desk.call(LOCAL, "PATCH /hosts/host-main.retail.acme", patch).await;
        assert_eq!(moved.status, 200, "{}", moved.text);
    }

    async fn a_hidden_site_of_the_same_project_is_as_one_that_does_not_exist(desk: &Desk) {
        desk.two_tenants().await;
        for site in ["berlin", "zurich"] {
            desk.make("Site", "retail.acme", site, json!({})).await;
        }
        desk.make("Host", "retail.acme", "till-1", json!({"serial": "S1", "site": "berlin"})).await;
        let token = json!({"role": "site-operator", "at": {"kind": "Site", "name": "berlin"}, "expires": "2027-03-01T00:00:00Z"});
        let token = desk.make("Token", "retail.acme", "guard", token).await["secret"].as_str().unwrap().to_owned();
        for line in ["PATCH /hosts/till-1", "POST /hosts/till-1/move"] {
            let mut answers = Vec::new();
            // Hidden; missing but like the hidden one; missing.
            for site in ["zurich", "zuricc", "nowhe"] {
                let body = if line.starts_with("PATCH") { json!({"spec": {"site": site}}) } else { json!({"site": site}) };
                answers.push(told(&desk.call(&token, line, body).await, site));
            }
            assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
            assert!(!answers[0].1.contains("zurich"), "{answers:?}");
        }
        let near = desk.call(&token, "PATCH /hosts/till-1", json!({"spec": {"site": "berlim"}})).await;
        assert!(near.json()["next"].as_str().unwrap().contains("berlin"), "{}", near.text);
    }

    async fn of_many_writers_at_once_each_gets_through(desk: &Desk) {
        desk.two_tenants().await;
        desk.make("Site", "retail.acme", "main", json!({})).await;
        desk.make("Host", "retail.acme", "till-1", json!({"serial": "S1"})).await;
        for path in ["/sites/main.retail.acme", "/hosts/till-1.retail.acme"] {
            let line = format!("PATCH {path}");
            let writers = (0..24).map(|i| {
                let label = json!({"metadata": {"labels": {format!("w-{i}"): "1"}}});
                desk.call(LOCAL, &line, label)
            });
            for answer in join_all(writers).await {
                assert_eq!(answer.status, 200, "{path} {}", answer.text);
            }
            let now = desk.call(LOCAL, &format!("GET {path}"), Value::Null).await.json();
            assert_eq!(now["metadata"]["labels"].as_object().unwrap().len(), 24, "{path}");
        }
    }

    async fn a_host_for_a_site_that_is_being_removed_is_no_error_of_the_server(desk: &Desk) {
        desk.two_tenants().await;
        for i in 0..8 {
            desk.make("Site", "retail.acme", "gone", json!({})).await;
            let manifest = json!({
                "apiVersion": "cairn/v1", "kind": "Host",
                "metadata": {"name": "till-1", "namespace": "retail.acme"},
                "spec": {"site": "gone", "serial": format!("S{i}")},
            });
            let removal = desk.call(LOCAL, "DELETE /sites/gone.retail.acme", Value::Null);
            let (removed, made) = tokio::join!(removal, desk.call(LOCAL, "POST /hosts", manifest));
            match (removed.status.as_u16(), made.status.as_u16()) {
                (204, 404 | 409 | 422) => {}
                (409, 201) => {
                    desk.call(LOCAL, "DELETE /hosts/till-1.retail.acme", Value::Null).await;
                    desk.call(LOCAL, "DELETE /sites/gone.retail.acme", Value::Null).await;
                }
                _ => panic!("{} {}: {}", removed.status, made.status, made.text),
            }
        }
    }
}
