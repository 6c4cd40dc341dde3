//! The applier against a real control plane (etcd, kube-apiserver, controllers, scheduler; no kubelet: `site::Site::play` writes
//! what a kubelet would say of a pod). What it stops short of: pods that really run (the scenarios' part), and everything behind
//! KubeVirt's objects, whose definitions here are minimal ones of the test itself, because none are packaged.
#![allow(clippy::unwrap_used, reason = "a failed step of a test ends it")]
#![allow(clippy::print_stdout, reason = "figures, for whoever looks")]

mod away;
mod conflicts;
mod drift;
mod lifecycle;
mod machines;
mod pods;
mod site;

use site::Site;

// Each story has the cluster for itself; a cluster costs seconds, so some share one.

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wanted_comes_is_kept_and_leaves() {
    let site = Site::start().await;
    lifecycle::life(&site).await;
    lifecycle::replacement(&site).await;
    site.empty().await;
    drift::drift(&site).await;
    site.empty().await;
    drift::fights(&site).await;
    site.empty().await;
    drift::crowd(&site).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_or_is_not_well_is_told() {
    let site = Site::start().await;
    conflicts::owners(&site).await;
    conflicts::bad_objects(&site).await;
    site.empty().await;
    pods::pods(&site).await;
    site.empty().await;
    machines::machines(&site).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_while_the_api_server_or_the_agent_is_away() {
    away::absence(Site::start().await).await;
}
