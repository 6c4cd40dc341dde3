//! The API server is away, the agent begins anew: nothing is lost, nothing is done twice.

use cairn_contract::workload::Phase;

use crate::site::{Site, config_map, order};

/// An API server that was away gets what it missed; agents that begin anew find what they had.
pub(crate) async fn absence(mut site: Site) {
    let one = || order(1, &[("web", vec![config_map("settings", &[("a", "1")]), config_map("old", &[])])]);
    site.apply(vec![one(), order(2, &[("web", vec![config_map("second", &[])])])]).await;

    site.cluster.kill_api();
    let seen = site.until("the silence", |all| all.iter().all(|r| r.reason == "ClusterUnreachable")).await;
    assert!(seen.iter().all(|r| r.phase == Phase::Degraded), "{seen:?}");
    // In the meantime one changes and the other is to go.
    let two = order(1, &[("web", vec![config_map("settings", &[("a", "2")])])]);
    site.applier.want(vec![two.clone()]);
    site.cluster.start_api().unwrap();
    site.until_ready(std::slice::from_ref(&two)).await;
    assert_eq!(site.kubectl("get configmap settings -n shop -o jsonpath={.data.a}"), "2");
    site.eventually("the rest to go", |s| {
        !s.has("configmap old -n shop") && !s.has("configmap second -n shop")
    })
    .await;

    // An agent without memory finds what it had, and counts what others changed meanwhile.
    let version =
        |s: &Site| s.kubectl("get configmap settings -n shop -o jsonpath={.metadata.resourceVersion}");
    let before = version(&site);
    let site = site.restarted().await;
    assert!(site.seen.borrow().is_empty(), "nothing is touched before the first order");
    let seen = site.apply(vec![two.clone()]).await;
    assert_eq!((version(&site), seen[0].corrected), (before, 0));
    let site = site.restarted().await;
    site.kubectl("patch configmap settings -n shop --type=merge -p {\"data\":{\"a\":\"bad\"}}");
    let seen = site.apply(vec![two]).await;
    assert_eq!(seen[0].corrected, 1);
    assert_eq!(site.kubectl("get configmap settings -n shop -o jsonpath={.data.a}"), "2");

    // An agent that never saw the release removes it by what the cluster itself knows.
    let site = site.restarted().await;
    site.applier.want(Vec::new());
    site.eventually("all to go", |s| !s.has("configmap settings -n shop")).await;
}
