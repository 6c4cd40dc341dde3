//! Nodes, their tokens, and what is applied to their cluster.

use cairn_contract::workload::{Ask, Body, Desired, NodeRole, Observed, SecretsAsk};
use cairn_domain::model::{Kind, Uid};
use cairn_fleet::DeskError;
use serde_json::{Value, json};

use crate::site::{Site, all_ready};

const PIN: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

async fn cluster(site: &Site, hosts: &[&str]) -> Uid {
    let run = json!({"artifacts": [{"name": "kubelet", "size": 5, "place": {"program": "kubelet"},
        "digest": cairn_contract::Digest::of(b"bytes").to_string()}]});
    let spec = json!({"family": "kubeadm", "version": "1.36.1", "run": run});
    site.put(Kind::Distribution, "plain", spec).await;
    let spec = json!({"version": "1.0.0", "distribution": "plain", "default": true});
    site.put(Kind::ClusterTemplate, "edge", spec).await;
    site.put(Kind::Cluster, "shop", json!({"hosts": hosts})).await
}

/// Its control plane is there.
fn leads(desired: &Desired) -> Observed {
    let mut observed = all_ready(desired);
    let node = observed.node.as_mut().unwrap();
    (node.endpoint, node.ca_pin) = (Some("192.0.2.11:6443".into()), Some(PIN.into()));
    let name = desired.node.as_ref().unwrap().node_name.clone();
    node.nodes = vec![cairn_contract::workload::KubeNode {
        name,
        ready: true,
        version: "v1.36.1".into(),
        message: String::new(),
    }];
    observed
}

fn has_join(desired: &Desired) -> bool {
    desired.node.as_ref().is_some_and(|node| matches!(node.role, NodeRole::Worker(Some(_))))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_joins_with_a_token_that_only_it_and_the_control_plane_see_once() {
    let site = Site::new().await;
    let (a, b, c) = (site.host(1, &[]).await, site.host(2, &[]).await, site.host(3, &[]).await);
    let shop = cluster(&site, &["edge-1", "edge-2"]).await;
    let head = site.told(a, |d| d.node.is_some()).await;
    assert_eq!(head.node.as_ref().unwrap().role, NodeRole::ControlPlane);
    site.say(a, leads(&head)).await.unwrap();
    let worker = site.told(b, has_join).await;
    let NodeRole::Worker(Some(join)) = &worker.node.as_ref().unwrap().role else { panic!() };
    assert_eq!((join.endpoint.as_str(), join.ca_pin.as_str()), ("192.0.2.11:6443", PIN));
    let head = site.told(a, |d| d.node.as_ref().is_some_and(|n| !n.bootstrap.is_empty())).await;
    let allowed = &head.node.as_ref().unwrap().bootstrap[0];
    assert_eq!((&allowed.token_id, allowed.node_name.as_str()), (&join.token_id, "edge-2"));

    let ask = SecretsAsk::Bootstrap { cluster: shop.0 };
    let (of_head, of_worker) =
        (site.desk.secrets(a, &ask).await.unwrap(), site.desk.secrets(b, &ask).await.unwrap());
    assert_eq!(of_head.values, of_worker.values);
    assert_eq!(of_head.values[&join.token_id].len(), 16);
    assert!(matches!(site.desk.secrets(c, &ask).await, Err(DeskError::Forbidden(_))));

    // A worker cannot spend others' tokens; the control plane says which were used.
    let mut lies = all_ready(&worker);
    lies.node.as_mut().unwrap().spent_tokens = vec![join.token_id.clone()];
    site.say(b, lies).await.unwrap();
    assert_eq!(site.store.all_tokens().await.unwrap()[0].spent, None);
    let mut observed = leads(&head);
    observed.node.as_mut().unwrap().spent_tokens = vec![join.token_id.clone()];
    site.say(a, observed).await.unwrap();
    assert!(site.store.all_tokens().await.unwrap()[0].spent.is_some());
    assert!(site.desk.secrets(b, &ask).await.unwrap().values.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn manifests_become_a_blob_that_only_its_host_fetches() {
    let site = Site::new().await;
    let (a, b) = (site.host(1, &[]).await, site.host(2, &[]).await);
    let shop = cluster(&site, &["edge-1"]).await;
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {a: \"${word}\"}\n---\n\
                apiVersion: v1\nkind: ConfigMap\nmetadata: {name: two}\n";
    let package = json!({
        "package": "web", "version": "1.0.0", "parameters": [{"name": "word", "default": "x"}],
        "applications": [{"name": "web", "source": {"manifests": {"inline": {"a.yaml": text}}}}],
    });
    site.put(Kind::Package, "web-1-0-0", package).await;
    let spec = json!({"package": "web", "targets": {"names": ["shop"]}});
    let deployment = site.put(Kind::Deployment, "web", spec).await;
    let head = site.told(a, |d| d.node.is_some()).await;
    site.say(a, leads(&head)).await.unwrap();
    let told = site.told(a, |d| !d.releases.is_empty()).await;
    let Body::Manifests { digest, size, namespace } = told.releases[0].applications[0].body.clone() else {
        panic!("{told:?}")
    };
    assert_eq!(namespace, "web");
    let mut found = site.desk.blob(a, digest).await.unwrap();
    assert_eq!(found.size, size);
    let mut bytes = String::new();
    std::io::Read::read_to_string(&mut found.file, &mut bytes).unwrap();
    let objects: Vec<Value> = bytes.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects[0]["data"]["a"], "x");
    assert_eq!(objects[1]["metadata"]["name"], "two");
    let nobody = cairn_contract::Digest::of(b"nothing");
    for (host, digest) in [(b, digest), (a, nobody)] {
        let refused = site.desk.blob(host, digest).await.unwrap_err();
        assert_eq!(refused.to_string(), "this host may not do that: its orders name no such file");
    }
    // The artifact of its distribution is named, and the appliance does not have it.
    let kubelet = cairn_contract::Digest::of(b"bytes");
    assert!(matches!(site.desk.blob(a, kubelet).await, Err(DeskError::Absent(_))));

    site.say(a, {
        let mut o = leads(&told);
        o.releases = all_ready(&told).releases;
        o
    })
    .await
    .unwrap();
    site.status(deployment, |s| s["targets"]["ready"] == 1).await;
    site.status(shop, |s| s["conditions"][0]["status"] == "True").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_goes_leaves_its_hosts_running_and_free() {
    let site = Site::new().await;
    let a = site.host(1, &[]).await;
    let shop = cluster(&site, &["edge-1"]).await;
    let head = site.told(a, |d| d.node.is_some()).await;
    site.say(a, leads(&head)).await.unwrap();
    site.write(cairn_store::ResourceWrite::Delete { uid: shop, expected: None }).await;
    let free = site.told(a, |d| d.node.is_none()).await;
    site.say(a, Observed { revision: Some(free.revision), node: None, releases: vec![] }).await.unwrap();
    let gone = async {
        while !site.store.assignments_of(a).await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::site::SOON, gone).await.expect("the row goes");
    assert!(site.desk.desired(a, &Ask { have: None }).await.unwrap().is_some());
}
