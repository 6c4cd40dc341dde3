//! Thousands of hosts that wait.

use std::time::{Duration, Instant};

use cairn_contract::{Digest, HostId, workload::Ask};
use cairn_domain::{Host, HostSpec, State, model::Uid};
use cairn_store::{AssignedKind, Change, OrderWrite};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::site::{START, Site};

const HOSTS: usize = 4000;

fn running(number: usize) -> Host {
    Host {
        id: HostId(Uuid::new_v4()),
        spec: HostSpec { name: format!("w{number}"), ..HostSpec::default() },
        state: State::Running { until: START.after_seconds(3600) },
        ek: None,
        inventory: None,
        installed: None,
        created: START,
        changed: START,
        version: 0,
        meta: Default::default(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_wait_and_the_one_with_other_orders_is_woken_within_a_second() {
    let site = Site::with(false, Default::default()).await;
    let hosts: Vec<Host> = (0..HOSTS).map(running).collect();
    let changes: Vec<Change> = hosts.iter().map(|host| Change::insert(host.clone(), START)).collect();
    for part in changes.chunks(500) {
        assert!(site.store.commit_many(part).await.iter().all(Result::is_ok));
    }
    site.catalog.reached(site.store.newest_revision().await.unwrap()).await;
    let empty = site.desk.desired(hosts[0].id, &Ask { have: None }).await.unwrap().unwrap().revision;
    let mut waiting = JoinSet::new();
    for host in &hosts {
        let (desk, id) = (site.desk.clone(), host.id);
        waiting.spawn(async move { (id, desk.desired(id, &Ask { have: Some(empty) }).await.unwrap()) });
    }
    // All have looked once when nothing is read any more.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let chosen = hosts[HOSTS / 2].id;
    let release = cairn_contract::workload::Release {
        deployment: Uuid::from_u128(1),
        name: "x".into(),
        revision: Digest::of(b"1"),
        applications: vec![],
    };
    let order = OrderWrite::Put {
        host: chosen,
        subject: Uid(Uuid::from_u128(1)),
        kind: AssignedKind::Deployment,
        revision: Digest::of(b"1"),
        body: serde_json::to_string(&release).unwrap(),
    };
    let since = Instant::now();
    site.store.write_orders(&[order], START).await.unwrap();
    let (woken, desired) = waiting.join_next().await.unwrap().unwrap();
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
    assert_eq!((woken, desired.unwrap().releases.len()), (chosen, 1));
    assert_eq!(waiting.len(), HOSTS - 1, "nobody else was woken");
}
