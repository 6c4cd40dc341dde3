//! What was committed is there after a restart, and old files go on loading.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod setup;

use std::net::Ipv4Addr;

use cairn_contract::{HostId, InstallId};
use cairn_domain::{
    Effect, Host, State, Why,
    host::{HostMeta, Installed},
};
use cairn_store::{Change, Database, InstallWrite, InstallerStanding, NewInstall, Store, Whose};
use setup::{NOW, ek, engines::Site, host, image, installer, inventory, line, mac};
use sqlx::{
    ConnectOptions as _, Executor as _, SqlSafeStr as _,
    migrate::{Migration, MigrationType, Migrator},
    postgres::PgConnectOptions,
    sqlite::SqliteConnectOptions,
};
use uuid::Uuid;

const INSTALL: InstallId = InstallId(Uuid::from_u128(2));

/// One of everything, always the same.
fn full_host() -> Host {
    let mut host = host("full");
    host.id = HostId(Uuid::from_u128(1));
    host.spec.serial = Some("S1".into());
    host.spec.macs = vec![mac(1)];
    host.spec.image = Some("tiny".into());
    host.ek = Some(ek("e1"));
    host.inventory = Some(inventory("S1", "11111111-2222-3333-4444-555555555555", &[mac(1), mac(2)]));
    host.installed = Some(Installed { install: INSTALL, image: "tiny".into(), version: 3 });
    host.state = State::Quarantined { why: Why::EvidenceRefused("PCR 4 differs".into()) };
    host
}

fn lease() -> (Ipv4Addr, String) {
    (Ipv4Addr::new(10, 0, 0, 10), "{\"until\":1}".into())
}

async fn fill(store: &Store) {
    let host = full_host();
    let install = NewInstall { token_sha256: ek("token"), image: "tiny".into(), version: 3 };
    let mut change = Change::insert(host.clone(), NOW);
    change.boot_mac = Some(mac(3));
    change.lines = vec![line(Whose::Host(host.id), "one"), line(Whose::Site, "two")];
    change.lines[0].state = Some("quarantined");
    change.effects = vec![Effect::Disconnect { host: host.id }, Effect::VoidInstall { install: INSTALL }];
    change.installs = vec![InstallWrite::Begin { id: INSTALL, host: host.id, install, at: NOW }];
    store.commit(change).await.unwrap();
    store.finish_install(INSTALL, NOW, "{\"is\":\"finished\"}").await.unwrap();
    store.finish_install(INSTALL, NOW.after_seconds(9), "{}").await.unwrap();
    store.void_install(INSTALL, NOW.after_seconds(1)).await.unwrap();
    store.void_install(INSTALL, NOW.after_seconds(9)).await.unwrap();
    store.add_image(&image(3)).await.unwrap();
    store.add_installer(&installer("1", InstallerStanding::Active)).await.unwrap();
    store.put_lease(lease().0, &lease().1).await.unwrap();
}

async fn check_all(store: &Store, site: Option<&str>) {
    // The organisation, project and site of the schema have the first three versions.
    let meta = HostMeta { site: site.map(str::to_owned), resource_version: 4, ..HostMeta::default() };
    let expected = Host { version: 1, meta, ..full_host() };
    assert_eq!(store.host(expected.id).await.unwrap().as_ref(), Some(&expected));
    for (mac, uuid) in [(mac(1), None), (mac(2), None), (mac(3), None)] {
        assert_eq!(store.find_machine(mac, uuid).await.unwrap().as_ref(), Some(&expected));
    }
    let timeline = store.timeline(expected.id, 0, 10).await.unwrap();
    assert_eq!(timeline.len(), 1);
    assert_eq!((timeline[0].seq, timeline[0].state.as_deref()), (1, Some("quarantined")));
    assert_eq!(store.site_timeline(0, 10).await.unwrap()[0].note.text, "two");
    assert_eq!(*store.changes().borrow(), 2);
    let effects: Vec<Effect> =
        store.pending_effects(NOW, 10).await.unwrap().into_iter().map(|e| e.effect).collect();
    assert_eq!(effects, [Effect::Disconnect { host: expected.id }, Effect::VoidInstall { install: INSTALL }]);
    let install = store.install(INSTALL).await.unwrap().unwrap();
    assert_eq!(store.install_by_token(&ek("token")).await.unwrap().as_ref(), Some(&install));
    assert_eq!(store.installs_of(expected.id, 10).await.unwrap(), std::slice::from_ref(&install));
    assert_eq!((install.ended, install.voided), (Some(NOW), Some(NOW.after_seconds(1))));
    assert_eq!(install.result.as_deref(), Some("{\"is\":\"finished\"}"));
    assert_eq!(store.image("tiny").await.unwrap(), Some(image(3)));
    assert_eq!(store.active_installer().await.unwrap(), Some(installer("1", InstallerStanding::Active)));
    assert_eq!(store.leases().await.unwrap(), [lease()]);
}

on_both_engines! {
    async fn a_restart_keeps_everything(site: &Site) {
        let store = site.open().await;
        fill(&store).await;
        check_all(&store, None).await;
        // No close: as when the process is killed.
        drop(store);
        let store = site.open().await;
        check_all(&store, None).await;
        store
            .note(Whose::Site, NOW, cairn_domain::Note::new(cairn_domain::Level::Info, "x", "three"))
            .await
            .unwrap();
        assert_eq!(*store.changes().borrow(), 3, "numbers go on where they were");
    }
}

/// `tests/fixtures/v1.sql` is a database as the first version wrote it, checksums of its migrations included. It must load
/// as long as there is an upgrade path from it; it never changes.
#[tokio::test]
async fn a_database_of_the_first_version_loads() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("cairn.db");
    let mut old =
        SqliteConnectOptions::new().filename(&file).create_if_missing(true).connect().await.unwrap();
    old.execute(include_str!("fixtures/v1.sql")).await.unwrap();
    sqlx::Connection::close(old).await.unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    check_all(&store, Some("main")).await;
}

/// The rows of the same file, in a PostgreSQL of the first version.
#[tokio::test]
async fn a_postgresql_of_the_first_version_loads() {
    let site = Site::postgres().await;
    let Database::Postgres(url) = &site.database else { panic!("PostgreSQL was asked for") };
    let mut old = url.parse::<PgConnectOptions>().unwrap().connect().await.unwrap();
    let first = include_str!("../migrations/0001_site.sql").into_sql_str();
    let first = Migration::new(1, "site".into(), MigrationType::Simple, first, false);
    Migrator::with_migrations(vec![first]).run_direct(None, &mut old, false).await.unwrap();
    old.execute("DELETE FROM sequence").await.unwrap();
    let rows = include_str!("fixtures/v1.sql").lines().filter(|l| l.starts_with("INSERT INTO"));
    for row in rows.filter(|l| !l.contains("_sqlx_migrations")) {
        old.execute(row).await.unwrap();
    }
    sqlx::Connection::close(old).await.unwrap();
    check_all(&site.open().await, Some("main")).await;
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path()).await.unwrap());
    let file = dir.path().join("cairn.db");
    let mut newer = SqliteConnectOptions::new().filename(&file).connect().await.unwrap();
    newer
        .execute(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES (999, 'of the future', TRUE, x'00', 0)",
        )
        .await
        .unwrap();
    sqlx::Connection::close(newer).await.unwrap();
    let refused = Store::open(dir.path()).await.unwrap_err();
    assert!(matches!(refused, cairn_store::OpenError::Migrate { .. }), "{refused}");
}

#[tokio::test]
async fn a_value_from_the_future_is_an_error_that_names_its_column() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    fill(&store).await;
    let file = dir.path().join("cairn.db");
    let mut other = SqliteConnectOptions::new().filename(&file).connect().await.unwrap();
    other.execute("UPDATE host SET state = '{\"state\":\"dreaming\"}'").await.unwrap();
    let refused = store.host(full_host().id).await.unwrap_err();
    assert_eq!(refused.to_string(), "column state holds an unexpected value");
}
