//! What a host says that makes no sense, or is not its affair.

use cairn_contract::workload::{ApplicationObserved, NodeObserved, Observed, Phase, ReleaseObserved};
use cairn_fleet::DeskError;
use uuid::Uuid;

use crate::{
    containers::deployment,
    site::{Site, release},
};

fn node(cluster: Uuid) -> NodeObserved {
    NodeObserved {
        cluster,
        phase: Phase::Ready,
        reason: String::new(),
        message: String::new(),
        endpoint: None,
        ca_pin: None,
        nodes: vec![],
        spent_tokens: vec![],
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_host_says_is_bounded_and_of_its_own_orders_only() {
    let site = Site::new().await;
    site.secret("door", "key", "sesame").await;
    let (host, other) = (site.host(1, &[("role", "edge")]).await, site.host(2, &[]).await);
    deployment(&site).await;
    let told = site.told(host, |d| !d.releases.is_empty()).await;
    let said = release(&told.releases[0], Phase::Ready);
    let id = said.deployment;

    let of = |releases: Vec<ReleaseObserved>| Observed { releases, ..Observed::default() };
    let application = ApplicationObserved {
        name: "web".into(),
        phase: Phase::Ready,
        reason: String::new(),
        message: String::new(),
        workloads: vec![],
    };
    let many = ReleaseObserved { applications: vec![application; 65], ..said.clone() };
    let crowd = NodeObserved { spent_tokens: vec!["abcdef".into(); 1025], ..node(id) };
    let pin = NodeObserved { ca_pin: Some("sha256:zz".into()), ..node(Uuid::nil()) };
    let endpoint = NodeObserved { endpoint: Some("evil.example:80/path".into()), ..node(Uuid::nil()) };
    for (what, bad) in [
        ("twice", of(vec![said.clone(), said.clone()])),
        ("as node and release", Observed { node: Some(node(id)), ..of(vec![said.clone()]) }),
        (
            "releases",
            of((0..1025)
                .map(|n| ReleaseObserved { deployment: Uuid::from_u128(n), ..said.clone() })
                .collect()),
        ),
        ("applications", of(vec![many])),
        ("tokens", Observed { node: Some(crowd), ..Observed::default() }),
        ("pin", Observed { node: Some(pin), ..Observed::default() }),
        ("endpoint", Observed { node: Some(endpoint), ..Observed::default() }),
    ] {
        assert!(matches!(site.say(host, bad).await, Err(DeskError::Invalid(_))), "{what}");
    }
    // Of another host's orders, and of orders that there are not: passed over.
    site.say(other, of(vec![said.clone()])).await.unwrap();
    assert!(site.store.assignments_of(other).await.unwrap().is_empty());
    site.say(host, Observed { node: Some(node(id)), ..Observed::default() }).await.unwrap();
    let rows = site.store.assignments_of(host).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].observed, None, "a release is no part of a cluster");

    let long = ReleaseObserved { message: "x".repeat(1 << 20), reason: "A b\u{202e}C".into(), ..said };
    site.say(host, of(vec![long])).await.unwrap();
    let row = site.store.assignments_of(host).await.unwrap().remove(0);
    let kept: ReleaseObserved = serde_json::from_str(&row.observed.unwrap()).unwrap();
    assert_eq!((kept.message.len(), kept.reason.as_str()), (2000, "AbC"));
}
