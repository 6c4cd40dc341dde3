//! Resources, the log of changes, and the index that follows it.

#![allow(clippy::unwrap_used, reason = "only tests use this")]

mod setup;

use std::time::Duration;

use cairn_domain::model::{Kind, Namespace, Object, Spec, Uid};
use cairn_store::{
    Answer, AuditFilter, Batch, BatchError, Catalog, Change, CommitError, CredentialWrite, Password,
    ResourceWrite, ServiceToken, Trail,
};
use serde_json::json;
use setup::{NOW, alice, batch, ek, host, insert, resource};
use tokio_util::sync::CancellationToken;

fn project() -> Namespace {
    "default.default".parse().unwrap()
}

fn region(name: &str) -> Object {
    resource(Kind::Region, &project(), name, json!({}))
}

on_both_engines! {
    async fn a_new_database_has_a_place_for_hosts(site: &Site) {
        let store = site.open().await;
        let (objects, revision) = store.all_objects().await.unwrap();
        let mut names: Vec<_> = objects.iter().map(ToString::to_string).collect();
        names.sort();
        assert_eq!(names, ["Organisation default", "Project default.default", "Site main.default.default"]);
        assert_eq!(revision, 3);
        assert!(objects.iter().all(|o| o.metadata.created.0 > 1_700_000_000_000), "made today");
        assert_eq!(store.oldest_revision().await.unwrap(), 3);
    }

    async fn a_resource_is_made_changed_and_deleted_each_with_its_lines(site: &Site) {
        let store = site.open().await;
        let made = store.write(&batch(vec![ResourceWrite::Create(region("north"))])).await.unwrap();
        let made_object = made.objects[0].clone();
        assert_eq!((made.revision, made_object.metadata.resource_version), (4, 4));

        let mut wanted = made_object.clone();
        wanted.metadata.labels.insert("tier".into(), "1".into());
        let update = |object: &Object, expected| ResourceWrite::Update { object: object.clone(), expected };
        let same = store.write(&batch(vec![update(&made_object, Some(4))])).await.unwrap();
        assert_eq!(same.revision, 4, "nothing differs, nothing is written");
        let labelled = store.write(&batch(vec![update(&wanted, Some(4))])).await.unwrap().objects.remove(0);
        assert_eq!((labelled.metadata.generation, labelled.metadata.resource_version), (1, 5));
        wanted.spec = Spec::parse(Kind::Region, json!({"displayName": "North"})).unwrap();
        let conflict = store.write(&batch(vec![update(&wanted, Some(4))])).await.unwrap_err();
        assert!(matches!(conflict, BatchError::Conflict { index: 0, current: 5 }), "{conflict:?}");
        let renamed = store.write(&batch(vec![update(&wanted, None)])).await.unwrap().objects.remove(0);
        assert_eq!((renamed.metadata.generation, renamed.metadata.resource_version), (2, 6));

        let uid = renamed.metadata.uid;
        let delete = ResourceWrite::Delete { uid, expected: Some(6) };
        store.write(&batch(vec![delete.clone()])).await.unwrap();
        let gone = store.write(&batch(vec![delete])).await.unwrap_err();
        assert!(matches!(gone, BatchError::NotFound { index: 0 }));
        assert_eq!(store.objects(&[(Kind::Region, uid)]).await.unwrap(), []);

        let changes = store.changes_after(3, 10).await.unwrap();
        assert_eq!(changes.iter().map(|c| c.revision).collect::<Vec<_>>(), [4, 5, 6, 7]);
        let deleted = changes[3].deleted.clone().unwrap();
        assert_eq!((deleted.full_name(), deleted.metadata.resource_version), (renamed.full_name(), 7));
        let audit = store.audit_after(0, &AuditFilter::default(), 10).await.unwrap();
        assert_eq!(audit.iter().map(|e| e.deed.verb.as_str()).collect::<Vec<_>>(),
            ["create", "update", "update", "delete"]);
        assert_eq!(audit[2].deed.after.as_ref().unwrap()["spec"]["displayName"], "North");
        assert_eq!(audit[2].deed.actor, alice());
        assert_eq!(store.verify_audit().await.unwrap().flaw, None);
    }

    async fn one_bad_write_undoes_the_whole_batch(site: &Site) {
        let store = site.open().await;
        let twice = vec![ResourceWrite::Create(region("a")), ResourceWrite::Create(region("a"))];
        let refused = store.write(&batch(twice)).await.unwrap_err();
        assert!(matches!(refused, BatchError::NameTaken { index: 1 }), "{refused:?}");
        assert_eq!(store.newest_revision().await.unwrap(), 3);
        assert_eq!(store.audit_after(0, &AuditFilter::default(), 10).await.unwrap(), []);
        assert_eq!(store.verify_audit().await.unwrap().flaw, None);
    }

    async fn what_was_admitted_against_an_old_tree_is_not_written(site: &Site) {
        let store = site.open().await;
        let premise = store.newest_revision().await.unwrap();
        insert(&store, host("new")).await;
        let with = |write| Batch { premise: Some(premise), ..batch(vec![write]) };
        let north = store.write(&with(ResourceWrite::Create(region("north")))).await.unwrap();
        let late = store.write(&with(ResourceWrite::Create(region("south")))).await.unwrap_err();
        assert!(matches!(late, BatchError::Premise), "{late:?}");
        let premise = north.revision;
        let mut newer = host("newer");
        newer.meta.site = Some("main".into());
        insert(&store, newer).await;
        let delete = |uid| Batch {
            premise: Some(premise),
            ..batch(vec![ResourceWrite::Delete { uid, expected: None }])
        };
        let main = "00000000-0000-4000-8000-0000000000a3".parse().unwrap();
        assert!(matches!(store.write(&delete(main)).await, Err(BatchError::Premise)), "a host came into it");
        // Hosts elsewhere hold nothing up.
        store.write(&delete(north.objects[0].metadata.uid)).await.unwrap();
    }

    async fn an_answer_is_given_once_and_kept(site: &Site) {
        let store = site.open().await;
        let answer = Answer {
            principal: "user:alice".into(),
            key: "k".into(),
            request: ek("request"),
            status: 201,
            response: "{}".into(),
        };
        let trail = Trail { deeds: Vec::new(), answer: Some(answer.clone()) };
        let create = |name| Batch { trail: trail.clone(), ..batch(vec![ResourceWrite::Create(region(name))]) };
        store.write(&create("one")).await.unwrap();
        assert!(matches!(store.write(&create("two")).await, Err(BatchError::Answered)));
        assert_eq!(store.answer("user:alice", "k").await.unwrap(), Some(answer));
        assert_eq!(store.answer("user:bob", "k").await.unwrap(), None);
        let mut change = Change::insert(host("h"), NOW);
        change.trail = trail.clone();
        assert!(matches!(store.commit(change).await, Err(CommitError::Answered)));
        assert_eq!(store.forget_answers(NOW.after_seconds(1)).await.unwrap(), 1);
        store.write(&create("two")).await.unwrap();
    }

    async fn credentials_go_with_their_resource(site: &Site) {
        let store = site.open().await;
        let user = resource(Kind::User, &Namespace::Appliance, "alice", json!({}));
        let token = resource(Kind::Token, &project(), "ci", json!({"role": "viewer", "expires": "2027-06-01T00:00:00Z"}));
        let (user_uid, token_uid) = (user.metadata.uid, token.metadata.uid);
        let password = Password { phc: "$argon2id$x".into(), changed: NOW };
        let service = ServiceToken {
            sha256: ek("secret"), uid: token_uid, created: NOW, expires: NOW.after_seconds(60), last_used: None,
        };
        let mut all = batch(vec![ResourceWrite::Create(user), ResourceWrite::Create(token)]);
        all.credentials = vec![
            CredentialWrite::SetPassword { user: user_uid, password: password.clone() },
            CredentialWrite::SetToken(service.clone()),
        ];
        store.write(&all).await.unwrap();
        assert_eq!(store.password(user_uid).await.unwrap(), Some(password.clone()));
        assert_eq!(store.service_token(&ek("secret")).await.unwrap(), Some(service.clone()));
        assert!(!format!("{password:?}").contains("argon2id"));
        store.service_token_used(&ek("secret"), NOW).await.unwrap();
        let mut rotated = batch(Vec::new());
        rotated.credentials = vec![CredentialWrite::SetToken(ServiceToken { sha256: ek("new"), ..service })];
        store.write(&rotated).await.unwrap();
        assert_eq!(store.service_token(&ek("secret")).await.unwrap(), None);
        assert_eq!(store.service_token_of(token_uid).await.unwrap().unwrap().sha256, ek("new"));
        let delete = |uid| ResourceWrite::Delete { uid, expected: None };
        store.write(&batch(vec![delete(user_uid), delete(token_uid)])).await.unwrap();
        assert_eq!(store.password(user_uid).await.unwrap(), None);
        assert_eq!(store.service_token(&ek("new")).await.unwrap(), None);
    }

    async fn a_host_shows_its_visible_changes_only(site: &Site) {
        let store = site.open().await;
        let mut running = host("h");
        running.state = cairn_domain::State::Running { until: NOW };
        let mut read = insert(&store, running).await;
        assert_eq!(read.meta.resource_version, 4);
        read.state = cairn_domain::State::Running { until: NOW.after_seconds(60) };
        read.version = store.commit(Change::update(read.clone(), NOW)).await.unwrap();
        assert_eq!(store.newest_revision().await.unwrap(), 4, "a heartbeat is nobody's news");
        read.meta.labels.insert("rack".into(), "7".into());
        read.version = store.commit(Change::update(read.clone(), NOW)).await.unwrap();
        let labelled = store.host(read.id).await.unwrap().unwrap();
        assert_eq!((labelled.meta.resource_version, labelled.meta.generation), (5, 1));
        read.meta.site = Some("main".into());
        store.commit(Change::update(read.clone(), NOW)).await.unwrap();
        let moved = store.host(read.id).await.unwrap().unwrap();
        assert_eq!((moved.meta.resource_version, moved.meta.generation), (6, 2));
        let mut lost = moved.clone();
        lost.meta.site = Some("nowhere".into());
        let refused = store.commit(Change::update(lost, NOW)).await.unwrap_err();
        assert_eq!(refused.to_string(), "there is no site nowhere.default.default to put the host in");
        let mut lost = moved;
        lost.meta.project = "nobody.default".parse().unwrap();
        assert!(matches!(store.commit(Change::update(lost, NOW)).await, Err(CommitError::NoSuchPlace(_))));
    }

    async fn two_projects_may_have_a_host_of_one_name(site: &Site) {
        let store = site.open().await;
        let other = resource(Kind::Project, &"default".parse().unwrap(), "other", json!({}));
        store.write(&batch(vec![ResourceWrite::Create(other)])).await.unwrap();
        let one = insert(&store, host("h")).await;
        let mut two = host("h");
        two.meta.project = "other.default".parse().unwrap();
        let two = insert(&store, two).await;
        assert_eq!(store.host_named(&two.meta.project, "h").await.unwrap().unwrap().id, two.id);
        let mut moved = two;
        moved.meta.project = one.meta.project;
        assert!(matches!(store.commit(Change::update(moved, NOW)).await, Err(CommitError::NameTaken)));
    }

    async fn many_changes_commit_together_and_a_bad_one_spoils_none(site: &Site) {
        let store = site.open().await;
        let mut hosts = Vec::new();
        for i in 0..5 {
            hosts.push(insert(&store, host(&format!("h{i}"))).await);
        }
        let mut changes: Vec<_> = hosts.iter().cloned().map(|mut host| {
            host.state = cairn_domain::State::Pending;
            Change::update(host, NOW)
        }).collect();
        changes[1].host.version = 99;
        changes[3].host.spec.name = "h0".into();
        let again = changes[0].clone();
        changes.push(again);
        changes.push(Change::insert(host("h9"), NOW));
        let results = store.commit_many(&changes).await;
        assert!(matches!(results[1], Err(CommitError::Stale)));
        assert!(matches!(results[3], Err(CommitError::NameTaken)));
        assert!(matches!(results[5], Err(CommitError::Stale)), "the first of two has changed it");
        for (i, version) in [(0, 2), (2, 2), (4, 2), (6, 1)] {
            assert_eq!(*results[i].as_ref().unwrap(), version, "{i}");
        }
        let states: Vec<_> = store.hosts(None, 10).await.unwrap().iter().map(|h| h.state.word()).collect();
        assert_eq!(states, ["pending", "registered", "pending", "registered", "pending", "registered"]);
        let fine: Vec<_> = store.hosts(None, 10).await.unwrap().into_iter().map(|mut host| {
            host.state = cairn_domain::State::Pending;
            Change::update(host, NOW)
        }).collect();
        assert!(store.commit_many(&fine).await.iter().all(Result::is_ok));
        assert!(store.commit_many(&[]).await.is_empty());
    }

    async fn the_index_has_what_was_written_and_feeds_tell_of_it(site: &Site) {
        let store = site.open().await;
        let catalog = Catalog::load(store.clone()).await.unwrap();
        let stop = CancellationToken::new();
        let story = async {
            let start = catalog.index().revision();
            let mut feed = catalog.feed(start).unwrap();
            let north = catalog.write(&batch(vec![ResourceWrite::Create(region("north"))])).await.unwrap();
            let uid = north.objects[0].metadata.uid;
            assert!(catalog.index().get(uid).is_some(), "read your writes");
            let mut host = insert(&store, host("h")).await;
            host.meta.labels.insert("a".into(), "b".into());
            store.commit(Change::update(host.clone(), NOW)).await.unwrap();
            catalog.write(&batch(vec![ResourceWrite::Delete { uid, expected: None }])).await.unwrap();
            let mut seen = Vec::new();
            while seen.last() != Some(&(7, true)) {
                let events = tokio::time::timeout(Duration::from_secs(10), feed.next()).await.unwrap().unwrap();
                seen.extend(events.iter().map(|e| (e.revision, e.after.is_none())));
            }
            assert_eq!(seen.first(), Some(&(4, false)));
            assert!(seen.is_sorted());
            let label = catalog.index().get(Uid::from(host.id)).unwrap().metadata.labels.get("a").cloned();
            assert_eq!(label.as_deref(), Some("b"));
            stop.cancel();
        };
        tokio::join!(catalog.follow(stop.clone()), story);

        // After a restart, a watcher goes on where it was.
        let again = Catalog::load(store.clone()).await.unwrap();
        let mut feed = again.feed(3).unwrap();
        let seen: Vec<_> = feed.next().await.unwrap().iter().map(|e| (e.revision, e.after.is_none())).collect();
        assert_eq!(seen, [(6, false), (7, true)], "each resource as it is now");
        assert!(again.feed(2).is_err(), "before the first line of the log");
    }
}
