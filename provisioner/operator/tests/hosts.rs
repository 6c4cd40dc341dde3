//! Hosts over real HTTP: conflicts, orders, timelines, import; on both engines.
#![allow(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod support;

use cairn_contract::Timestamp;
use cairn_domain::{Level, Note};
use cairn_store::Whose;
use http_body_util::Full;
use serde_json::{Value, json};
use support::{Answer, Site, TOKEN};

async fn import(site: &Site, query: &str, csv: &[u8]) -> Answer {
    let token = format!("Bearer {TOKEN}");
    let headers = [("authorization", token.as_str()), ("content-type", "text/csv")];
    site.send("POST", &format!("/api/v1/hosts/import{query}"), &headers, Full::from(csv.to_vec())).await
}

async fn order(site: &Site, key: &str, word: &str, body: Option<Value>) -> Answer {
    site.call("POST", &format!("/api/v1/hosts/{key}/{word}"), body).await
}

on_both_engines! {
    async fn a_registered_host_has_a_status_and_goes_to_the_main_site(site: &Site) {
        let host = site.make("Host", ("", "web-1"), json!({"serial": "SN1", "image": "tiny"})).await;
        assert_eq!(host["metadata"]["namespace"], "default.default");
        assert_eq!(host["spec"]["site"], "main");
        assert_eq!(host["status"]["phase"], "registered");
        assert_eq!(host["status"]["actions"], json!(["reinstall", "remove"]));
        assert_eq!(site.get("/api/v1/hosts/web-1").await.json(), host);
        let renamed = site.call("PATCH", "/api/v1/hosts/web-1", Some(json!({"metadata": {"name": "web-2"}}))).await;
        assert_eq!(renamed.json()["metadata"]["name"], "web-2", "{}", renamed.text);
        assert_eq!(site.get("/api/v1/hosts/web-1").await.status, 404);
        assert_eq!(site.call("DELETE", "/api/v1/hosts/web-2", None).await.status, 204);
        assert_eq!(site.get("/api/v1/hosts/web-2").await.status, 404);
    }

    async fn a_name_or_serial_that_is_taken_is_a_conflict_that_names_the_owner(site: &Site) {
        site.make("Host", ("", "web-1"), json!({"serial": "SN1"})).await;
        let name = site.post("Host", ("", "web-1"), json!({"serial": "SN2"})).await;
        assert_eq!((name.status.as_u16(), name.problem().as_str()), (409, "conflict"));
        assert_eq!(name.json()["field"], "metadata.name");
        let serial = site.post("Host", ("", "web-2"), json!({"serial": "SN1"})).await;
        assert_eq!((serial.status.as_u16(), &serial.json()["field"]), (409, &json!("spec.serial")));
        assert!(serial.text.contains("web-1.default.default"), "{}", serial.text);
    }

    async fn orders_that_make_no_sense_say_so(site: &Site) {
        site.make("Host", ("", "web-1"), json!({"serial": "SN1"})).await;
        let accept = order(site, "web-1", "accept", None).await;
        assert_eq!((accept.status.as_u16(), accept.problem().as_str()), (409, "wrong-state"));
        let retry = order(site, "web-1", "retry", Some(json!({}))).await;
        assert_eq!(retry.problem(), "wrong-state");
        assert_eq!(order(site, "nobody", "retry", None).await.problem(), "not-found");
        assert_eq!(order(site, "web-1", "retry", Some(json!({"x": 1}))).await.problem(), "unknown-field");
        assert_eq!(order(site, "web-1", "move", None).await.problem(), "invalid");
    }

    async fn a_host_moves_between_sites_and_projects_of_its_organisation(site: &Site) {
        site.tree("acme").await;
        site.tree("beta").await;
        site.make("Project", ("acme", "lab"), json!({})).await;
        site.make("Site", ("lab.acme", "bench"), json!({})).await;
        site.make("Host", ("retail.acme", "till-1"), json!({"serial": "S1"})).await;
        let moved = order(site, "till-1", "move", Some(json!({"site": "store-1"}))).await;
        assert_eq!(moved.json()["spec"]["site"], "store-1", "{}", moved.text);
        let dry = site.call("POST", "/api/v1/hosts/till-1/move?dryRun=true", Some(json!({"site": "bench.lab.acme"}))).await;
        assert_eq!(dry.json()["metadata"]["namespace"], "lab.acme", "{}", dry.text);
        assert_eq!(site.get("/api/v1/hosts/till-1").await.json()["metadata"]["namespace"], "retail.acme");
        let moved = order(site, "till-1", "move", Some(json!({"site": "bench", "namespace": "lab.acme"}))).await;
        assert_eq!(moved.json()["metadata"]["namespace"], "lab.acme", "{}", moved.text);
        let away = order(site, "till-1", "move", Some(json!({"site": "store-1.retail.beta"}))).await;
        assert_eq!(away.problem(), "invalid");
        let nowhere = order(site, "till-1", "move", Some(json!({"site": "nowhere"}))).await;
        assert_eq!((nowhere.status.as_u16(), &nowhere.json()["field"]), (422, &json!("site")));
    }

    async fn a_host_that_windows_protect_is_installed_again_only_by_force(site: &Site) {
        site.make("Host", ("", "web-1"), json!({"serial": "SN1"})).await;
        let spec = json!({"update": {"onlyInWindow": true}, "maintenance": {"windows": [{"start": "0 3 29 2 *", "minutes": 1}]}});
        site.make("Policy", ("default.default", "calm"), spec).await;
        let refused = order(site, "web-1", "reinstall", None).await;
        assert_eq!((refused.status.as_u16(), refused.problem().as_str()), (409, "wrong-state"), "{}", refused.text);
        assert!(refused.json()["next"].as_str().unwrap().contains("02-29T03:00:00"), "{}", refused.text);
        let forced = order(site, "web-1", "reinstall", Some(json!({"force": true}))).await;
        assert_eq!(forced.status, 200, "{}", forced.text);
    }

    async fn timelines_are_read_page_by_page(site: &Site) {
        let made = site.make("Host", ("", "web-1"), json!({"serial": "SN1"})).await;
        let id = made["metadata"]["uid"].as_str().unwrap().parse().unwrap();
        for i in 0..5 {
            let note = Note::new(Level::Info, "test.step", format!("line {i}"));
            site.store.note(Whose::Host(id), Timestamp(i), note).await.unwrap();
        }
        let first = site.get("/api/v1/hosts/web-1/timeline?limit=4").await.json();
        let next = first["next"].as_str().unwrap();
        let second = site.get(&format!("/api/v1/hosts/web-1/timeline?after={next}")).await.json();
        let texts: Vec<&Value> = [&first, &second].into_iter().flat_map(|p| p["items"].as_array().unwrap()).map(|l| &l["text"]).collect();
        assert_eq!(texts.len(), 6, "{texts:?}");
        assert_eq!(texts[5], "line 4");
    }

    async fn a_file_of_hosts_is_imported_line_by_line(site: &Site) {
        site.tree("acme").await;
        site.make("Host", ("retail.acme", "other"), json!({"serial": "TAKEN"})).await;
        let csv = b"name,serial,site,labels\ntill-1,S1,store-1,\ntill-2,S2,nowhere,\ntill-3,TAKEN,,\n,,,\ntill-4,S1,,\nBad Name,S5,,\n";
        for (query, is_there) in [("?dryRun=true&namespace=retail.acme", 404), ("?namespace=retail.acme", 200)] {
            let answer = import(site, query, csv).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            let imported = answer.json();
            let actions: Vec<&str> = imported["lines"].as_array().unwrap().iter().map(|l| l["action"].as_str().unwrap()).collect();
            assert_eq!(actions, ["created", "failed", "failed", "failed", "failed"], "{imported}");
            assert_eq!(imported["summary"], json!({"created": 1, "configured": 0, "unchanged": 0, "failed": 4}));
            assert_eq!(imported["lines"][1]["line"], 3);
            let file = imported["errorFile"].as_str().unwrap();
            assert_eq!(file.lines().count(), 5, "{file}");
            assert!(file.contains("nowhere"), "{file}");
            assert_eq!(site.get("/api/v1/hosts/till-1").await.status, is_there);
        }
        let again = import(site, "?namespace=retail.acme", b"name,serial,site\ntill-1,S1,store-1\n").await.json();
        assert_eq!(again["lines"][0]["action"], "unchanged", "{again}");
        for bytes in [&b"\xff\xfe\x00"[..], b"", b"name,serial\0", b"colour,size\n1,2\n"] {
            assert_eq!(import(site, "", bytes).await.problem(), "invalid");
        }
    }

    async fn the_status_counts_hosts_and_machines_and_warns(site: &Site) {
        site.make("Host", ("", "web-1"), json!({"serial": "SN1"})).await;
        let now = cairn_store::Clock::now(&cairn_store::SystemClock);
        let mac = "52:54:00:00:00:01".parse().unwrap();
        site.store.note(Whose::Machine(mac), now, Note::new(Level::Info, "dhcp.offer", "asked")).await.unwrap();
        let rival = Note::new(Level::Warn, "dhcp.rival", "192.0.2.1 answers DHCP too");
        site.store.note(Whose::Site, now, rival).await.unwrap();
        let status = site.get("/api/v1/status").await.json();
        assert_eq!(status["counts"], json!([{"state": "registered", "hosts": 1}]));
        assert_eq!((&status["hosts"], &status["machines"]), (&json!(1), &json!(1)));
        let warnings: Vec<&str> = status["warnings"].as_array().unwrap().iter().map(|w| w["text"].as_str().unwrap()).collect();
        assert_eq!(warnings[0], "192.0.2.1 answers DHCP too");
        assert!(warnings.iter().any(|w| w.contains("no OS image")), "{warnings:?}");
        assert_eq!(site.get("/api/v1/machines").await.json()["items"][0]["mac"], "52:54:00:00:00:01");
        assert_eq!(site.get("/api/v1/timeline").await.json()["items"][0]["code"], "dhcp.rival");
    }
}
