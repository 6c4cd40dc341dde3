//! What the driver does by itself while it runs, and after it was killed.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod story;

use std::{sync::Arc, time::Duration};

use cairn_contract::InstallId;
use cairn_domain::{Effect, Event, Fact, HostSpec, Level, Note, State, Subject, fact::Claim};
use cairn_driver::{Driver, Execute, ExecuteError};
use cairn_store::{Change, Clock as _, NewInstall, Order, Reporter as _, Store, Windows};
use futures_util::future::BoxFuture;
use story::{Site, by, ek, inventory, mac};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const INSTALL: InstallId = InstallId(Uuid::from_u128(1));

/// Runs `site` until `done` is through.
async fn while_running<T>(driver: &Driver, done: impl Future<Output = T>) -> T {
    let stop = CancellationToken::new();
    let limited = async {
        let result = tokio::time::timeout(Duration::from_secs(20), done).await;
        stop.cancel();
        result.expect("it comes about in time")
    };
    tokio::join!(driver.run(stop.clone()), limited).1
}

/// A registered host whose installation is void: one effect is committed.
async fn leave_an_effect(site: &Site) {
    let spec = HostSpec { name: "a".into(), serial: Some("S1".into()), ..HostSpec::default() };
    let host = site.driver.order(Order::Register(Box::new(spec.into())), by()).await.unwrap();
    let claim = Claim { ek: ek("E1"), boot_mac: mac("1"), inventory: inventory("S1", mac("1")), class: None };
    let fact = Fact {
        subject: Subject::Proven(Box::new(claim)),
        event: Some(Event::InstallerProven(INSTALL)),
        note: None,
    };
    let install = NewInstall { token_sha256: ek("token"), image: "tiny".into(), version: 7 };
    site.driver.report_install(fact, install).await.unwrap();
    site.driver.order(Order::Reinstall { id: host.id, windows: Windows::Respect }, by()).await.unwrap();
    let row = site.store.install(INSTALL).await.unwrap().unwrap();
    assert!(row.voided.is_some(), "void with the commit, before any effect runs");
}

#[tokio::test]
async fn an_effect_that_was_committed_before_a_crash_runs_after_it() {
    let site = Site::new().await;
    leave_an_effect(&site).await;
    let dir = site.close().await;

    let site = Site::in_dir(dir).await;
    while_running(&site.driver, async {
        while site.recorder.done.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    assert_eq!(*site.recorder.done.lock().unwrap(), [Effect::VoidInstall { install: INSTALL }]);
    assert_eq!(site.store.pending_effects(site.clock.now(), 10).await.unwrap(), []);
}

/// Begins every effect and never ends one.
#[derive(Debug, Default)]
struct Stuck(tokio::sync::Notify);

impl Execute for Stuck {
    fn execute(&self, _: Effect) -> BoxFuture<'_, Result<(), ExecuteError>> {
        Box::pin(async {
            self.0.notify_one();
            std::future::pending().await
        })
    }
}

#[tokio::test]
async fn an_effect_that_a_crash_cut_off_runs_again() {
    let site = Site::new().await;
    leave_an_effect(&site).await;
    let stuck = Arc::new(Stuck::default());
    let driver = Driver::new(
        (site.store.clone(), site.catalog.clone()),
        Arc::default(),
        site.clock.clone(),
        stuck.clone(),
    );
    tokio::select! {
        () = driver.run_due_effects() => panic!("it cannot end"),
        () = stuck.0.notified() => {}
    }
    drop(driver);
    site.driver.run_due_effects().await;
    assert_eq!(*site.recorder.done.lock().unwrap(), [Effect::VoidInstall { install: INSTALL }]);
}

#[tokio::test]
async fn observations_are_written_in_order_and_repeated_knocks_count_once() {
    let site = Site::new().await;
    let spec = HostSpec { name: "a".into(), macs: vec![mac("1")], ..HostSpec::default() };
    let host = site.driver.order(Order::Register(Box::new(spec.into())), by()).await.unwrap();
    let observe = |m: &str, event, text: String| {
        let subject = Subject::Machine { mac: mac(m), uuid: None };
        site.driver.observe(Fact { subject, event, note: Some(Note::new(Level::Info, "dhcp", text)) });
    };
    while_running(&site.driver, async {
        for i in 0..100 {
            observe("1", (i == 50 || i == 51).then_some(Event::Knocked), format!("packet {i}"));
            observe("2", None, format!("other {i}"));
        }
        let mut changes = site.store.changes();
        changes.wait_for(|seq| *seq >= 201).await.unwrap();
    })
    .await;
    let lines = site.store.timeline(host.id, 0, 500).await.unwrap();
    let texts: Vec<_> = lines.iter().skip(1).map(|e| e.note.text.clone()).collect();
    assert_eq!(texts, (0..100).map(|i| format!("packet {i}")).collect::<Vec<_>>());
    assert_eq!(lines[51].state.as_deref(), Some("booting"));
    assert_eq!(site.store.machine_timeline(mac("2"), 0, 500).await.unwrap().len(), 100);
    let host = site.store.host(host.id).await.unwrap().unwrap();
    assert_eq!(host.version, 2, "one knock, one commit");
    assert_eq!(site.driver.dropped(), 0);
}

#[tokio::test]
async fn too_many_observations_are_dropped_counted_and_told() {
    let site = Site::new().await;
    for i in 0..1500 {
        let note = Some(Note::new(Level::Info, "dhcp", format!("packet {i}")));
        site.driver.observe(Fact { subject: Subject::Site, event: None, note });
    }
    assert_eq!(site.driver.dropped(), 1500 - 1024);
    let stop = CancellationToken::new();
    stop.cancel();
    // Stopped at once: what waits is written nevertheless.
    site.driver.run(stop).await;
    let lines = site.store.site_timeline(0, 2000).await.unwrap();
    assert_eq!(lines.len(), 1025);
    let told = lines.iter().find(|e| e.note.code == "observe.dropped").unwrap();
    assert_eq!(told.note.text, "476 observations came too fast and were dropped");
}

#[tokio::test]
async fn a_deadline_passes_without_anybody_asking() {
    let site = Site::new().await;
    let spec = HostSpec { name: "a".into(), serial: Some("S1".into()), ..HostSpec::default() };
    let mut host = site.driver.order(Order::Register(Box::new(spec.into())), by()).await.unwrap();
    host.state = State::Running { until: site.clock.now().after_seconds(5) };
    site.store.commit(Change::update(host.clone(), site.clock.now())).await.unwrap();
    site.clock.advance(5);
    let mut changed = site.store.hosts_changed();
    while_running(&site.driver, async { changed.changed().await.unwrap() }).await;
    let host = site.store.host(host.id).await.unwrap().unwrap();
    assert_eq!(host.state, State::Silent { since: site.clock.now() });
}

#[tokio::test]
async fn many_facts_at_once_all_count() {
    let site = Site::new().await;
    let spec = HostSpec { name: "a".into(), serial: Some("S1".into()), ..HostSpec::default() };
    let id = site.driver.order(Order::Register(Box::new(spec.into())), by()).await.unwrap().id;
    let facts = (0..50).map(|i| {
        let note = Some(Note::new(Level::Info, "x", format!("fact {i}")));
        site.driver.report(Fact { subject: Subject::Host(id), event: Some(Event::Knocked), note })
    });
    for outcome in futures_util::future::join_all(facts).await {
        assert!(outcome.is_ok());
    }
    assert_eq!(site.store.timeline(id, 0, 100).await.unwrap().len(), 51);
}

#[tokio::test]
async fn an_installation_is_recorded_with_its_step_and_not_without() {
    let site = Site::new().await;
    let claim = Claim { ek: ek("E1"), boot_mac: mac("1"), inventory: inventory("S1", mac("1")), class: None };
    let fact = Fact {
        subject: Subject::Proven(Box::new(claim)),
        event: Some(Event::InstallerProven(INSTALL)),
        note: None,
    };
    let install = NewInstall { token_sha256: ek("token"), image: "tiny".into(), version: 7 };
    let pending = site.driver.report_install(fact.clone(), install.clone()).await.unwrap().host.unwrap();
    assert_eq!((pending.state, site.store.install(INSTALL).await.unwrap()), (State::Pending, None));
    site.driver.order(Order::Accept { id: pending.id, admission: Box::default() }, by()).await.unwrap();
    let host = site.driver.report_install(fact, install).await.unwrap().host.unwrap();
    assert!(matches!(host.state, State::Installing { install: INSTALL, attempt: 1, .. }));
    let row = site.store.install_by_token(&ek("token")).await.unwrap().unwrap();
    assert_eq!((row.host, row.image.as_str(), row.version, row.ended), (host.id, "tiny", 7, None));

    let finished =
        Fact { subject: Subject::Host(host.id), event: Some(Event::InstallFinished(INSTALL)), note: None };
    let host = site.driver.report(finished).await.unwrap().host.unwrap();
    let installed = host.installed.unwrap();
    assert_eq!((installed.install, installed.image.as_str(), installed.version), (INSTALL, "tiny", 7));
    assert!(site.store.install(INSTALL).await.unwrap().unwrap().ended.is_some());
}

#[tokio::test]
async fn nothing_is_written_when_the_store_is_gone() {
    let site = Site::new().await;
    let store: Store = site.store.clone();
    store.close().await;
    let fact = Fact { subject: Subject::Site, event: None, note: Some(Note::new(Level::Info, "x", "y")) };
    assert!(site.driver.report(fact).await.is_err());
    let spec = HostSpec { name: "a".into(), serial: Some("S1".into()), ..HostSpec::default() };
    assert!(site.driver.order(Order::Register(Box::new(spec.into())), by()).await.is_err());
}
