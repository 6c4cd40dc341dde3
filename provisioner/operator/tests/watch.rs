//! Live streams over real HTTP: nothing is lost between two connections.
#![allow(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod support;

use cairn_contract::{HostId, Timestamp};
use cairn_domain::{Level, Note};
use cairn_store::Whose;
use serde_json::json;
use support::{Site, site, site_with};

async fn host(site: &Site) -> HostId {
    let made = site.call("POST", "/api/v1/hosts", Some(json!({"name": "web-1", "serial": "SN1"}))).await;
    made.json()["id"].as_str().unwrap().parse().unwrap()
}

async fn note(site: &Site, id: HostId, text: &str) {
    let note = Note::new(Level::Info, "test.step", text);
    site.store.note(Whose::Host(id), Timestamp(1), note).await.unwrap();
}

#[tokio::test]
async fn a_watch_that_broke_resumes_where_it_was() {
    let site = site().await;
    let id = host(&site).await;
    let mut first = site.watch("/api/v1/hosts/web-1/watch", None).await;
    assert_eq!(first.next_named("host").await.1["name"], "web-1");
    note(&site, id, "live").await;
    let (seq, entry) = first.next_named("entry").await;
    assert_eq!(entry["text"], "live");
    drop(first);
    note(&site, id, "missed 1").await;
    note(&site, id, "missed 2").await;
    let mut second = site.watch("/api/v1/hosts/web-1/watch", seq).await;
    assert_eq!(second.next_named("entry").await.1["text"], "missed 1");
    let (last, entry) = second.next_named("entry").await;
    assert_eq!(entry["text"], "missed 2");
    let mut third = site.watch(&format!("/api/v1/hosts/{id}/watch?after={}", last.unwrap()), None).await;
    note(&site, id, "after").await;
    assert_eq!(third.next_named("entry").await.1["text"], "after");
}

#[tokio::test]
async fn the_end_of_a_host_ends_its_watch() {
    let site = site().await;
    let id = host(&site).await;
    let mut events = site.watch("/api/v1/hosts/web-1/watch", None).await;
    events.next_named("host").await;
    site.call("DELETE", "/api/v1/hosts/web-1", None).await;
    assert_eq!(events.next_named("gone").await.1["id"], json!(id));
}

#[tokio::test]
async fn the_site_shows_hosts_come_and_go() {
    let site = site().await;
    let mut events = site.watch("/api/v1/watch", None).await;
    let id = host(&site).await;
    let (_, row) = events.next_named("host").await;
    assert_eq!((&row["name"], &row["state"]), (&json!("web-1"), &json!("registered")));
    let mac = "52:54:00:00:00:01".parse().unwrap();
    site.store
        .note(Whose::Machine(mac), Timestamp(1), Note::new(Level::Info, "dhcp.offer", "x"))
        .await
        .unwrap();
    events.next_named("machines").await;
    site.call("DELETE", "/api/v1/hosts/web-1", None).await;
    assert_eq!(events.next_named("gone").await.1["id"], json!(id));
}

#[tokio::test]
async fn a_site_watch_from_another_time_says_to_read_again() {
    let site = site().await;
    host(&site).await;
    let mut events = site.watch("/api/v1/watch", Some(0)).await;
    assert_eq!(events.next().await.0, "reset");
}

#[tokio::test]
async fn one_watch_too_many_is_refused() {
    let site = site_with(cairn_operator::Limits { watches: 1, ..Default::default() }).await;
    let _first = site.watch("/api/v1/watch", None).await;
    let second = site.get("/api/v1/watch").await;
    assert_eq!((second.status.as_u16(), second.problem().as_str()), (429, "too-many"));
    assert_eq!(second.headers["retry-after"], "10");
}
