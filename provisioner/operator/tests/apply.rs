//! `POST /apply` over real HTTP, on both engines.
#![allow(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod support;

use serde_json::{Value, json};
use support::{Site, manifest};

async fn apply(site: &Site, items: Value) -> Vec<Value> {
    let answer = site.call("POST", "/api/v1/apply", Some(json!({"items": items}))).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["items"].as_array().unwrap().clone()
}

fn actions(items: &[Value]) -> Vec<&str> {
    items.iter().map(|i| i["action"].as_str().unwrap()).collect()
}

fn tree() -> Value {
    json!([
        manifest("Host", ("retail.acme", "till-1"), json!({"serial": "S1", "site": "store-1"})),
        manifest("Site", ("retail.acme", "store-1"), json!({"region": "berlin"})),
        manifest("Region", ("retail.acme", "berlin"), json!({"parent": "eu"})),
        manifest("Region", ("retail.acme", "eu"), json!({})),
        manifest("Project", ("acme", "retail"), json!({})),
        manifest("Organisation", ("", "acme"), json!({"settings": {"ntp": "10.0.0.1"}})),
    ])
}

on_both_engines! {
    async fn children_first_works_and_a_second_time_changes_nothing(site: &Site) {
        let dry = site.call("POST", "/api/v1/apply", Some(json!({"items": tree(), "dryRun": true}))).await.json();
        assert_eq!(actions(dry["items"].as_array().unwrap()), ["created"; 6], "{dry}");
        assert_eq!(site.get("/api/v1/organisations/acme").await.problem(), "not-found");
        let first = apply(site, tree()).await;
        assert_eq!(actions(&first), ["created"; 6], "{first:?}");
        assert_eq!(first[0]["object"]["kind"], "Host");
        assert_eq!(actions(&apply(site, tree()).await), ["unchanged"; 6]);
    }

    async fn fields_that_others_set_stay_and_fields_that_are_no_longer_said_go(site: &Site) {
        apply(site, tree()).await;
        site.call("PATCH", "/api/v1/sites/store-1", Some(json!({"metadata": {"labels": {"by-hand": "1"}}}))).await;
        let next = json!([manifest("Site", ("retail.acme", "store-1"), json!({"timezone": "Europe/Berlin"}))]);
        let items = apply(site, next).await;
        assert_eq!(actions(&items), ["configured"]);
        assert_eq!(items[0]["diff"], json!([
            {"path": "spec.region", "before": "berlin"},
            {"path": "spec.timezone", "after": "Europe/Berlin"},
        ]));
        let object = &items[0]["object"];
        assert_eq!(object["metadata"]["labels"], json!({"by-hand": "1"}));
        assert_eq!(object["spec"], json!({"timezone": "Europe/Berlin"}));
    }

    async fn one_that_fails_stops_only_those_that_need_it(site: &Site) {
        let items = apply(site, json!([
            manifest("Organisation", ("", "acme"), json!({})),
            manifest("Project", ("acme", "Retail!"), json!({})),
            manifest("Site", ("retail.acme", "store-1"), json!({})),
            manifest("Project", ("acme", "wholesale"), json!({})),
            {"kind": "Sight", "metadata": {"name": "x"}},
            manifest("Region", ("wholesale.acme", "a"), json!({"parent": "b"})),
            manifest("Region", ("wholesale.acme", "b"), json!({"parent": "a"})),
        ])).await;
        assert_eq!(actions(&items), ["created", "failed", "failed", "created", "failed", "failed", "failed"], "{items:?}");
        assert_eq!(items[2]["problem"]["status"], 404);
        assert!(items[4]["problem"].to_string().contains("Site"), "{}", items[4]);
    }

    async fn too_many_are_refused(site: &Site) {
        let many: Vec<Value> = (0..1001).map(|_| json!({})).collect();
        let answer = site.call("POST", "/api/v1/apply", Some(json!({"items": many}))).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["field"]), (422, &json!("items")));
    }

    async fn a_policy_that_is_applied_dryly_tells_what_hosts_feel(site: &Site) {
        apply(site, tree()).await;
        let body = json!({"dryRun": true, "namespace": "retail.acme", "items": [
            {"apiVersion": "cairn/v1", "kind": "Policy", "metadata": {"name": "p"}, "spec": {"boot": {"network": "deny"}}}]});
        let answer = site.call("POST", "/api/v1/apply", Some(body)).await.json();
        assert_eq!(answer["items"][0]["affected"]["hosts"], 1, "{answer}");
    }
}
