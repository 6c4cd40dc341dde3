//! What makes no sense is refused with its place and what to do; on both engines.
#![allow(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod support;

use http_body_util::Full;
use serde_json::{Value, json};
use support::{Answer, Site, TOKEN, manifest};

async fn raw(site: &Site, path: &str, body: impl Into<bytes::Bytes>) -> Answer {
    let token = format!("Bearer {TOKEN}");
    let headers = [("authorization", token.as_str()), ("content-type", "application/json")];
    site.send("POST", path, &headers, Full::new(body.into())).await
}

fn refused(answer: &Answer) -> (u16, String, Value) {
    (answer.status.as_u16(), answer.problem(), answer.json()["field"].clone())
}

on_both_engines! {
    async fn values_are_refused_by_field(site: &Site) {
        site.tree("acme").await;
        let here = |name: &'static str| ("retail.acme", name);
        for (answer, problem, field) in [
            (site.post("Region", here("a"), json!({"parent": "nowhere"})).await, "invalid", "spec.parent"),
            (site.post("Site", here("a"), json!({"region": "nowhere"})).await, "invalid", "spec.region"),
            (site.post("Site", here("a"), json!({"timezone": "Mars/Base"})).await, "invalid", "spec.timezone"),
            (site.post("Site", here("a"), json!({"regoin": "eu"})).await, "unknown-field", "spec.regoin"),
            (site.post("Site", here("Not A Name"), json!({})).await, "invalid", "metadata.name"),
            (site.post("Host", here("a"), json!({})).await, "invalid", "spec"),
            (site.post("Host", here("a"), json!({"macs": ["zz"]})).await, "invalid", "spec.macs"),
            (site.post("Host", here("a"), json!({"serial": "1", "disk": {"size": 1}})).await, "unknown-field", "spec.disk.size"),
            (site.post("Policy", here("a"), json!({"boot": {"maxAttempts": -1}})).await, "invalid", "spec.boot.maxAttempts"),
            (site.post("Policy", here("a"), json!({"boot": {"network": "alow"}})).await, "invalid", "spec.boot.network"),
        ] {
            assert_eq!(refused(&answer), (422, problem.to_owned(), json!(field)), "{}", answer.text);
            assert!(!answer.json()["next"].as_str().unwrap().is_empty(), "{}", answer.text);
        }
        let near = site.post("Site", here("a"), json!({"regoin": "eu"})).await;
        assert!(near.json()["next"].as_str().unwrap().contains("region"), "{}", near.text);
        let kind = raw(site, "/api/v1/sites", r#"{"apiVersion":"cairn/v1","kind":"Sight","metadata":{"name":"a"}}"#).await;
        assert!(kind.json()["next"].as_str().unwrap().contains("Site"), "{}", kind.text);
    }

    async fn a_region_cannot_lie_in_itself(site: &Site) {
        site.tree("acme").await;
        let cycle = site.call("PATCH", "/api/v1/regions/eu", Some(json!({"spec": {"parent": "berlin"}}))).await;
        assert_eq!(cycle.json()["field"], "spec.parent", "{}", cycle.text);
        assert!(matches!(cycle.status.as_u16(), 409 | 422));
        let full = site.call("DELETE", "/api/v1/regions/eu", None).await;
        assert_eq!((full.status.as_u16(), full.problem().as_str()), (409, "conflict"), "{}", full.text);
    }

    async fn names_clash_only_in_one_namespace(site: &Site) {
        site.tree("acme").await;
        site.tree("beta").await;
        let twice = site.post("Site", ("retail.acme", "store-1"), json!({})).await;
        assert_eq!((twice.status.as_u16(), twice.json()["field"].clone()), (409, json!("metadata.name")));
        let nowhere = site.post("Site", ("no.acme", "store-1"), json!({})).await;
        assert_eq!((nowhere.status.as_u16(), nowhere.problem().as_str()), (404, "not-found"));
        let level = site.post("Site", ("acme", "store-1"), json!({})).await;
        assert_eq!(level.json()["field"], "metadata.namespace");
    }

    async fn bodies_that_are_no_json_or_too_much_are_refused(site: &Site) {
        let site_of = |extra: &str| format!(r#"{{"apiVersion":"cairn/v1","kind":"Site","metadata":{{"name":"a"}}{extra}}}"#);
        for body in ["", "[]", "null", "{", "\"x\"", "{} {}", "{\"a\":1,}", "\u{feff}{}"] {
            let answer = raw(site, "/api/v1/sites", body.to_owned()).await;
            assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (400, "malformed"), "{body}");
        }
        let twice = raw(site, "/api/v1/sites", site_of(r#","spec":{"region":"a","region":"b"}"#)).await;
        assert_eq!(twice.status, 422, "{}", twice.text);
        assert!(twice.text.contains("twice"), "{}", twice.text);
        let deep = site_of(&format!(",\"spec\":{}1{}", "{\"a\":".repeat(50_000), "}".repeat(50_000)));
        assert_eq!(raw(site, "/api/v1/sites", deep).await.problem(), "malformed");
        let binary = raw(site, "/api/v1/sites", vec![0xff_u8, 0xfe, 0x00]).await;
        assert_eq!(binary.problem(), "malformed");
        let labels: serde_json::Map<String, Value> = (0..500).map(|i| (format!("k{i}"), json!("v"))).collect();
        let mut many = manifest("Site", ("", "a"), json!({}));
        many["metadata"]["labels"] = json!(labels);
        assert_eq!(site.call("POST", "/api/v1/sites", Some(many.clone())).await.json()["field"], "metadata.labels");
        many["metadata"]["labels"] = json!({"k": "x".repeat(64)});
        assert_eq!(site.call("POST", "/api/v1/sites", Some(many)).await.json()["field"], "metadata.labels");
        let several = site.post("Site", ("", "A"), json!({"regoin": "x", "timezone": 1})).await.json();
        assert_eq!(several["errors"].as_array().unwrap().len(), 3, "{several}");
    }

    async fn paths_that_are_odd_are_not_found_and_break_nothing(site: &Site) {
        for path in ["%ff", "%00", "..", "a.b.c.d.e", "%2e%2e%2fhosts", "%F0%9F%92%A9", "00000000-0000-0000-0000-000000000000"] {
            let answer = site.get(&format!("/api/v1/sites/{path}")).await;
            assert!(matches!(answer.status.as_u16(), 400 | 404), "{path}: {}", answer.status);
            answer.problem();
        }
        assert_eq!(site.get("/healthz").await.status, 200);
    }
}
