//! Hosts over real HTTP: register, conflicts, amend, orders, pages.
#![allow(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod support;

use cairn_contract::Timestamp;
use cairn_domain::{Level, Note};
use cairn_store::Whose;
use serde_json::json;
use support::site;

#[tokio::test]
async fn a_registered_host_is_shown_and_listed() {
    let site = site().await;
    let made = site
        .call("POST", "/api/v1/hosts", Some(json!({"name": "web-1", "serial": "SN1", "image": "tiny"})))
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(made.headers["location"], format!("/api/v1/hosts/{id}"));
    for key in [id.as_str(), "web-1"] {
        let host = site.get(&format!("/api/v1/hosts/{key}")).await.json();
        assert_eq!(
            (&host["name"], &host["state"], &host["image"]),
            (&json!("web-1"), &json!("registered"), &json!("tiny"))
        );
        assert_eq!(host["actions"], json!(["reinstall", "remove"]));
    }
    let list = site.get("/api/v1/hosts").await.json();
    assert_eq!(list["items"][0]["id"], id);
    assert_eq!(list["next"], json!(null));
}

#[tokio::test]
async fn a_name_or_serial_that_is_taken_is_a_conflict_that_names_the_owner() {
    let site = site().await;
    site.call("POST", "/api/v1/hosts", Some(json!({"name": "web-1", "serial": "SN1"}))).await;
    let name = site.call("POST", "/api/v1/hosts", Some(json!({"name": "web-1", "serial": "SN2"}))).await;
    assert_eq!((name.status.as_u16(), name.problem().as_str()), (409, "conflict"));
    assert_eq!(name.json()["field"], "name");
    let serial = site.call("POST", "/api/v1/hosts", Some(json!({"name": "web-2", "serial": "SN1"}))).await;
    assert_eq!(serial.json()["field"], "serial");
    assert!(serial.json()["next"].as_str().unwrap().contains("cairn host show web-1"), "{}", serial.text);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_by_field() {
    let site = site().await;
    let cases = [
        (json!({"name": "web-1", "sn": "1"}), "unknown-field", json!("sn")),
        (json!({"name": "web-1", "serial": "1", "disk": {"size": 1}}), "unknown-field", json!("size")),
        (json!({"name": "Web 1", "serial": "1"}), "invalid", json!("name")),
        (json!({"name": "web-1"}), "invalid", json!("serial")),
        (json!({"name": "web-1", "macs": ["zz"]}), "invalid", json!(null)),
        (json!([]), "invalid", json!(null)),
    ];
    for (body, problem, field) in cases {
        let answer = site.call("POST", "/api/v1/hosts", Some(body.clone())).await;
        assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (422, problem), "{body}");
        assert_eq!(answer.json()["field"], field, "{body}");
    }
    assert_eq!(site.get("/api/v1/hosts?limit=501").await.json()["field"], "limit");
    assert_eq!(site.get("/api/v1/hosts?page=1").await.json()["field"], "page");
    assert_eq!(site.get("/api/v1/hosts/nobody").await.problem(), "not-found");
}

#[tokio::test]
async fn a_patch_changes_only_what_it_names() {
    let site = site().await;
    site.call("POST", "/api/v1/hosts", Some(json!({"name": "web-1", "serial": "SN1", "image": "tiny"})))
        .await;
    let patch = json!({"image": null, "disk": {"min_size": 5}});
    let host = site.call("PATCH", "/api/v1/hosts/web-1", Some(patch)).await;
    assert_eq!(host.status, 200, "{}", host.text);
    let spec = &host.json()["spec"];
    assert_eq!(
        (&spec["serial"], &spec["image"], &spec["disk"]["min_size"]),
        (&json!("SN1"), &json!(null), &json!(5))
    );
    let unknown = site.call("PATCH", "/api/v1/hosts/web-1", Some(json!({"colour": "red"}))).await;
    assert_eq!(unknown.problem(), "unknown-field");
}

#[tokio::test]
async fn orders_follow_the_lifecycle() {
    let site = site().await;
    site.call("POST", "/api/v1/hosts", Some(json!({"name": "web-1", "serial": "SN1"}))).await;
    for order in ["accept", "retry"] {
        let answer = site.call("POST", &format!("/api/v1/hosts/web-1/{order}"), None).await;
        assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (409, "wrong-state"), "{order}");
    }
    let again = site.call("POST", "/api/v1/hosts/web-1/reinstall", None).await;
    assert_eq!(again.json()["state"], "registered", "{}", again.text);
    assert_eq!(site.call("DELETE", "/api/v1/hosts/web-1", None).await.status, 204);
    assert_eq!(site.get("/api/v1/hosts/web-1").await.status, 404);
}

#[tokio::test]
async fn pages_hold_every_line_once_and_in_order() {
    let site = site().await;
    let made = site.call("POST", "/api/v1/hosts", Some(json!({"name": "web-1", "serial": "SN1"}))).await;
    let id = made.json()["id"].as_str().unwrap().parse().unwrap();
    for i in 0..7 {
        let note = Note::new(Level::Info, "test.step", format!("step {i}"));
        site.store.note(Whose::Host(id), Timestamp(i), note).await.unwrap();
    }
    let (mut seen, mut after) = (Vec::new(), "0".to_owned());
    loop {
        let page = site.get(&format!("/api/v1/hosts/web-1/timeline?after={after}&limit=3")).await.json();
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 3);
        seen.extend(
            items.iter().filter(|e| e["code"] == "test.step").map(|e| e["text"].as_str().unwrap().to_owned()),
        );
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, (0..7).map(|i| format!("step {i}")).collect::<Vec<_>>());
    assert_eq!(site.get("/api/v1/hosts/web-1/timeline?after=x").await.json()["field"], "after");
}

#[tokio::test]
async fn the_status_counts_hosts_machines_and_shows_warnings() {
    let site = site().await;
    site.call("POST", "/api/v1/hosts", Some(json!({"name": "web-1", "serial": "SN1"}))).await;
    let now = cairn_store::Clock::now(&cairn_store::SystemClock);
    let mac = "52:54:00:00:00:01".parse().unwrap();
    site.store.note(Whose::Machine(mac), now, Note::new(Level::Info, "dhcp.offer", "asked")).await.unwrap();
    let rival = Note::new(Level::Warn, "dhcp.rival", "192.0.2.1 answers DHCP too");
    site.store.note(Whose::Site, now, rival).await.unwrap();
    let status = site.get("/api/v1/status").await.json();
    assert_eq!(status["counts"], json!([{"state": "registered", "hosts": 1}]));
    assert_eq!((&status["hosts"], &status["machines"]), (&json!(1), &json!(1)));
    assert_eq!(status["warnings"][0]["text"], "192.0.2.1 answers DHCP too");
    assert_eq!(site.get("/api/v1/machines").await.json()["items"][0]["mac"], "52:54:00:00:00:01");
    assert_eq!(site.get("/api/v1/timeline").await.json()["items"][0]["code"], "dhcp.rival");
}
