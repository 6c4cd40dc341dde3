//! Real Kubernetes on real containerd: a control plane from data, nodes that join and leave, and those that may not.
#![allow(clippy::unwrap_used, reason = "a failed step of a test ends it")]
#![allow(clippy::print_stdout, reason = "shown when a test fails")]

mod rig;

use cairn_contract::workload::{Join, NodeObserved, Phase};
use rig::{Host, PAUSE, Site, bootstrap};

fn ready(observed: Option<&NodeObserved>) -> bool {
    observed.is_some_and(|o| o.phase == Phase::Ready)
}

fn join(control: &NodeObserved, token: &str) -> Join {
    Join {
        endpoint: control.endpoint.clone().unwrap(),
        ca_pin: control.ca_pin.clone().unwrap(),
        token_id: token.to_owned(),
    }
}

/// A ready control plane `cp` that lets in `tokens`: id, node, seconds.
fn control_plane(site: &Site, tokens: &[(&str, &str, i64)]) -> (Host, NodeObserved) {
    let mut host = site.host(1);
    let mut desired = site.control_plane(&host, "cp");
    desired.bootstrap =
        tokens.iter().map(|(id, node, seconds)| bootstrap(&site.token(id), node, *seconds)).collect();
    host.desired.send_replace(Some(desired));
    host.start();
    let observed = host.wait(240, "a control plane", ready).unwrap();
    (host, observed)
}

fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !holds() {
        assert!(std::time::Instant::now() < until, "{what} did not come");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}

fn change(host: &Host, how: impl FnOnce(&mut cairn_contract::workload::NodeDesired)) {
    host.desired.send_modify(|d| how(d.as_mut().unwrap()));
}

#[test]
fn a_host_becomes_a_control_plane_runs_a_pod_and_is_clean_afterwards() {
    let since = std::time::Instant::now();
    let site = Site::new();
    println!("site after {:?}", since.elapsed());
    let (mut host, observed) = control_plane(&site, &[]);
    println!("ready after {:?}", since.elapsed());
    assert_eq!(observed.endpoint.as_deref(), Some("10.77.0.1:6443"));
    host.wait(60, "its own node", |o| o.is_some_and(|o| o.nodes.iter().any(|n| n.name == "cp" && n.ready)));
    let pod = format!(
        r#"{{"spec":{{"containers":[{{"name":"a","image":"{PAUSE}","imagePullPolicy":"IfNotPresent",
        "command":["/bin/busybox","httpd","-f","-p","80","-h","/www"]}}]}}}}"#
    );
    wait_for("the default account", || host.kubectl(&["get", "serviceaccount", "default"]).is_ok());
    host.kubectl(&["run", "web", &format!("--image={PAUSE}"), &format!("--overrides={pod}")]).unwrap();
    let address =
        || host.kubectl(&["get", "pod", "web", "-o", "jsonpath={.status.podIP}"]).unwrap_or_default();
    wait_for("the pod's address", || !address().is_empty());
    let url = format!("http://{}/", address());
    wait_for("an answer of the pod", || {
        host.machine
            .run(|| rig::run("/bin/busybox", &["wget", "-q", "-O", "-", &url]))
            .unwrap()
            .is_ok_and(|t| t.contains("hello from a pod"))
    });
    println!("a pod answers after {:?}", since.elapsed());

    change(&host, |d| d.cordoned = true);
    wait_for("the cordon", || {
        host.kubectl(&["get", "node", "cp", "-o", "jsonpath={.spec.unschedulable}"])
            .is_ok_and(|t| t == "true")
    });

    host.desired.send_replace(None);
    host.wait(90, "its end", |o| o.is_none());
    for path in [
        "/etc/kubernetes",
        "/var/lib/kubelet/pki",
        "/var/lib/etcd",
        "/run/cairn-kube",
        "/var/lib/cairn-node/bin",
        "/opt/cni/bin/bridge",
    ] {
        assert!(!host.exists(path), "{path} is left");
    }
    host.stop();
    assert_eq!(host.machine.running(), Vec::<String>::new(), "no process is left");
}

#[test]
fn a_node_joins_once_under_its_own_name_and_others_are_refused() {
    let site = Site::new();
    let tokens = [("aaaaaa", "a", 600), ("bbbbbb", "b", 600), ("cccccc", "c", 1)];
    let (mut control, said) = control_plane(&site, &tokens);
    let expired = |o: Option<&NodeObserved>| o.is_some_and(|o| o.spent_tokens == ["cccccc"]);
    control.wait(30, "the end of an expired token", expired);

    // Another host's token, then one that ran out, then its own; all on one host that is named a.
    let mut host = site.host(2);
    let asked = |token: &str| site.worker(&host, "a", join(&said, token));
    let (other, late, own) = (asked("bbbbbb"), asked("cccccc"), asked("aaaaaa"));
    host.desired.send_replace(Some(other));
    host.start();
    let refused = host.wait(60, "a refusal", |o| o.is_some_and(|o| o.reason == "JoinRefused")).unwrap();
    assert!(
        refused.message.contains("the token bbbbbb is for system:node:b, not for system:node:a"),
        "{refused:?}"
    );
    host.desired.send_replace(Some(late));
    let refused = host.wait(60, "a void token", |o| o.is_some_and(|o| o.reason == "TokenUnknown")).unwrap();
    assert!(refused.message.contains("cccccc"), "{refused:?}");
    host.desired.send_replace(Some(own));

    // Cut short in the middle of it: the agent and all that it started.
    host.wait(60, "the middle", |o| o.is_some_and(|o| o.message.contains("waiting for")));
    host.stop();
    host.machine.kill_all();
    host.start();
    host.wait(90, "a node", ready);
    assert!(!host.exists("/etc/kubernetes/bootstrap-kubelet.conf"), "the token is not kept");
    let there = |o: Option<&NodeObserved>| {
        o.is_some_and(|o| {
            o.nodes.iter().any(|n| n.name == "a") && o.spent_tokens.contains(&"aaaaaa".to_owned())
        })
    };
    control.wait(60, "the node a, and its token's end", there);
    assert!(control.kubectl(&["-n", "kube-system", "get", "secret", "bootstrap-token-aaaaaa"]).is_err());
    let label = control.kubectl(&["get", "node", "a", "-o", "jsonpath={.metadata.labels.zone}"]);
    assert_eq!(label.unwrap(), "a");

    // A third host: told of another cluster's CA, then with the used token.
    let mut third = site.host(3);
    let pin = format!("sha256:{}", "0".repeat(64));
    let astray = Join { ca_pin: pin, ..join(&said, "bbbbbb") };
    third.desired.send_replace(Some(site.worker(&third, "b", astray)));
    third.start();
    third.wait(90, "a wrong pin", |o| o.is_some_and(|o| o.reason == "PinMismatch"));
    third.desired.send_replace(Some(site.worker(&third, "a", join(&said, "aaaaaa"))));
    let refused = third.wait(120, "a void token", |o| o.is_some_and(|o| o.reason == "TokenUnknown")).unwrap();
    assert!(refused.message.contains("it was used"), "{refused:?}");
    third.stop();
    drop(third);
    leave_and_come_again(&site, (&mut control, &said), &mut host);
}

/// The node goes from the cluster and from the host, and the host joins again with another token.
fn leave_and_come_again(site: &Site, (control, said): (&mut Host, &NodeObserved), host: &mut Host) {
    let pod = format!(
        r#"{{"spec":{{"nodeName":"a","terminationGracePeriodSeconds":1,"containers":[
        {{"name":"a","image":"{PAUSE}","imagePullPolicy":"IfNotPresent"}}]}}}}"#
    );
    let image = format!("--image={PAUSE}");
    control.kubectl(&["run", "guest", &image, &format!("--overrides={pod}")]).unwrap();
    wait_for("a pod on it", || {
        let asked = ["get", "pod", "guest", "-o", "jsonpath={.status.phase}"];
        control.kubectl(&asked).is_ok_and(|phase| phase == "Running")
    });
    change(control, |d| d.leaving = vec!["a".into()]);
    let gone = |o: Option<&NodeObserved>| {
        o.is_some_and(|o| o.phase == Phase::Ready && o.nodes.iter().all(|n| n.name != "a"))
    };
    control.wait(60, "the node's leave", gone);
    let left = control.kubectl(&["get", "pod", "guest"]);
    assert!(left.is_err(), "its pod was evicted: {left:?}");
    host.desired.send_replace(None);
    host.wait(60, "its end", |o| o.is_none());
    for path in ["/etc/kubernetes", "/var/lib/kubelet/pki", "/run/cairn-kube", "/var/lib/cairn-node/bin"] {
        assert!(!host.exists(path), "{path} is left");
    }
    assert_eq!(host.machine.running(), Vec::<String>::new(), "no process is left");
    let token = site.token("dddddd");
    change(control, |d| {
        d.leaving.clear();
        d.bootstrap = vec![bootstrap(&token, "a", 600)];
    });
    host.desired.send_replace(Some(site.worker(host, "a", join(said, "dddddd"))));
    host.wait(90, "a node again", ready);
}

#[test]
fn wrong_bytes_are_refused_and_an_absent_control_plane_is_waited_for() {
    let site = Site::new();
    let mut host = site.host(1);
    *site.store.wrong.lock().unwrap() = Some(b"something else".to_vec());
    host.desired.send_replace(Some(site.control_plane(&host, "cp")));
    host.start();
    let short = host.wait(20, "a refusal", |o| o.is_some_and(|o| o.phase == Phase::Failed)).unwrap();
    assert_eq!(short.reason, "DigestMismatch", "{short:?}");
    assert!(short.message.contains("etcd is refused"), "{short:?}");
    assert!(!host.exists("/var/lib/cairn-node/bin/etcd"));
    let nobody = Join {
        endpoint: "10.77.0.9:6443".into(),
        ca_pin: "sha256:00".into(),
        token_id: site.token("eeeeee"),
    };
    *site.store.wrong.lock().unwrap() = None;
    host.desired.send_replace(Some(site.worker(&host, "w", nobody)));
    let away = host.wait(60, "nobody", |o| o.is_some_and(|o| o.reason == "EndpointUnreachable")).unwrap();
    assert_eq!(away.phase, Phase::Progressing, "{away:?}");
}
