//! What only shows with a look inside.

use cairn_contract::{HostId, Timestamp};
use cairn_domain::{Host, HostSpec, State, index::Index};
use uuid::Uuid;

use super::Catalog;
use crate::{Change, Store};

fn host(name: &str) -> Host {
    Host {
        id: HostId(Uuid::new_v4()),
        spec: HostSpec { name: name.into(), ..HostSpec::default() },
        state: State::Registered,
        ek: None,
        inventory: None,
        installed: None,
        created: Timestamp(1),
        changed: Timestamp(1),
        version: 0,
        meta: Default::default(),
    }
}

#[tokio::test]
async fn who_is_too_far_behind_reads_all_anew_and_watchers_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let catalog = Catalog::load(store.clone()).await.unwrap();
    let mut feed = catalog.feed(catalog.index().revision()).unwrap();
    for name in ["a", "b"] {
        store.commit(Change::insert(host(name), Timestamp(1))).await.unwrap();
    }
    // As if many more had come: the first is cut off.
    crate::db::sql("DELETE FROM change WHERE rv = 4").execute(store.writer()).await.unwrap();
    catalog.catch_up().await.unwrap();
    assert_eq!(catalog.index().revision(), 5);
    assert_eq!(catalog.index().count(cairn_domain::model::Kind::Host), 2);
    assert!(feed.next().await.is_err());
    assert!(catalog.feed(4).is_err());
    assert!(catalog.feed(5).is_ok());
}

#[tokio::test]
async fn what_follows_is_what_a_fresh_start_reads() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let catalog = Catalog::load(store.clone()).await.unwrap();
    let mut kept = Vec::new();
    for i in 0..40_u32 {
        let mut host = host(&format!("h{i}"));
        host.version = store.commit(Change::insert(host.clone(), Timestamp(1))).await.unwrap();
        match i % 3 {
            0 => store.commit(Change::remove(host, Timestamp(2))).await.map(|_| ()).unwrap(),
            1 => {
                host.state = State::Pending;
                store.commit(Change::update(host.clone(), Timestamp(2))).await.unwrap();
                kept.push(host.id);
            }
            _ => kept.push(host.id),
        }
        if i % 7 == 0 {
            catalog.catch_up().await.unwrap();
        }
    }
    catalog.catch_up().await.unwrap();
    let (objects, revision) = store.all_objects().await.unwrap();
    let fresh = Index::load(objects, revision);
    assert_eq!(catalog.index().revision(), revision);
    for id in kept {
        let uid = id.into();
        assert_eq!(catalog.index().get(uid), fresh.get(uid));
        assert!(fresh.get(uid).is_some());
    }
    assert_eq!(
        catalog.index().count(cairn_domain::model::Kind::Host),
        fresh.count(cairn_domain::model::Kind::Host)
    );
}
