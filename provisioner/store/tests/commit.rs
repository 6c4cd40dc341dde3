//! One step is one transaction: all of it or nothing.

#![allow(clippy::unwrap_used, reason = "only tests use this")]

mod setup;

use cairn_contract::InstallId;
use cairn_domain::{Effect, State};
use cairn_store::{Change, CommitError, InstallWrite, NewInstall, Whose};
use setup::{NOW, ek, host, insert, line};
use uuid::Uuid;

on_both_engines! {
    async fn a_write_against_an_older_version_changes_nothing(site: &Site) {
        let store = site.open().await;
        let read = insert(&store, host("a")).await;
        let mut first = read.clone();
        first.state = State::Pending;
        assert_eq!(store.commit(Change::update(first, NOW)).await.unwrap(), 2);

        let mut late = Change::update(read.clone(), NOW);
        late.lines.push(line(Whose::Host(read.id), "too late"));
        late.effects.push(Effect::Disconnect { host: read.id });
        assert!(matches!(store.commit(late).await, Err(CommitError::Stale)));

        let stored = store.host(read.id).await.unwrap().unwrap();
        assert_eq!((stored.version, stored.state), (2, State::Pending));
        assert_eq!(store.timeline(read.id, 0, 10).await.unwrap(), []);
        assert_eq!(store.pending_effects(NOW, 10).await.unwrap(), []);
        assert!(matches!(store.remove_host(&read, &[], &[], NOW).await, Err(CommitError::Stale)));
    }

    async fn two_hosts_never_share_a_name_or_a_proven_ek(site: &Site) {
        let store = site.open().await;
        let mut one = host("a");
        one.ek = Some(ek("e1"));
        insert(&store, one.clone()).await;
        let twin = Change::insert(host("a"), NOW);
        assert!(matches!(store.commit(twin).await, Err(CommitError::NameTaken)));
        let mut thief = host("b");
        thief.ek = one.ek;
        assert!(matches!(store.commit(Change::insert(thief, NOW)).await, Err(CommitError::EkTaken)));
        assert_eq!(store.hosts(None, 10).await.unwrap().len(), 1);
    }

    async fn a_failing_part_takes_the_whole_commit_back(site: &Site) {
        let store = site.open().await;
        let read = insert(&store, host("a")).await;
        let begin = |id| InstallWrite::Begin {
            id,
            host: read.id,
            install: NewInstall { token_sha256: ek("same token"), image: "tiny".into(), version: 1 },
            at: NOW,
        };
        let mut change = Change::update(read.clone(), NOW);
        change.installs = vec![begin(InstallId(Uuid::new_v4()))];
        store.commit(change).await.unwrap();

        let mut read = store.host(read.id).await.unwrap().unwrap();
        read.state = State::Pending;
        let mut again = Change::update(read.clone(), NOW);
        again.lines.push(line(Whose::Host(read.id), "never"));
        again.effects.push(Effect::Disconnect { host: read.id });
        again.installs = vec![begin(InstallId(Uuid::new_v4()))];
        assert!(matches!(store.commit(again).await, Err(CommitError::Write(_))));
        assert_eq!(store.host(read.id).await.unwrap().unwrap().state, State::Registered);
        assert_eq!(store.timeline(read.id, 0, 10).await.unwrap(), []);
        assert_eq!(store.pending_effects(NOW, 10).await.unwrap(), []);
    }

    async fn only_what_others_can_see_wakes_them(site: &Site) {
        let store = site.open().await;
        let (mut hosts, mut lines) = (store.hosts_changed(), store.changes());
        let mut running = host("a");
        running.state = State::Running { until: NOW };
        let mut running = insert(&store, running).await;
        assert!(hosts.has_changed().unwrap());
        hosts.mark_unchanged();

        running.state = State::Running { until: NOW.after_seconds(60) };
        running.version = store.commit(Change::update(running.clone(), NOW)).await.unwrap();
        assert!(!hosts.has_changed().unwrap(), "a heartbeat is nobody's news");
        assert!(!lines.has_changed().unwrap());

        running.state = State::Silent { since: NOW };
        let mut change = Change::update(running.clone(), NOW);
        change.lines.push(line(Whose::Host(running.id), "gone"));
        store.commit(change).await.unwrap();
        assert!(hosts.has_changed().unwrap());
        assert_eq!(*lines.borrow_and_update(), 1);
    }

    async fn a_removed_host_leaves_its_history_and_void_installs(site: &Site) {
        let store = site.open().await;
        let mut read = insert(&store, host("a")).await;
        let id = InstallId(Uuid::new_v4());
        let install = NewInstall { token_sha256: ek("token"), image: "tiny".into(), version: 1 };
        let mut change = Change::update(read.clone(), NOW);
        change.installs = vec![InstallWrite::Begin { id, host: read.id, install, at: NOW }];
        read.version = store.commit(change).await.unwrap();
        let lines = [line(Whose::Host(read.id), "removed")];
        store.remove_host(&read, &lines, &[Effect::VoidInstall { install: id }], NOW).await.unwrap();
        assert_eq!(store.host(read.id).await.unwrap(), None);
        assert_eq!(store.timeline(read.id, 0, 10).await.unwrap().len(), 1);
        let kept = store.install_by_token(&ek("token")).await.unwrap().unwrap();
        assert_eq!((kept.id, kept.voided), (id, Some(NOW)));
        assert_eq!(store.pending_effects(NOW, 10).await.unwrap().len(), 1);
    }
}
