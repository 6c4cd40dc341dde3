//! Live streams over real HTTP: nothing is lost between two connections; on both engines.
#![allow(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod support;

use std::time::{Duration, Instant};

use cairn_contract::{HostId, Timestamp};
use cairn_domain::{Level, Note};
use cairn_store::Whose;
use serde_json::json;
use support::{Site, site_with};

async fn host(site: &Site) -> HostId {
    let made = site.make("Host", ("", "web-1"), json!({"serial": "SN1"})).await;
    made["metadata"]["uid"].as_str().unwrap().parse().unwrap()
}

async fn note(site: &Site, id: HostId, text: &str) {
    let note = Note::new(Level::Info, "test.step", text);
    site.store.note(Whose::Host(id), Timestamp(1), note).await.unwrap();
}

on_both_engines! {
    async fn a_hosts_watch_that_broke_resumes_where_it_was(site: &Site) {
        let id = host(site).await;
        let mut first = site.watch("/api/v1/hosts/web-1/watch", None).await;
        assert_eq!(first.next_named("host").await.1["metadata"]["name"], "web-1");
        note(site, id, "live").await;
        let (seq, entry) = first.next_named("entry").await;
        assert_eq!(entry["text"], "live");
        drop(first);
        note(site, id, "missed 1").await;
        note(site, id, "missed 2").await;
        let mut second = site.watch("/api/v1/hosts/web-1/watch", seq).await;
        assert_eq!(second.next_named("entry").await.1["text"], "missed 1");
        let (last, entry) = second.next_named("entry").await;
        assert_eq!(entry["text"], "missed 2");
        let mut third = site.watch(&format!("/api/v1/hosts/{id}/watch?after={}", last.unwrap()), None).await;
        note(site, id, "after").await;
        assert_eq!(third.next_named("entry").await.1["text"], "after");
        site.call("DELETE", "/api/v1/hosts/web-1", None).await;
        assert_eq!(third.next_named("gone").await.1["id"], json!(id));
    }

    async fn what_comes_changes_and_goes_is_told(site: &Site) {
        site.tree("acme").await;
        let mut all = site.watch("/api/v1/watch?kinds=Site,hosts&namespace=retail.acme", None).await;
        site.make("Region", ("retail.acme", "unseen"), json!({})).await;
        let made = site.make("Site", ("retail.acme", "store-2"), json!({})).await;
        let (word, id, object) = all.next().await;
        assert_eq!((word.as_str(), &object), ("ADDED", &made));
        assert_eq!(id.unwrap().to_string(), made["metadata"]["resourceVersion"].as_str().unwrap());
        site.call("PATCH", "/api/v1/sites/store-2", Some(json!({"spec": {"displayName": "Two"}}))).await;
        let (word, _, object) = all.next().await;
        assert_eq!((word.as_str(), &object["spec"]["displayName"]), ("MODIFIED", &json!("Two")));
        site.make("Host", ("retail.acme", "till-1"), json!({"serial": "S1", "site": "store-1"})).await;
        assert_eq!(all.next().await.0, "ADDED");
        site.make("Site", ("default.default", "elsewhere"), json!({})).await;
        site.call("DELETE", "/api/v1/sites/store-2", None).await;
        let (word, _, object) = all.next().await;
        assert_eq!((word.as_str(), &object["metadata"]["name"]), ("DELETED", &json!("store-2")));
    }

    async fn a_watch_goes_on_from_a_list_without_a_gap(site: &Site) {
        site.tree("acme").await;
        let list = site.get("/api/v1/sites").await.json();
        let version = list["metadata"]["resourceVersion"].as_str().unwrap();
        for i in 0..5 {
            site.make("Site", ("retail.acme", &format!("s-{i}")), json!({})).await;
        }
        let mut events = site.watch(&format!("/api/v1/watch?kinds=Site&resourceVersion={version}"), None).await;
        let mut last = None;
        for i in 0..3 {
            let (word, id, object) = events.next().await;
            assert_eq!((word.as_str(), &object["metadata"]["name"]), ("ADDED", &json!(format!("s-{i}"))));
            last = id;
        }
        drop(events);
        let mut events = site.watch(&format!("/api/v1/watch?kinds=Site&resourceVersion={version}"), last).await;
        assert_eq!(events.next().await.2["metadata"]["name"], "s-3");
        let future = site.get("/api/v1/watch?resourceVersion=999999999").await;
        assert_eq!((future.status.as_u16(), future.problem().as_str()), (410, "expired"));
        for query in ["resourceVersion=-1", "resourceVersion=x", "kinds=Sight", "timeoutSeconds=0", "labelSelector=%3D"] {
            assert_eq!(site.get(&format!("/api/v1/watch?{query}")).await.problem(), "invalid", "{query}");
        }
    }

    async fn entering_and_leaving_a_selector_is_coming_and_going(site: &Site) {
        site.tree("acme").await;
        site.make("Host", ("retail.acme", "till-1"), json!({"serial": "S1", "site": "store-1"})).await;
        let mut prod = site.watch("/api/v1/watch?kinds=Host&labelSelector=env%3Dprod", None).await;
        let label = |value: serde_json::Value| json!({"metadata": {"labels": {"env": value}}});
        site.call("PATCH", "/api/v1/regions/eu", Some(label(json!("prod")))).await;
        let (word, id, object) = prod.next().await;
        assert_eq!((word.as_str(), &object["metadata"]["name"]), ("ADDED", &json!("till-1")));
        // An inherited change is of the region's revision.
        let region = site.get("/api/v1/regions/eu").await.json();
        assert_eq!(id.unwrap().to_string(), region["metadata"]["resourceVersion"].as_str().unwrap());
        site.call("PATCH", "/api/v1/hosts/till-1", Some(json!({"metadata": {"labels": {"a": "b"}}}))).await;
        assert_eq!(prod.next().await.0, "MODIFIED");
        site.call("PATCH", "/api/v1/regions/eu", Some(label(json!("test")))).await;
        assert_eq!(prod.next().await.0, "DELETED");
    }

    async fn a_watch_ends_when_it_was_asked_to(site: &Site) {
        let begun = Instant::now();
        let answer = site.get("/api/v1/watch?timeoutSeconds=1").await;
        assert!(answer.text.starts_with(": cairn"), "{}", answer.text);
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
}

#[tokio::test]
async fn a_bookmark_says_how_far_the_watch_is() {
    let site = support::site().await;
    site.make("Site", ("", "s"), json!({})).await;
    let revision = site.catalog.index().revision();
    let mut events = site.watch("/api/v1/watch?kinds=Host", None).await;
    let (word, id, data) = tokio::time::timeout(Duration::from_secs(25), events.next_slow()).await.unwrap();
    assert_eq!((word.as_str(), id), ("BOOKMARK", Some(revision)));
    assert_eq!(data["metadata"]["resourceVersion"], revision.to_string());
}

#[tokio::test]
async fn one_watch_too_many_is_refused() {
    let site = site_with(cairn_operator::Limits { watches: 1, ..Default::default() }).await;
    let _first = site.watch("/api/v1/watch", None).await;
    let second = site.get("/api/v1/watch").await;
    assert_eq!((second.status.as_u16(), second.problem().as_str()), (429, "too-many"));
    assert_eq!(second.headers["retry-after"], "10");
}
