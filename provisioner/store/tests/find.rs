//! Which host a machine is found to be.

#![allow(clippy::unwrap_used, reason = "only tests use this")]

mod setup;

use cairn_contract::Timestamp;
use cairn_domain::{Host, State, Why, fact::Claim};
use cairn_store::{Change, KeyKind, KeySource};
use setup::{NOW, ek, host, insert, inventory, mac};

const UUID: &str = "11111111-2222-3333-4444-555555555555";

fn spoken(name: &str, serial: &str, macs: &[u8]) -> Host {
    let macs: Vec<_> = macs.iter().map(|m| mac(*m)).collect();
    Host { inventory: Some(inventory(serial, UUID, &macs)), ek: Some(ek(name)), ..host(name) }
}

on_both_engines! {
    async fn registered_names_win_over_learned_ones_and_pretenders_come_last(site: &Site) {
        let store = site.open().await;
        let mut pretender = spoken("pretender", "s1", &[1, 2]);
        pretender.state = State::Quarantined { why: Why::OtherTpm("a".into()) };
        insert(&store, pretender).await;
        let found = store.find_machine(mac(1), None).await.unwrap().unwrap();
        assert_eq!(found.spec.name, "pretender", "nobody else has it");

        insert(&store, spoken("learned", "s2", &[1, 2])).await;
        assert_eq!(store.find_machine(mac(1), None).await.unwrap().unwrap().spec.name, "learned");

        let mut registered = host("registered");
        registered.spec.macs = vec![mac(1)];
        insert(&store, registered).await;
        assert_eq!(store.find_machine(mac(1), None).await.unwrap().unwrap().spec.name, "registered");
        assert_eq!(store.find_machine(mac(2), None).await.unwrap().unwrap().spec.name, "learned");
        assert_eq!(store.find_machine(mac(9), None).await.unwrap(), None);
        let by_uuid = store.find_machine(mac(9), Some(&UUID.to_uppercase())).await.unwrap().unwrap();
        assert_eq!(by_uuid.spec.name, "learned");
    }

    async fn the_address_that_reached_us_is_learned_and_replaced(site: &Site) {
        let store = site.open().await;
        let mut read = insert(&store, spoken("a", "s1", &[1])).await;
        for (boot, gone) in [(7, 8), (8, 7)] {
            let change = Change { boot_mac: Some(mac(boot)), ..Change::update(read.clone(), NOW) };
            read.version = store.commit(change).await.unwrap();
            assert!(store.find_machine(mac(boot), None).await.unwrap().is_some());
            assert!(store.find_machine(mac(gone), None).await.unwrap().is_none());
        }
        read.version = store.commit(Change::update(read.clone(), NOW)).await.unwrap();
        assert!(
            store.find_machine(mac(8), None).await.unwrap().is_some(),
            "kept by a commit that says nothing of it"
        );
    }

    async fn candidates_are_found_by_ek_and_by_what_was_registered_only(site: &Site) {
        let store = site.open().await;
        insert(&store, spoken("only-learned", "S1", &[1])).await;
        let mut serial = host("serial");
        serial.spec.serial = Some("S1".into());
        insert(&store, serial).await;
        let mut expected_ek = host("expected-ek");
        expected_ek.spec.ek = Some(ek("e"));
        insert(&store, expected_ek).await;
        insert(&store, Host { ek: Some(ek("x")), ..host("stranger") }).await;
        let claim = Claim { ek: ek("e"), boot_mac: mac(1), inventory: inventory("s1", "", &[]), class: None };
        let mut names: Vec<_> =
            store.candidates(&claim).await.unwrap().into_iter().map(|h| h.spec.name).collect();
        names.sort();
        assert_eq!(names, ["expected-ek", "serial"]);
        // Empty names match nobody.
        let claim = Claim { ek: ek("nobody"), boot_mac: mac(99), inventory: inventory("", "", &[]), class: None };
        assert_eq!(store.candidates(&claim).await.unwrap(), []);
    }

    async fn hosts_are_listed_by_page_and_by_deadline(site: &Site) {
        let store = site.open().await;
        for (name, until) in [("c", 30), ("a", 10), ("b", 20)] {
            let state = State::Running { until: NOW.after_seconds(until) };
            insert(&store, Host { state, ..host(name) }).await;
        }
        insert(&store, host("d")).await;
        let names = |hosts: Vec<Host>| hosts.into_iter().map(|h| h.spec.name).collect::<Vec<_>>();
        assert_eq!(names(store.hosts(None, 2).await.unwrap()), ["a", "b"]);
        assert_eq!(names(store.hosts(Some("b"), 9).await.unwrap()), ["c", "d"]);
        assert_eq!(names(store.due(NOW.after_seconds(20), 9).await.unwrap()), ["a", "b"]);
        assert_eq!(store.due(Timestamp(0), 9).await.unwrap(), []);
        assert_eq!(names(store.host_by_name("c").await.unwrap().into_iter().collect()), ["c"]);
    }

    async fn the_snapshot_has_every_host_with_its_addresses(site: &Site) {
        let store = site.open().await;
        let mut one = spoken("one", "s1", &[2]);
        one.spec.macs = vec![mac(1)];
        let one = insert(&store, one).await;
        insert(&store, Host { created: NOW.after_seconds(1), ..host("two") }).await;
        let all = store.all_states().await.unwrap();
        assert_eq!(all.len(), 2);
        assert_eq!((all[0].id, all[0].name.as_str(), &all[0].state), (one.id, "one", &State::Registered));
        assert_eq!(all[0].macs, [(mac(1), KeySource::Spec), (mac(2), KeySource::Inventory)]);
        assert_eq!(all[0].uuids, [(UUID.to_owned(), KeySource::Inventory)]);
        assert_eq!((all[1].name.as_str(), all[1].macs.len()), ("two", 0));
        let with = store.hosts_with(KeyKind::Ek, &ek("one").to_string()).await.unwrap();
        assert_eq!(with.len(), 1);
    }
}
