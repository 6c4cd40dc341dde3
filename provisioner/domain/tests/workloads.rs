//! What is refused of distributions, templates, clusters, packages and deployments, and in which words.

mod forest;

use cairn_contract::Timestamp;
use cairn_domain::{
    admit::{Admitted, Intent, Refusal, Stamp, admit, manifest},
    model::{Kind, Object},
};
use forest::{Forest, split};
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp(1_795_363_200_000);

fn write(f: &Forest, kind: Kind, full: &str, spec: Value) -> Result<Admitted, Vec<Refusal>> {
    let (name, namespace) = split(kind, full);
    let value = json!({"apiVersion": "cairn/v1", "kind": kind,
        "metadata": {"name": name, "namespace": namespace}, "spec": spec});
    let m = manifest(&value)?;
    let stamp = Stamp { uid: forest::uid(5_000), resource_version: 7, now: NOW };
    match f.find(kind, full) {
        Some(current) => admit(&f.index, Intent::Update { current, manifest: &m }, stamp),
        None => admit(&f.index, Intent::Create { manifest: &m, namespace: None }, stamp),
    }
}

/// Every expected text is part of some line, and there are as many lines.
#[track_caller]
fn refused(result: Result<Admitted, Vec<Refusal>>, expected: &[&str]) {
    let found = result.expect_err("it is admitted");
    let found: Vec<String> =
        found.iter().map(|r| format!("{}: {} | {}", r.field, r.message, r.next)).collect();
    let all = expected.len() == found.len() && expected.iter().zip(&found).all(|(e, f)| f.contains(e));
    assert!(all, "expected {expected:#?}\nfound {found:#?}");
}

#[track_caller]
fn admitted(f: &mut Forest, kind: Kind, full: &str, spec: Value) {
    match write(f, kind, full, spec) {
        Ok(Admitted::Create(object) | Admitted::Update { object, .. }) => {
            let spec = serde_json::to_value(&object.spec).expect("JSON");
            f.put(kind, full, spec);
        }
        Ok(Admitted::Unchanged) => {}
        other => panic!("{other:#?}"),
    }
}

#[track_caller]
fn delete(f: &Forest, kind: Kind, full: &str) -> Result<Admitted, Vec<Refusal>> {
    admit(
        &f.index,
        Intent::Delete { current: f.get(kind, full) },
        Stamp { uid: forest::uid(1), resource_version: 7, now: NOW },
    )
}

fn package(version: &str) -> Value {
    json!({"package": "web", "version": version, "applications": [
        {"name": "web", "source": {"manifests": {"inline": {"a.yaml": "x"}}}}]})
}

fn site() -> Forest {
    let mut f = Forest::small();
    admitted(
        &mut f,
        Kind::Distribution,
        "plain.acme",
        json!({"family": "kubeadm", "version": "1.36.1", "run": {
        "adminKubeconfig": "/etc/kubernetes/admin.conf", "caCertificate": "/etc/kubernetes/pki/ca.crt",
        "remove": ["/etc/kubernetes", "{{state}}/kubelet"],
        "common": {"units": [{"name": "kubelet", "run": ["{{bin}}/kubelet"]}]}}}),
    );
    admitted(&mut f, Kind::Package, "web-1.acme", package("1.0.0"));
    f
}

fn with_status(f: &mut Forest, kind: Kind, full: &str, status: Value) {
    let object = Object { status: Some(std::sync::Arc::new(status)), ..f.get(kind, full).clone() };
    f.index.put(object);
}

#[test]
fn a_distribution_names_absolute_paths_and_removes_nothing_large() {
    let f = Forest::small();
    let spec = json!({"family": "", "version": "1.36", "run": {
        "artifacts": [{"name": "a", "digest": "0".repeat(64), "size": 1, "place": "image"},
            {"name": "a", "digest": "0".repeat(64), "size": 1, "place": "image"}],
        "adminKubeconfig": "admin.conf", "caCertificate": "/etc/../ca", "remove": ["/etc"],
        "worker": {"setup": [{"run": []}], "units": [{"name": "No", "run": ["x"]}]}}});
    refused(
        write(&f, Kind::Distribution, "d.acme", spec),
        &[
            "spec.family: is empty",
            "spec.version: \"1.36\" is not three numbers such as 1.2.0",
            "spec.run.artifacts[1].name: a is there twice",
            "spec.run.adminKubeconfig: \"admin.conf\" is no absolute path",
            "spec.run.caCertificate: \"/etc/../ca\" is no absolute path",
            "spec.run.remove[0]: /etc is too much to remove",
            "spec.run.worker.setup: names no program",
            "spec.run.worker.units[0].name: \"No\" cannot be the name of a unit",
        ],
    );
}

#[test]
fn a_template_has_networks_apart_and_names_what_exists() {
    let mut f = site();
    let spec = |more: Value| {
        let mut spec = json!({"version": "1.0.0", "distribution": "plain"});
        spec.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        spec
    };
    for (more, expected) in [
        (
            json!({"podCidr": "10.42.0.0/15", "serviceCidr": "10.43.0.0/16"}),
            "spec.serviceCidr: 10.43.0.0/16 overlaps the network of pods, 10.42.0.0/15",
        ),
        (
            json!({"podCidr": "10.42.0.1/16"}),
            "spec.podCidr: \"10.42.0.1/16\" has bits beyond its prefix; the network is 10.42.0.0/16",
        ),
        (json!({"podCidr": "fd00::/48"}), "spec.podCidr: \"fd00::/48\" is not an IPv4 network"),
        (json!({"serviceCidr": "10.0.0.0/30"}), "spec.serviceCidr: 10.0.0.0/30 is too large or too small"),
        (
            json!({"distribution": "plaim"}),
            "there is no Distribution plaim in organisation acme or above | did you mean plain?",
        ),
        (json!({"version": "one"}), "spec.version: \"one\" is not three numbers"),
        (
            json!({"addons": [{"package": "wep"}]}),
            "spec.addons[0].package: there is no package wep in organisation acme or above | did you mean web?",
        ),
        (
            json!({"addons": [{"package": "web", "version": "9.0.0"}]}),
            "spec.addons[0].version: package web has no version 9.0.0 | there is 1.0.0",
        ),
        (
            json!({"addons": [{"package": "web"}, {"package": "web"}]}),
            "spec.addons[1].package: web is there twice",
        ),
        (json!({"nodeLabels": {"-x": "y"}}), "spec.nodeLabels: label key \"-x\""),
        (json!({"taints": [{"key": "a b", "effect": "NoSchedule"}]}), "spec.taints[0]:"),
    ] {
        refused(write(&f, Kind::ClusterTemplate, "edge.acme", spec(more)), &[expected]);
    }
    admitted(&mut f, Kind::ClusterTemplate, "edge.acme", spec(json!({"default": true})));
    refused(
        write(&f, Kind::ClusterTemplate, "other.acme", spec(json!({"default": true}))),
        &["spec.default: ClusterTemplate edge.acme is the default here already"],
    );
    refused(
        write(&f, Kind::ClusterTemplate, "edge.acme", spec(json!({"default": true, "cni": "flannel"}))),
        &[
            "spec.version: the template changes, and its version stays at 1.0.0 | write a higher one, such as 1.1.0",
        ],
    );
    admitted(&mut f, Kind::ClusterTemplate, "edge.acme", spec(json!({"version": "1.0.1", "cni": "flannel"})));
}

#[test]
fn a_cluster_has_hosts_of_its_project_once_and_its_control_plane_stays() {
    let mut f = site();
    const NAME: &str = "shop.retail.acme";
    for (spec, expected) in [
        (json!({}), "spec.hosts: no host can ever be in it"),
        (json!({"hosts": ["till-1", "till-1"]}), "spec.hosts[1]: till-1 is there twice"),
        (json!({"hosts": ["hall-1"]}), "spec.hosts[0]: there is no Host hall-1 in project retail.acme"),
        (
            json!({"hosts": ["till-2"]}),
            "spec.hosts[0]: there is no Host till-2 in project retail.acme | did you mean till-1?",
        ),
        (
            json!({"hosts": ["till-1"], "controlPlane": "depot-1"}),
            "spec.controlPlane: depot-1 is none of its hosts",
        ),
        (json!({"hosts": ["till-1"], "template": "edge"}), "spec.template: there is no ClusterTemplate edge"),
        (json!({"selector": {"matchLabels": {"a b": "c"}}}), "spec.selector: label selector"),
    ] {
        refused(write(&f, Kind::Cluster, NAME, spec), &[expected]);
    }
    admitted(&mut f, Kind::Cluster, NAME, json!({"hosts": ["till-1", "depot-1"]}));
    with_status(&mut f, Kind::Cluster, NAME, json!({"controlPlane": "till-1"}));
    refused(
        write(&f, Kind::Cluster, NAME, json!({"hosts": ["till-1", "depot-1"], "controlPlane": "depot-1"})),
        &["spec.controlPlane: host till-1 is the control plane"],
    );
    refused(
        write(&f, Kind::Cluster, NAME, json!({"hosts": ["depot-1"]})),
        &["spec.hosts: host till-1 is the control plane and cannot leave"],
    );
    refused(
        delete(&f, Kind::Host, "depot-1.retail.acme"),
        &["Host depot-1.retail.acme is named by Cluster shop.retail.acme"],
    );
    let changed = write(&f, Kind::Cluster, NAME, json!({"hosts": ["till-1"], "controlPlane": "till-1"}));
    assert!(matches!(changed, Ok(Admitted::Update { .. })), "{changed:?}");
}

#[test]
fn a_package_never_changes_and_is_there_once() {
    let f = site();
    let mut other = package("1.0.0");
    other["description"] = json!("better");
    refused(
        write(&f, Kind::Package, "web-1.acme", other),
        &["spec: web 1.0.0 is out, and what is out does not change | make another version"],
    );
    refused(
        write(&f, Kind::Package, "web-twin.acme", package("1.0.0")),
        &["spec.version: Package web-1.acme is web 1.0.0 already"],
    );
    assert!(matches!(write(&f, Kind::Package, "web-1.acme", package("1.0.0")), Ok(Admitted::Unchanged)));
}

#[test]
fn what_a_package_consists_of_is_bounded_and_named_well() {
    let f = site();
    let app = |source: Value| json!({"package": "p", "version": "1.0.0", "applications": [{"name": "a", "source": source}]});
    let digest = "0".repeat(64);
    for (source, expected) in [
        (
            json!({"manifests": {}}),
            "spec.applications[0].source.manifests: has files in place as well as an artifact, or neither",
        ),
        (
            json!({"manifests": {"inline": {"../a": "x"}}}),
            "source.manifests.inline: \"../a\" cannot be the name of a file",
        ),
        (
            json!({"manifests": {"inline": {"/etc/a": "x"}}}),
            "source.manifests.inline: \"/etc/a\" cannot be the name of a file",
        ),
        (
            json!({"kustomize": {"inline": {"a": "x".repeat(600 << 10)}}}),
            "spec.applications: files in place have 614400 bytes together | keep to 524288",
        ),
        (
            json!({"helm": {"files": {"artifact": "charts/x:1"}}}),
            "source.helm.files.artifact: \"charts/x:1\" is no artifact",
        ),
        (
            json!({"helm": {"files": {"artifact": format!("charts/x@sha256:{digest}"), "path": "a/../b"}}}),
            "source.helm.files.path: \"a/../b\"",
        ),
    ] {
        refused(write(&f, Kind::Package, "p-1.acme", app(source)), &[expected]);
    }
}

#[test]
fn containers_and_machines_of_a_package_are_bounded_and_named_well() {
    let f = site();
    let app = |source: Value| json!({"package": "p", "version": "1.0.0", "applications": [{"name": "a", "source": source}]});
    for (source, expected) in [
        (json!({"container": {"image": "a b"}}), "source.container.image: \"a b\" names no image"),
        (
            json!({"container": {"image": "x", "env": ["A"]}}),
            "source.container.env[0]: \"A\" is no NAME=value",
        ),
        (
            json!({"container": {"image": "x", "ports": [{"host": 80, "container": 80}, {"host": 80, "container": 81}]}}),
            "source.container.ports[1]: the package has port 80/TCP of the host twice",
        ),
        (
            json!({"container": {"image": "x", "hostNetwork": true, "ports": [{"host": 80, "container": 80}]}}),
            "source.container.ports: mean nothing",
        ),
        (
            json!({"container": {"image": "x", "volumes": [{"path": "/d", "mount": {"hostPath": "/a/../../etc"}}]}}),
            "mount.hostPath: \"/a/../../etc\"",
        ),
        (
            json!({"vm": {"cpus": 0, "memoryBytes": 67108864, "disks": []}}),
            "source.vm.cpus: 0 is out of range",
        ),
        (
            json!({"vm": {"cpus": 1, "memoryBytes": 5, "disks": []}}),
            "source.vm.memoryBytes: 5 bytes are too little",
        ),
        (
            json!({"vm": {"cpus": 1, "memoryBytes": 67108864, "disks": [{"name": "a", "source": "blank"}]}}),
            "source.vm.disks[0].sizeBytes: a blank disk",
        ),
        (
            json!({"vm": {"cpus": 1, "memoryBytes": 67108864, "disks": [], "nics": [{"name": "a", "mac": "01:00:00:00:00:00"}]}}),
            "source.vm.nics[0].mac",
        ),
    ] {
        refused(write(&f, Kind::Package, "p-1.acme", app(source)), &[expected]);
    }
}

#[test]
fn what_is_wrong_with_a_package_is_told_all_at_once() {
    let f = site();
    let two = json!({"package": "P", "version": "1", "applications": [
        {"name": "a", "dependsOn": ["b"], "source": {"container": {"image": "x"}}},
        {"name": "b", "dependsOn": ["a", "c"], "source": {"container": {"image": "x"}}, "patienceSeconds": 1}],
        "dependencies": [{"package": "P"}], "artifact": "x"});
    refused(
        write(&f, Kind::Package, "p-1.acme", two),
        &[
            "spec.package: \"P\" is no name",
            "spec.version: \"1\" is not three numbers",
            "spec.applications[1].patienceSeconds: 1 is out of range",
            "spec.applications[1].dependsOn: the package has no application c",
            "spec.applications: applications wait for each other: a, b",
            "spec.dependencies[0].package: \"P\" is no name",
            "spec.dependencies[0].package: the package needs itself",
            "spec.artifact: \"x\" is no artifact of the registry",
        ],
    );
}

#[test]
fn parameters_are_valid_in_themselves() {
    let f = site();
    let mut spec = package("2.0.0");
    spec["parameters"] = json!([
        {"name": "a b"}, {"name": "cairn.registry"}, {"name": "n", "type": "integer", "default": 0, "validator": {"minimum": 1.0}},
        {"name": "n"}, {"name": "r", "validator": {"pattern": "("}}, {"name": "s", "type": "secret", "default": "a/b"},
        {"name": "t", "suggested": ["x", 5]}, {"name": "u", "type": "boolean", "validator": {"pattern": "x"}}]);
    spec["profiles"] = json!([{"name": "small", "parameters": {"n": "x", "zz": 1}}, {"name": "small"}]);
    refused(
        write(&f, Kind::Package, "web-2.acme", spec),
        &[
            "spec.parameters[0].name: \"a b\" cannot be the name of a parameter",
            "spec.parameters[1].name: cairn.registry is filled in by Cairn",
            "spec.parameters[2].default: is less than 1",
            "spec.parameters[3].name: n is there twice",
            "spec.parameters[4].validator.pattern: is no regular expression",
            "spec.parameters[5].default: a secret has no default",
            "spec.parameters[6].suggested[1]: is not text",
            "spec.parameters[7].validator.pattern: means nothing for a parameter of type boolean",
            "spec.profiles[0].parameters.zz: the package has no such parameter",
            "spec.profiles[1].name: small is there twice",
        ],
    );
}

#[test]
fn a_deployment_names_a_package_and_rolls_out_to_all() {
    let f = site();
    let spec = |more: Value| {
        let mut spec = json!({"package": "web", "targets": {"selector": {}}});
        spec.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        spec
    };
    for (more, expected) in [
        (
            json!({"package": "wbe"}),
            "spec.package: there is no package wbe in project retail.acme or above | did you mean web?",
        ),
        (json!({"version": "1.0.1"}), "spec.version: package web has no version 1.0.1 | there is 1.0.0"),
        (json!({"version": "latest"}), "spec.version: \"latest\" is not three numbers"),
        (json!({"targets": {}}), "spec.targets: it has no target, and never will"),
        (json!({"targets": {"names": ["a", "a"]}}), "spec.targets.names[1]: a is there twice"),
        (
            json!({"rollout": {"batches": [50, 10, 100]}}),
            "spec.rollout.batches: are not percentages that rise to 100",
        ),
        (json!({"rollout": {"batches": [10, 50]}}), "spec.rollout.batches: are not percentages"),
        (json!({"rollout": {"batches": [0, 100]}}), "spec.rollout.batches: are not percentages"),
        (
            json!({"rollout": {"successPercent": 0}}),
            "spec.rollout.successPercent: 0 is out of range | write 1 to 100",
        ),
        (json!({"rollout": {"maxFailed": 0}}), "spec.rollout.maxFailed: 0 is out of range"),
        (json!({"overrides": [{"names": ["a"]}]}), "spec.overrides[0].parameters: changes nothing"),
    ] {
        refused(write(&f, Kind::Deployment, "shop.retail.acme", spec(more)), &[expected]);
    }
    let good = spec(json!({"rollout": {"batches": [5, 25, 100], "successPercent": 90, "maxFailed": 3}}));
    assert!(matches!(write(&f, Kind::Deployment, "shop.retail.acme", good), Ok(Admitted::Create(_))));
}

#[test]
fn nothing_is_deleted_that_others_are_made_of() {
    let mut f = site();
    admitted(
        &mut f,
        Kind::ClusterTemplate,
        "edge.acme",
        json!({"version": "1.0.0", "distribution": "plain"}),
    );
    admitted(&mut f, Kind::Package, "web-2.acme", package("2.0.0"));
    admitted(&mut f, Kind::Cluster, "shop.retail.acme", json!({"hosts": ["till-1"], "template": "edge"}));
    admitted(
        &mut f,
        Kind::Deployment,
        "shop.retail.acme",
        json!({"package": "web", "targets": {"selector": {}}}),
    );
    refused(delete(&f, Kind::Distribution, "plain.acme"), &["is named by ClusterTemplate edge.acme"]);
    refused(delete(&f, Kind::ClusterTemplate, "edge.acme"), &["is named by Cluster shop.retail.acme"]);
    refused(delete(&f, Kind::Package, "web-2.acme"), &["is named by Deployment shop.retail.acme"]);
    assert!(
        matches!(delete(&f, Kind::Package, "web-1.acme"), Ok(Admitted::Delete)),
        "nobody gets the old one"
    );
    f.put(
        Kind::Deployment,
        "kept.retail.acme",
        json!({"package": "web", "version": "1.0.0", "targets": {"selector": {}}}),
    );
    refused(delete(&f, Kind::Package, "web-1.acme"), &["is named by Deployment kept.retail.acme"]);
}
