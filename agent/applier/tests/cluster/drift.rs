//! What others change is put right, within seconds, and only what is ours.

use std::time::{Duration, Instant};

use crate::site::{Site, config_map, deployment, order};

/// What others change is put right.
pub(crate) async fn drift(site: &Site) {
    let mut objects = vec![config_map("settings", &[("a", "1"), ("b", "2")]), deployment("web", 0)];
    objects.push(config_map("other", &[("x", "y")]));
    site.apply(vec![order(1, &[("web", objects)])]).await;
    let a = || site.kubectl("get configmap settings -n shop -o jsonpath={.data.a}");
    let corrected = |at_least: u64| site.until("a correction", move |all| all[0].corrected >= at_least);

    let start = Instant::now();
    site.kubectl("patch configmap settings -n shop --type=merge -p {\"data\":{\"a\":\"bad\"}}");
    corrected(1).await;
    println!("a changed field was put right {:?} after kubectl began", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(a(), "1");

    let start = Instant::now();
    site.kubectl("delete configmap settings -n shop");
    corrected(2).await;
    println!("a deleted object was put right {:?} after kubectl began", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(a(), "1");

    // A mark that is taken off comes back; the object is known by its uid.
    site.kubectl("label configmap settings -n shop cairn.dev/deployment-");
    corrected(3).await;
    assert!(
        site.kubectl("get configmap settings -n shop -o jsonpath={.metadata.labels}").contains("cairn.dev")
    );
    // The number of replicas is ours.
    site.kubectl("scale deployment web -n shop --replicas=3");
    corrected(4).await;
    assert_eq!(site.kubectl("get deployment web -n shop -o jsonpath={.spec.replicas}"), "0");

    // What we did not apply stays as others want it.
    site.kubectl("annotate configmap settings -n shop mine=yes");
    site.kubectl("patch configmap settings -n shop --type=merge -p {\"data\":{\"c\":\"3\"}}");
    site.kubectl("delete configmap other -n shop");
    corrected(5).await;
    assert_eq!(site.kubectl("get configmap settings -n shop -o jsonpath={.data.c}"), "3");
    assert_eq!(site.seen.borrow()[0].corrected, 5, "our own writes and others' fields count for nothing");
}

/// Who changes an object again and again is answered slowly, and named.
pub(crate) async fn fights(site: &Site) {
    site.apply(vec![order(1, &[("web", vec![config_map("settings", &[("a", "1")])])])]).await;
    for round in 1..=5 {
        site.kubectl("patch configmap settings -n shop --type=merge -p {\"data\":{\"a\":\"bad\"}}");
        site.until("a correction", move |all| all[0].corrected >= round).await;
    }
    let start = Instant::now();
    site.kubectl("patch configmap settings -n shop --type=merge -p {\"data\":{\"a\":\"bad\"}}");
    site.until("the sixth", |all| all[0].corrected >= 6).await;
    println!("the sixth correction came after {:?}", start.elapsed());
    let seen = site.seen.borrow().clone();
    let told = &seen[0].applications[0].workloads[0].message;
    assert!(told.contains("has changed it 6 times"), "{told}");
}

/// Many objects: printed, so that slowness is seen where it comes.
pub(crate) async fn crowd(site: &Site) {
    let maps: Vec<_> = (0..300).map(|n| config_map(&format!("map-{n}"), &[("a", "1")])).collect();
    let start = Instant::now();
    site.apply(vec![order(7, &[("many", maps)])]).await;
    println!("300 objects were applied in {:?}", start.elapsed());
    let start = Instant::now();
    site.kubectl("delete configmap -n shop map-7 map-77 map-277");
    site.until("three corrections", |all| all[0].corrected == 3).await;
    println!("three of them were put right {:?} after kubectl began", start.elapsed());
    let start = Instant::now();
    site.empty().await;
    println!("they were removed in {:?}", start.elapsed());
}
