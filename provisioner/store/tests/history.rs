//! Timelines: whose they are, and that nobody can fill the disk with them.

#![allow(clippy::unwrap_used, reason = "only tests use this")]

mod setup;

use cairn_contract::Mac;
use cairn_domain::{Level, Note};
use cairn_store::{Change, Whose};
use setup::{NOW, host, insert, line, mac};

on_both_engines! {
    async fn what_was_noted_of_an_address_is_told_by_the_host_that_it_becomes(site: &Site) {
        let store = site.open().await;
        store.note(Whose::Machine(mac(1)), NOW, Note::new(Level::Info, "dhcp", "asked")).await.unwrap();
        store.note(Whose::Machine(mac(2)), NOW, Note::new(Level::Info, "dhcp", "another")).await.unwrap();
        store.note(Whose::Site, NOW, Note::new(Level::Info, "site", "started")).await.unwrap();
        let unknown = store.unknown_machines(10).await.unwrap();
        assert_eq!(unknown.iter().map(|m| m.mac).collect::<Vec<_>>(), [mac(2), mac(1)]);
        assert_eq!((unknown[1].first, unknown[1].note.text.as_str()), (NOW, "asked"));

        let mut registered = host("a");
        registered.spec.macs = vec![mac(1)];
        let mut change = Change::insert(registered.clone(), NOW);
        change.lines.push(line(Whose::Host(registered.id), "registered"));
        store.commit(change).await.unwrap();
        let texts = |page: Vec<cairn_domain::timeline::Entry>| {
            page.into_iter().map(|e| format!("{} {}", e.seq, e.note.text)).collect::<Vec<_>>()
        };
        assert_eq!(texts(store.timeline(registered.id, 0, 10).await.unwrap()), ["1 asked", "4 registered"]);
        assert_eq!(texts(store.timeline(registered.id, 1, 10).await.unwrap()), ["4 registered"]);
        assert_eq!(texts(store.timeline(registered.id, 0, 1).await.unwrap()), ["1 asked"]);
        assert_eq!(texts(store.site_timeline(0, 10).await.unwrap()), ["3 started"]);
        assert_eq!(texts(store.machine_timeline(mac(2), 0, 10).await.unwrap()), ["2 another"]);
        let unknown = store.unknown_machines(10).await.unwrap();
        assert_eq!(unknown.iter().map(|m| m.mac).collect::<Vec<_>>(), [mac(2)]);
    }

    async fn an_unknown_address_keeps_its_newest_thousand_lines(site: &Site) {
        let store = site.open().await;
        let lines: Vec<_> = (1..=1200).map(|i| line(Whose::Machine(mac(1)), &format!("line {i}"))).collect();
        store.notes(&lines).await.unwrap();
        let kept = store.machine_timeline(mac(1), 0, 5000).await.unwrap();
        assert_eq!(kept.len(), 1000);
        assert_eq!(kept.first().unwrap().note.text, "line 201");
        assert_eq!(kept.last().unwrap().seq, 1200);
    }

    async fn invented_addresses_push_out_the_longest_silent_ones(site: &Site) {
        let store = site.open().await;
        let invented = |i: u16| {
            let [high, low] = i.to_be_bytes();
            Whose::Machine(Mac([2, 0, 0, 0, high, low]))
        };
        let lines: Vec<_> = (0..1100).map(|i| line(invented(i), "hello")).collect();
        store.notes(&lines).await.unwrap();
        assert_eq!(store.unknown_machines(5000).await.unwrap().len(), 1024);
        let first = store.machine_timeline(Mac([2, 0, 0, 0, 0, 0]), 0, 10).await.unwrap();
        assert_eq!(first, [], "the oldest is forgotten, history and all");
        let last = store.machine_timeline(Mac([2, 0, 0, 0, 4, 0x4b]), 0, 10).await.unwrap();
        assert_eq!(last.len(), 1);
    }

    async fn phases_are_read_from_the_lines_that_tell_of_a_state(site: &Site) {
        let store = site.open().await;
        let id = insert(&store, host("a")).await.id;
        let mut lines = vec![line(Whose::Host(id), "x"), line(Whose::Host(id), "y"), line(Whose::Host(id), "z")];
        lines[0].state = Some("registered");
        lines[2].state = Some("booting");
        store.notes(&lines).await.unwrap();
        let entries = store.state_changes(id, 10).await.unwrap();
        let phases = cairn_domain::timeline::phases(&entries);
        assert_eq!(phases.iter().map(|p| p.state.as_str()).collect::<Vec<_>>(), ["registered", "booting"]);
    }
}
