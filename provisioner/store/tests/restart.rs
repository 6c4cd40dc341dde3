//! What was committed is there after a restart, and old files go on loading.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod setup;

use std::net::Ipv4Addr;

use cairn_contract::{HostId, InstallId};
use cairn_domain::{
    Effect, Host, State, Why,
    host::{HostMeta, Installed},
    model::{Kind, Uid},
};
use cairn_store::{
    Answer, AuditFilter, Change, CredentialWrite, Database, Duty, InstallWrite, InstallerStanding,
    NewInstall, Password, ResourceWrite, ServiceToken, Session, Store, Whose,
};
use serde_json::json;
use setup::{NOW, batch, ek, engines::Site, host, image, installer, inventory, line, mac, resource};
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

/// What the second version added, one of everything.
async fn fill_second(store: &Store) {
    let project = "default.default".parse().unwrap();
    let mut region = resource(Kind::Region, &project, "north", json!({"displayName": "North"}));
    region.metadata.uid = Uid(Uuid::from_u128(11));
    region.metadata.labels.insert("tier".into(), "1".into());
    let mut gone = resource(Kind::Region, &project, "gone", json!({}));
    gone.metadata.uid = Uid(Uuid::from_u128(12));
    let user = Uid(Uuid::from_u128(13));
    let mut all = batch(vec![
        ResourceWrite::Create(region),
        ResourceWrite::Create(gone),
        ResourceWrite::Delete { uid: Uid(Uuid::from_u128(12)), expected: None },
    ]);
    let service = ServiceToken {
        sha256: ek("service"),
        uid: Uid(Uuid::from_u128(14)),
        created: NOW,
        expires: NOW.after_seconds(60),
        last_used: None,
    };
    all.credentials = vec![
        CredentialWrite::SetPassword { user, password: Password { phc: "$argon2id$".into(), changed: NOW } },
        CredentialWrite::SetToken(service),
    ];
    all.trail.answer = Some(answer());
    store.write(&all).await.unwrap();
    store.begin_session(&session(), &[]).await.unwrap();
    store.put_ticket("code", "value", NOW.after_seconds(60)).await.unwrap();
    let duty = Duty { holder: "one".into(), until: NOW.after_seconds(60) };
    store.take_duty("outbox", &duty, NOW).await.unwrap();
}

fn answer() -> Answer {
    let (principal, key, response) = ("user:alice".into(), "key".into(), "{}".into());
    Answer { principal, key, request: ek("request"), status: 201, response }
}

fn session() -> Session {
    Session {
        sha256: ek("session"),
        user: Uid(Uuid::from_u128(13)),
        principal: "{}".into(),
        created: NOW,
        expires: NOW.after_seconds(60),
        last_seen: NOW,
    }
}

async fn check_second(store: &Store) {
    let region = store.objects(&[(Kind::Region, Uid(Uuid::from_u128(11)))]).await.unwrap().remove(0);
    assert_eq!(region.to_string(), "Region north.default.default");
    assert_eq!((region.metadata.resource_version, region.metadata.generation), (5, 1));
    assert_eq!(region.metadata.labels["tier"], "1");
    let changes = store.changes_after(4, 10).await.unwrap();
    assert_eq!(changes.iter().map(|c| c.revision).collect::<Vec<_>>(), [5, 6, 7]);
    assert_eq!(changes[2].deleted.as_ref().unwrap().to_string(), "Region gone.default.default");
    let verified = store.verify_audit().await.unwrap();
    assert_eq!((verified.entries, verified.flaw), (3, None));
    assert_eq!(store.audit_after(2, &AuditFilter::default(), 9).await.unwrap()[0].deed.verb, "delete");
    let user = Uid(Uuid::from_u128(13));
    assert_eq!(store.password(user).await.unwrap().unwrap().phc, "$argon2id$");
    assert_eq!(store.service_token(&ek("service")).await.unwrap().unwrap().uid, Uid(Uuid::from_u128(14)));
    assert_eq!(store.answer("user:alice", "key").await.unwrap(), Some(answer()));
    assert_eq!(store.session(&ek("session")).await.unwrap(), Some(session()));
    assert_eq!(store.duty("outbox").await.unwrap().unwrap().holder, "one");
}

on_both_engines! {
    async fn a_restart_keeps_everything(site: &Site) {
        let store = site.open().await;
        fill(&store).await;
        fill_second(&store).await;
        check_all(&store, None).await;
        // No close: as when the process is killed.
        drop(store);
        let store = site.open().await;
        check_all(&store, None).await;
        check_second(&store).await;
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

/// `tests/fixtures/v2.sql` is one as the second version wrote it.
#[tokio::test]
async fn a_database_of_the_second_version_loads() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("cairn.db");
    let mut old =
        SqliteConnectOptions::new().filename(&file).create_if_missing(true).connect().await.unwrap();
    old.execute(include_str!("fixtures/v2.sql")).await.unwrap();
    sqlx::Connection::close(old).await.unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    check_all(&store, None).await;
    check_second(&store).await;
    assert_eq!(store.take_ticket("code", NOW).await.unwrap().as_deref(), Some("value"));
}

/// The rows of the first file, in a PostgreSQL of the first version.
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
