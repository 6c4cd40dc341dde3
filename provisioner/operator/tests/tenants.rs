//! What one tenant sees of another: nothing; and how streams follow rights. On both engines.
#![allow(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod support;

use std::time::{Duration, Instant};

use http_body_util::Full;
use serde_json::{Value, json};
use support::{Answer, Site, manifest};

/// A service token with a role, as its secret.
async fn token(site: &Site, name: &str, role: &str, namespace: &str) -> String {
    let spec = json!({"role": role, "expires": soon()});
    let made = site.make("Token", (namespace, name), spec).await;
    made["secret"].as_str().unwrap().to_owned()
}

/// In a month.
fn soon() -> String {
    let now = cairn_store::Clock::now(&cairn_store::SystemClock);
    cairn_domain::model::rfc3339(now.after_seconds(30 * 86_400)).unwrap()
}

async fn ask(site: &Site, secret: &str, (method, path): (&str, &str), body: Value) -> Answer {
    let bearer = format!("Bearer {secret}");
    let mut headers = vec![("authorization", bearer.as_str())];
    if !body.is_null() {
        headers.push(("content-type", "application/json"));
    }
    let bytes = if body.is_null() { String::new() } else { body.to_string() };
    site.send(method, &format!("/api/v1{path}"), &headers, Full::from(bytes)).await
}

fn words(answer: &Answer) -> (u16, String) {
    (answer.status.as_u16(), answer.json()["detail"].as_str().unwrap_or_default().to_owned())
}

on_both_engines! {
    async fn nothing_of_another_tenant_can_be_told_from_what_is_not_there(site: &Site) {
        site.tree("acme").await;
        site.tree("beta").await;
        site.make("Host", ("retail.beta", "till-1"), json!({"serial": "B1"})).await;
        let me = token(site, "ci", "project-admin", "retail.acme").await;
        let null = Value::Null;
        let list = ask(site, &me, ("GET", "/hosts"), null.clone()).await.json();
        assert_eq!(list["items"], json!([]));
        let organisations = ask(site, &me, ("GET", "/organisations"), null.clone()).await.json();
        assert_eq!(organisations["items"][0]["metadata"]["name"], "acme");
        assert_eq!(organisations["items"].as_array().unwrap().len(), 1);
        for (method, there, nowhere) in [
            ("GET", "/hosts/till-1.retail.beta", "/hosts/till-2.retail.beta"),
            ("DELETE", "/hosts/till-1.retail.beta", "/hosts/till-2.retail.beta"),
            ("GET", "/sites/store-1.retail.beta", "/sites/store-1.retail.gamma"),
            ("GET", "/organisations/beta", "/organisations/gamma"),
            ("POST", "/hosts/till-1.retail.beta/reinstall", "/hosts/till-2.retail.beta/reinstall"),
        ] {
            let hidden = ask(site, &me, (method, there), null.clone()).await;
            let absent = ask(site, &me, (method, nowhere), null.clone()).await;
            assert_eq!(hidden.problem(), "not-found");
            let same = |a: &Answer| words(a).1.replace("till-2", "till-1").replace("gamma", "beta");
            assert_eq!((hidden.status, same(&hidden)), (absent.status, same(&absent)), "{method} {there}");
        }
        let create = |namespace: &'static str| ask(site, &me, ("POST", "/sites"), manifest("Site", (namespace, "s"), json!({})));
        let (hidden, absent) = (create("retail.beta").await, create("retail.gamma").await);
        assert_eq!(words(&hidden), (404, words(&absent).1.replace("gamma", "beta")));
        let taken = ask(site, &me, ("POST", "/hosts"), manifest("Host", ("retail.acme", "h"), json!({"serial": "B1"}))).await;
        assert_eq!(taken.status, 409);
        assert!(!taken.text.contains("till-1") && !taken.text.contains("beta"), "{}", taken.text);
    }

    async fn what_is_seen_but_may_not_be_done_is_forbidden_and_noted_once(site: &Site) {
        site.tree("acme").await;
        let me = token(site, "eye", "viewer", "retail.acme").await;
        for _ in 0..3 {
            let patch = json!({"spec": {"displayName": "Mine"}});
            let refused = ask(site, &me, ("PATCH", "/sites/store-1"), patch).await;
            assert_eq!((refused.status.as_u16(), refused.problem().as_str()), (403, "forbidden"));
        }
        let site_of = manifest("Site", ("retail.acme", "s"), json!({}));
        assert_eq!(ask(site, &me, ("POST", "/sites"), site_of.clone()).await.problem(), "forbidden");
        let applied = ask(site, &me, ("POST", "/apply"), json!({"items": [site_of]})).await.json();
        assert_eq!(applied["items"][0]["problem"]["status"], 403);
        for path in ["/machines", "/timeline"] {
            assert_eq!(ask(site, &me, ("GET", path), Value::Null).await.problem(), "forbidden", "{path}");
        }
        let log = site.get("/api/v1/audit?limit=500").await.json();
        let refused = log["items"].as_array().unwrap().iter().filter(|e| e["outcome"] == "refused" && e["verb"] == "update");
        assert_eq!(refused.count(), 1, "{log}");
    }

    async fn a_binding_brings_things_into_sight_and_takes_them_out(site: &Site) {
        site.tree("acme").await;
        site.make("User", ("", "anna"), json!({})).await;
        let set = json!({"new": "correct horse battery"});
        assert_eq!(site.call("POST", "/api/v1/users/anna/password", Some(set)).await.status, 204);
        let login = json!({"user": "anna", "password": "correct horse battery"});
        let json = [("content-type", "application/json")];
        let session = site.send("POST", "/api/v1/login", &json, Full::from(login.to_string())).await;
        let secret = session.json()["token"].as_str().unwrap().to_owned();
        let mut sites = site.watch_as(&secret, "/api/v1/watch?kinds=Site").await;
        let spec = json!({"role": "viewer", "subjects": [{"kind": "User", "name": "anna"}]});
        site.make("RoleBinding", ("retail.acme", "eyes"), spec).await;
        let (word, _, object) = sites.next().await;
        assert_eq!((word.as_str(), &object["metadata"]["name"]), ("ADDED", &json!("store-1")));
        site.call("DELETE", "/api/v1/rolebindings/eyes", None).await;
        assert_eq!(sites.next().await.0, "DELETED");
        site.make("Site", ("retail.acme", "unseen"), json!({})).await;
        let begun = Instant::now();
        site.call("PATCH", "/api/v1/users/anna", Some(json!({"spec": {"disabled": true}}))).await;
        sites.ends().await;
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    }
}
