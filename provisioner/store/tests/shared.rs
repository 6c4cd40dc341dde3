//! What only a database that several provisioners share can do: go away, come back, and tell one of the other.

#![allow(clippy::unwrap_used, reason = "only tests use this")]

mod setup;

use std::time::Duration;

use cairn_domain::{Level, Note};
use cairn_postgres::Postgres;
use cairn_store::{Database, OpenError, Store, Whose};
use setup::{NOW, engines::Site, host, insert, line};
use tokio_util::sync::CancellationToken;

fn note(text: &str) -> Note {
    Note::new(Level::Info, "test", text)
}

#[tokio::test]
async fn a_server_that_went_away_is_an_error_and_then_the_service_returns() {
    let postgres = Postgres::start().unwrap();
    let site = Site::on(postgres.clone()).await;
    let store = site.open().await;
    insert(&store, host("a")).await;
    postgres.kill();
    assert!(store.note(Whose::Site, NOW, note("lost")).await.is_err());
    assert!(store.hosts(None, 10).await.is_err());
    postgres.restart().unwrap();
    store.note(Whose::Site, NOW, note("kept")).await.unwrap();
    assert_eq!(store.hosts(None, 10).await.unwrap().len(), 1);
    assert_eq!(store.site_timeline(0, 10).await.unwrap().len(), 1);
}

/// The second provisioner's data directory is its own; the tables are shared.
async fn another(site: &Site) -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open_with(dir.path(), site.database.clone()).await.unwrap();
    (dir, store)
}

#[tokio::test]
async fn what_one_provisioner_commits_wakes_the_other_also_after_the_server_was_away() {
    let postgres = Postgres::start().unwrap();
    let site = Site::on(postgres.clone()).await;
    let store = site.open().await;
    let (_dir, other) = another(&site).await;
    let (mut lines, mut hosts) = (other.changes(), other.hosts_changed());
    let stop = CancellationToken::new();
    let follow = async {
        other.follow(stop.clone()).await;
    };
    let story = async {
        for round in 0..2 {
            lines.mark_unchanged();
            hosts.mark_unchanged();
            let mut change = cairn_store::Change::insert(host(&format!("h{round}")), NOW);
            change.lines.push(line(Whose::Site, "registered"));
            store.commit(change).await.unwrap();
            let heard = async { (lines.changed().await.unwrap(), hosts.changed().await.unwrap()) };
            tokio::time::timeout(Duration::from_secs(10), heard).await.unwrap();
            assert_eq!(*lines.borrow(), round + 1);
            postgres.kill();
            postgres.restart().unwrap();
        }
        stop.cancel();
    };
    tokio::join!(follow, story);
}

#[tokio::test]
async fn writers_of_two_provisioners_take_turns_and_lose_nothing() {
    let site = Site::postgres().await;
    let store = site.open().await;
    let (_dir, other) = another(&site).await;
    let write = |store: Store| async move {
        for i in 0..50 {
            store.note(Whose::Site, NOW, note(&format!("{i}"))).await.unwrap();
        }
    };
    tokio::join!(write(store.clone()), write(other));
    let numbers: Vec<_> = store.site_timeline(0, 1000).await.unwrap().iter().map(|e| e.seq).collect();
    assert_eq!(numbers, (1..=100).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_address_that_is_none_or_leads_nowhere_is_said_without_its_password() {
    let dir = tempfile::tempdir().unwrap();
    let open = |url: &str| {
        let database = Database::Postgres(url.to_owned());
        assert!(!format!("{database:?}").contains("secret"));
        let dir = dir.path();
        async move { Store::open_with(dir, database).await.unwrap_err() }
    };
    let nonsense = open("mysql//secret").await;
    assert!(matches!(nonsense, OpenError::Address(_)), "{nonsense:?}");
    let nobody = open("postgres://u:secret@localhost/db?host=/nonexistent").await;
    assert!(matches!(nobody, OpenError::Connect(_)), "{nobody:?}");
    assert!(!format!("{nonsense:?}{nobody:?}").contains("secret"));
}
