//! Resources over real HTTP: made, read, listed, changed, deleted; on both engines.
#![allow(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod support;

use http_body_util::Full;
use serde_json::{Value, json};
use support::{Answer, Site, TOKEN};

async fn with(site: &Site, method: &str, path: &str, headers: &[(&str, &str)], body: Value) -> Answer {
    let token = format!("Bearer {TOKEN}");
    let mut all = vec![("authorization", token.as_str()), ("content-type", "application/json")];
    all.extend(headers);
    site.send(method, path, &all, Full::from(body.to_string())).await
}

fn names(list: &Value) -> Vec<String> {
    let name = |o: &Value| o["metadata"]["name"].as_str().unwrap().to_owned();
    list["items"].as_array().unwrap().iter().map(name).collect()
}

on_both_engines! {
    async fn what_is_made_is_read_changed_and_deleted(site: &Site) {
        site.tree("acme").await;
        let made = site.post("Site", ("retail.acme", "store-2"), json!({"region": "eu", "timezone": "Europe/Berlin"})).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let object = made.json();
        let uid = object["metadata"]["uid"].as_str().unwrap();
        assert_eq!(made.headers["location"], format!("/api/v1/sites/{uid}"));
        let version = object["metadata"]["resourceVersion"].as_str().unwrap();
        assert_eq!(made.headers["etag"], format!("\"{version}\""));
        assert_eq!((&object["apiVersion"], &object["kind"]), (&json!("cairn/v1"), &json!("Site")));
        for key in [uid, "store-2.retail.acme", "store-2"] {
            assert_eq!(site.get(&format!("/api/v1/sites/{key}")).await.json(), object, "{key}");
        }
        let patch = json!({"metadata": {"labels": {"tier": "one"}}, "spec": {"region": null}});
        let changed = site.call("PATCH", "/api/v1/sites/store-2", Some(patch)).await.json();
        assert_eq!(changed["metadata"]["labels"], json!({"tier": "one"}));
        assert_eq!(changed["spec"], json!({"timezone": "Europe/Berlin"}));
        assert_eq!(changed["metadata"]["generation"], 2);
        let mut whole = changed.clone();
        whole["spec"] = json!({"displayName": "Two"});
        let replaced = site.call("PUT", "/api/v1/sites/store-2", Some(whole)).await.json();
        assert_eq!(replaced["spec"], json!({"displayName": "Two"}));
        assert_eq!(replaced["metadata"]["labels"], json!({"tier": "one"}));
        let gone = site.call("DELETE", "/api/v1/sites/store-2", None).await;
        assert_eq!((gone.status.as_u16(), gone.text.as_str()), (204, ""));
        assert_eq!(site.get(&format!("/api/v1/sites/{uid}")).await.problem(), "not-found");
    }

    async fn every_kind_is_listed_and_of_another_kind_is_not_taken(site: &Site) {
        for kind in cairn_domain::model::Kind::ALL {
            let list = site.get(&format!("/api/v1/{}", kind.plural())).await;
            assert_eq!(list.status, 200, "{}", list.text);
            let list = list.json();
            assert_eq!(list["kind"], format!("{kind}List"));
            assert!(list["metadata"]["resourceVersion"].as_str().unwrap().parse::<i64>().is_ok());
        }
        let body = support::manifest("Project", ("default", "p"), json!({}));
        let refused = site.call("POST", "/api/v1/sites", Some(body)).await;
        assert_eq!((refused.status.as_u16(), refused.json()["field"].clone()), (422, json!("kind")));
        let unknown = site.get("/api/v1/hots").await;
        assert_eq!(unknown.problem(), "not-found");
        assert!(unknown.json()["next"].as_str().unwrap().contains("hosts"), "{}", unknown.text);
    }

    async fn pages_hold_each_once_while_others_come_and_go(site: &Site) {
        site.tree("acme").await;
        for i in 0..12 {
            site.make("Site", ("retail.acme", &format!("s-{i:02}")), json!({})).await;
        }
        let mut seen = Vec::new();
        let mut path = "/api/v1/sites?limit=5&namespace=acme".to_owned();
        loop {
            let list = site.get(&path).await.json();
            seen.extend(names(&list));
            if seen.len() == 5 {
                // What the cursor stands on may go.
                site.call("DELETE", &format!("/api/v1/sites/{}.retail.acme", seen[4]), None).await;
                site.make("Site", ("retail.acme", "a-first"), json!({})).await;
            }
            let Some(next) = list["metadata"]["continue"].as_str() else { break };
            path = format!("/api/v1/sites?limit=5&namespace=acme&continue={next}");
        }
        let expected: Vec<String> = (0..12).map(|i| format!("s-{i:02}")).chain(["store-1".to_owned()]).collect();
        assert_eq!(seen, expected);
        for (query, field) in [("limit=0", "limit"), ("limit=501", "limit"), ("continue=x", "continue"),
            ("labelSelector=a%3D%3D%3Db", "labelSelector"), ("fieldSelector=spec.sight%3Da", "fieldSelector"),
            ("namespace=a.b.c", "namespace"), ("limt=1", "limt")] {
            let refused = site.get(&format!("/api/v1/sites?{query}")).await;
            assert_eq!((refused.status.as_u16(), &refused.json()["field"]), (422, &json!(field)), "{query}");
        }
    }

    async fn selectors_see_inherited_labels_and_fields(site: &Site) {
        site.tree("acme").await;
        site.make("Host", ("retail.acme", "till-1"), json!({"site": "store-1", "serial": "S1"})).await;
        site.make("Host", ("default.default", "till-2"), json!({"serial": "S2"})).await;
        let labels = json!({"metadata": {"labels": {"env": "prod"}}});
        site.call("PATCH", "/api/v1/regions/eu", Some(labels)).await;
        let found = |query: &'static str| async move { names(&site.get(&format!("/api/v1/hosts?{query}")).await.json()) };
        assert_eq!(found("labelSelector=env%20in%20(prod,test)").await, ["till-1"]);
        assert_eq!(found("labelSelector=!env").await, ["till-2"]);
        assert_eq!(found("fieldSelector=spec.serial%3DS2").await, ["till-2"]);
        assert_eq!(found("fieldSelector=status.phase!%3Dregistered").await, Vec::<String>::new());
        let effective = site.get("/api/v1/hosts/till-1/effective").await.json();
        assert_eq!(effective["labels"][0]["value"], "prod");
        assert_eq!(effective["labels"][0]["source"], json!({"kind": "Region", "name": "eu.retail.acme"}));
        assert!(effective["policies"].as_array().unwrap().iter().any(|p| p["field"] == "boot.network"));
    }

    async fn a_stale_version_is_refused_and_names_the_present_one(site: &Site) {
        site.tree("acme").await;
        let old = site.get("/api/v1/regions/eu").await;
        let new = site.call("PATCH", "/api/v1/regions/eu", Some(json!({"spec": {"displayName": "Europe"}}))).await;
        let version = new.json()["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
        let mut body = old.json();
        body["spec"] = json!({"displayName": "EU"});
        let stale = site.call("PUT", "/api/v1/regions/eu", Some(body.clone())).await;
        assert_eq!((stale.status.as_u16(), stale.problem().as_str()), (409, "conflict"));
        assert!(stale.text.contains(&version), "{}", stale.text);
        let tag = old.headers["etag"].to_str().unwrap();
        for method in ["PATCH", "DELETE"] {
            let stale = with(site, method, "/api/v1/regions/eu", &[("if-match", tag)], json!({})).await;
            assert_eq!((stale.status.as_u16(), stale.problem().as_str()), (412, "precondition-failed"));
            assert!(stale.text.contains(&version), "{}", stale.text);
        }
        let tag = new.headers["etag"].to_str().unwrap();
        let done = with(site, "PATCH", "/api/v1/regions/eu", &[("if-match", tag)], json!({"spec": {"displayName": "E"}})).await;
        assert_eq!(done.status, 200, "{}", done.text);
    }

    async fn a_dry_run_says_what_hosts_would_feel_and_writes_nothing(site: &Site) {
        site.tree("acme").await;
        for i in 0..3 {
            site.make("Host", ("retail.acme", &format!("till-{i}")), json!({"site": "store-1", "serial": format!("S{i}")})).await;
        }
        site.make("Host", ("default.default", "elsewhere"), json!({"serial": "E"})).await;
        let before = site.get("/api/v1/regions/eu").await.json();
        let patch = json!({"metadata": {"labels": {"env": "prod"}}, "spec": {"settings": {"ntp": "10.0.0.1"}}});
        let dry = site.call("PATCH", "/api/v1/regions/eu?dryRun=true", Some(patch)).await.json();
        assert_eq!(dry["metadata"]["labels"], json!({"env": "prod"}));
        assert_eq!(dry["affected"]["hosts"], 3);
        let changes = json!([{"path": "labels.env", "after": "prod"}, {"path": "settings.ntp", "after": "10.0.0.1"}]);
        assert_eq!(dry["affected"]["sample"][0], json!({"name": "till-0.retail.acme", "changes": changes}));
        assert_eq!(site.get("/api/v1/regions/eu").await.json(), before);
        let spec = json!({"target": {"kind": "Site", "name": "store-1"}, "boot": {"network": "deny"}});
        let body = support::manifest("Policy", ("retail.acme", "quiet"), spec);
        let dry = site.call("POST", "/api/v1/policies?dryRun=true", Some(body)).await;
        assert_eq!(dry.status, 200, "{}", dry.text);
        assert_eq!(dry.json()["affected"]["hosts"], 3, "{}", dry.text);
        assert_eq!(dry.json()["affected"]["sample"][0]["changes"][0],
            json!({"path": "policies.boot.network", "before": "allow", "after": "deny"}));
        assert_eq!(names(&site.get("/api/v1/policies").await.json()), Vec::<String>::new());
        let host = support::manifest("Host", ("retail.acme", "till-9"), json!({"serial": "S1"}));
        let taken = site.call("POST", "/api/v1/hosts?dryRun=true", Some(host)).await;
        assert_eq!((taken.status.as_u16(), &taken.json()["field"]), (409, &json!("spec.serial")), "{}", taken.text);
    }

    async fn a_bare_name_of_several_lists_them(site: &Site) {
        site.tree("acme").await;
        site.tree("beta").await;
        let several = site.get("/api/v1/sites/store-1").await;
        assert_eq!(several.problem(), "not-found");
        assert!(several.text.contains("store-1.retail.acme, store-1.retail.beta"), "{}", several.text);
    }

    async fn the_same_key_gets_the_same_answer(site: &Site) {
        site.tree("acme").await;
        let body = support::manifest("Site", ("retail.acme", "store-9"), json!({}));
        let key = [("idempotency-key", "k-1")];
        let first = with(site, "POST", "/api/v1/sites", &key, body.clone()).await;
        assert_eq!(first.status, 201, "{}", first.text);
        assert!(!first.headers.contains_key("idempotent-replayed"));
        let again = with(site, "POST", "/api/v1/sites", &key, body.clone()).await;
        assert_eq!((again.status, &again.text), (first.status, &first.text));
        assert_eq!(again.headers["idempotent-replayed"], "true");
        assert_eq!(again.headers["location"], first.headers["location"]);
        let mut other = body.clone();
        other["metadata"]["name"] = json!("store-10");
        let refused = with(site, "POST", "/api/v1/sites", &key, other.clone()).await;
        assert_eq!((refused.status.as_u16(), refused.problem().as_str()), (422, "key-reused"));
        let fresh = with(site, "POST", "/api/v1/sites", &[("idempotency-key", "k-2")], other).await;
        assert_eq!(fresh.status, 201);
        let bad = with(site, "POST", "/api/v1/sites", &[("idempotency-key", "a b")], body).await;
        assert_eq!(bad.problem(), "invalid");
    }

    async fn every_write_is_in_the_audit_log(site: &Site) {
        site.tree("acme").await;
        site.call("PATCH", "/api/v1/regions/eu", Some(json!({"spec": {"displayName": "E"}}))).await;
        site.make("Host", ("retail.acme", "till-1"), json!({"serial": "S1"})).await;
        site.call("DELETE", "/api/v1/hosts/till-1", None).await;
        let log = site.get("/api/v1/audit?limit=500").await.json();
        let line = |e: &Value| format!("{} {}", e["verb"].as_str().unwrap(), e["name"].as_str().unwrap());
        let log: Vec<String> = log["items"].as_array().unwrap().iter().map(line).collect();
        assert!(log.ends_with(&["update eu".into(), "create till-1".into(), "delete till-1".into()])
            || log.ends_with(&["update eu".into(), "register till-1".into(), "delete till-1".into()]), "{log:?}");
    }
}
