//! A container that follows a label.

use std::time::{Duration, Instant};

use cairn_contract::workload::{Ask, Body, Desired, Observed, Phase, SecretsAsk};
use cairn_domain::model::{Kind, Uid};
use cairn_fleet::DeskError;
use cairn_store::{AuditFilter, Order};
use serde_json::json;

use crate::site::{Site, all_ready, release};

pub(crate) async fn deployment(site: &Site) -> Uid {
    let package = json!({
        "package": "hello", "version": "1.0.0",
        "parameters": [{"name": "greeting", "default": "hi"}, {"name": "password", "type": "secret"}],
        "applications": [{"name": "web", "source": {"container": {
            "image": "library/hello:1", "env": ["GREETING=${greeting}", "PASSWORD=${password}"],
            "ports": [{"host": 8080, "container": 80}]}}}],
    });
    site.put(Kind::Package, "hello-1-0-0", package).await;
    let spec = json!({
        "package": "hello", "parameters": {"password": "door/key"},
        "targets": {"kind": "host", "selector": {"matchLabels": {"role": "edge"}}},
    });
    site.put(Kind::Deployment, "hello", spec).await
}

fn runs(desired: &Desired) -> bool {
    desired.releases.len() == 1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_label_change_reaches_the_host_at_once_and_its_status_comes_back() {
    let site = Site::new().await;
    site.secret("door", "key", "sesame").await;
    let host = site.host(1, &[]).await;
    let deployment = deployment(&site).await;
    site.status(deployment, |s| s["targets"]["total"] == 0).await;
    let empty = site.told(host, |d| d.releases.is_empty()).await;
    assert_eq!(empty.registry.as_ref().unwrap().address, "192.0.2.1:443");

    let ask = Ask { have: Some(empty.revision) };
    let since = Instant::now();
    let (told, ()) = tokio::join!(site.desk.desired(host, &ask), site.label(host, 1, &[("role", "edge")]));
    let told = told.unwrap().expect("other orders");
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
    let [one] = told.releases.as_slice() else { panic!("{told:?}") };
    let Body::Container(container) = &one.applications[0].body else { panic!("{one:?}") };
    assert_eq!(container.env[0], "GREETING=hi");
    let placeholder = container.env[1].strip_prefix("PASSWORD=").unwrap();
    assert!(placeholder.starts_with("cairn-secret-"), "no value leaves with the orders");

    let ask = SecretsAsk::Release { deployment: one.deployment, revision: one.revision };
    let secrets = site.desk.secrets(host, &ask).await.unwrap();
    assert_eq!(secrets.values[placeholder], "sesame");

    site.say(host, all_ready(&told)).await.unwrap();
    let status = site.status(deployment, |s| s["targets"]["ready"] == 1).await;
    assert_eq!(status["conditions"][0]["status"], "True", "{status}");

    site.label(host, 1, &[]).await;
    let after = site.told(host, |d| d.releases.is_empty()).await;
    assert!(
        !site.store.assignments_of(host).await.unwrap().is_empty(),
        "until the host says that it is gone"
    );
    // What it says of the orders before does not count.
    site.say(host, Observed { revision: Some(told.revision), node: None, releases: vec![] }).await.unwrap();
    assert!(!site.store.assignments_of(host).await.unwrap().is_empty());
    let mut removing = release(one, Phase::Removing);
    removing.message = "stopping".into();
    let observed = Observed { revision: Some(after.revision), node: None, releases: vec![removing] };
    site.say(host, observed).await.unwrap();
    assert!(!site.store.assignments_of(host).await.unwrap().is_empty());
    site.say(host, all_ready(&after)).await.unwrap();
    let gone = async {
        while !site.store.assignments_of(host).await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::site::SOON, gone).await.expect("the row goes");
    assert_eq!(
        site.lines(host).await,
        [
            "is told to run deployment hello.default.default",
            "deployment hello.default.default is ready",
            "is told to remove deployment hello.default.default",
            "deployment hello.default.default is removed",
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_are_released_for_present_orders_only_and_each_is_in_the_audit_log() {
    let site = Site::new().await;
    let door = site.secret("door", "key", "sesame").await;
    let (host, other) = (site.host(1, &[("role", "edge")]).await, site.host(2, &[]).await);
    deployment(&site).await;
    let told = site.told(host, runs).await;
    let one = &told.releases[0];
    let ask = SecretsAsk::Release { deployment: one.deployment, revision: one.revision };
    let mut old = one.revision;
    old.0[0] ^= 1;
    let of_old = SecretsAsk::Release { deployment: one.deployment, revision: old };
    let foreign = SecretsAsk::Release { deployment: uuid::Uuid::nil(), revision: one.revision };
    let why = async |host, ask: &SecretsAsk| match site.desk.secrets(host, ask).await {
        Err(DeskError::Forbidden(why)) => why,
        other => panic!("{other:?}"),
    };
    let refused = why(host, &of_old).await;
    assert_eq!(why(host, &foreign).await, refused);
    assert_eq!(why(other, &ask).await, refused, "no hint that another host has it");
    site.desk.secrets(host, &ask).await.unwrap();
    let audit = site.store.audit_after(0, &AuditFilter::default(), 100).await.unwrap();
    let rows: Vec<String> = audit
        .iter()
        .filter(|e| e.deed.verb == "release")
        .map(|e| format!("{} {:?} {}", e.deed.actor.name, e.deed.outcome, e.deed.reason))
        .collect();
    assert_eq!(
        rows,
        [
            format!("host edge-1.default.default Refused {refused}"),
            format!("host edge-2.default.default Refused {refused}"),
            "host edge-1.default.default Done released door.default.default/key".to_owned(),
        ],
        "one refusal of each host a minute"
    );

    let write = cairn_store::SecretWrite {
        owner: door,
        at: crate::site::START,
        set: Default::default(),
        remove: vec!["key".into()],
        deeds: vec![],
    };
    site.store.write_secrets(&write).await.unwrap();
    // It may be another order now: its own revision counts.
    let now = site.told(host, runs).await;
    let ask = SecretsAsk::Release { deployment: one.deployment, revision: now.releases[0].revision };
    assert!(matches!(
        site.desk.secrets(host, &ask).await,
        Err(DeskError::Absent(_) | DeskError::Forbidden(_))
    ));

    site.order(Order::Deauthorise(host)).await;
    assert!(matches!(site.desk.secrets(host, &ask).await, Err(DeskError::Forbidden(_))));
    site.catalog.reached(site.store.newest_revision().await.unwrap()).await;
    assert!(matches!(site.desk.desired(host, &Ask { have: None }).await, Err(DeskError::Forbidden(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_is_told_with_its_reason_and_a_disk_written_anew_begins_anew() {
    let site = Site::new().await;
    site.secret("door", "key", "sesame").await;
    let host = site.host(1, &[("role", "edge")]).await;
    let deployment = deployment(&site).await;
    let told = site.told(host, runs).await;
    let mut failed = release(&told.releases[0], Phase::Failed);
    (failed.reason, failed.message) = ("ImagePull Failed!".into(), "no such\nimage".into());
    let observed = Observed { revision: Some(told.revision), node: None, releases: vec![failed] };
    site.say(host, observed).await.unwrap();
    site.status(deployment, |s| s["targets"]["failed"] == 1).await;
    assert_eq!(
        site.lines(host).await[1],
        "deployment hello.default.default failed: no such image (ImagePullFailed)"
    );
    site.order(Order::Reinstall { id: host, windows: cairn_store::Windows::Ignore }).await;
    let (install, token) = site.begin_install(1).await;
    let anew = async {
        loop {
            let rows = site.store.assignments_of(host).await.unwrap();
            if rows.len() == 1 && rows.iter().all(|row| row.observed.is_none()) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::site::SOON, anew).await.expect("what its old system said is void");
    site.end_install(1, install, &token).await;
    site.told(host, runs).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_lead_orders_nothing() {
    let site = Site::with(false, Default::default()).await;
    site.secret("door", "key", "sesame").await;
    let host = site.host(1, &[("role", "edge")]).await;
    let deployment = deployment(&site).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(site.store.assignments_of(host).await.unwrap().is_empty());
    assert!(site.catalog.index().get(deployment).unwrap().status.is_none());
}
