//! Lines of all timelines over real HTTP, on both engines.
#![allow(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod support;

use cairn_contract::Timestamp;
use cairn_domain::{Level, Note};
use cairn_store::Whose;
use serde_json::{Value, json};
use support::Site;

async fn note(site: &Site, whose: Whose, text: &str) {
    site.store.note(whose, Timestamp(1), Note::new(Level::Info, "test.step", text)).await.unwrap();
}

fn texts(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|l| l["text"].as_str().unwrap()).collect()
}

on_both_engines! {
    async fn the_newest_lines_of_all_are_read_and_followed(site: &Site) {
        site.tree("acme").await;
        let ours = site.make("Host", ("retail.acme", "till-1"), json!({"serial": "S1"})).await;
        let other = site.make("Host", ("", "web-1"), json!({"serial": "S2"})).await;
        let host = |o: &Value| Whose::Host(o["metadata"]["uid"].as_str().unwrap().parse().unwrap());
        for i in 0..3 {
            note(site, host(&ours), &format!("till {i}")).await;
            note(site, host(&other), &format!("web {i}")).await;
        }
        note(site, Whose::Site, "rival").await;
        let all = site.get("/api/v1/events?limit=3").await.json();
        assert_eq!(texts(&all), ["till 2", "web 2", "rival"]);
        assert_eq!(all["items"][0]["hostName"], "till-1.retail.acme");
        let acme = site.get("/api/v1/events?namespace=acme&limit=2").await.json();
        assert_eq!(texts(&acme), ["till 1", "till 2"]);
        let seq = acme["items"][0]["seq"].as_i64().unwrap();
        let later = site.get(&format!("/api/v1/events?namespace=retail.acme&after={seq}")).await.json();
        assert_eq!((texts(&later), &later["next"]), (vec!["till 2"], &json!(null)));
        let mut live = site.watch(&format!("/api/v1/events/watch?namespace=acme&after={seq}"), None).await;
        assert_eq!(live.next_named("entry").await.1["text"], "till 2");
        note(site, host(&other), "web 3").await;
        note(site, host(&ours), "till 3").await;
        let (id, line) = live.next_named("entry").await;
        assert_eq!(line["text"], "till 3");
        let mut again = site.watch("/api/v1/events/watch?namespace=acme", id).await;
        note(site, host(&ours), "till 4").await;
        assert_eq!(again.next_named("entry").await.1["text"], "till 4");
    }
}
