//! Deployments: who gets what, in which order, and every reason why somebody does not.

mod world;

use cairn_contract::workload::{Body as Part, Phase, placeholder};
use cairn_domain::{
    State,
    model::{Kind, Namespace, Spec},
};
use cairn_workload::{Body, Order, Rendered, desired, preview, secrets};
use serde_json::{Value, json};
use world::{Site, container, package};

const D: Kind = Kind::Deployment;
const SHOP: &str = "shop.retail.acme";

/// Clusters c0, c1, … of one host h0, h1, … each, all labelled `tier: shop`.
fn clusters(n: usize) -> Site {
    let mut s = Site::default().with_template();
    for at in 0..n {
        s.running(&format!("h{at}"), &[]);
        let spec = json!({"hosts": [format!("h{at}")]});
        s.put_labelled(Kind::Cluster, &format!("c{at}.retail.acme"), spec, &[("tier", "shop")]);
    }
    s.put(Kind::Package, "web-1.acme", package("web", "1.0.0", json!({})));
    s.settle();
    s
}

fn shop(more: Value) -> Value {
    let mut spec = json!({"package": "web", "targets": {"selector": {"matchLabels": {"tier": "shop"}}}});
    spec.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    spec
}

/// Names of the hosts that were told to run a deployment.
fn hosts(s: &Site, name: &str) -> Vec<String> {
    let all = s.told();
    all.iter().filter_map(|t| t.strip_suffix(&format!(":{name}")).map(str::to_owned)).collect()
}

fn ready(s: &Site) -> String {
    s.condition(D, SHOP, "Ready")
}

#[test]
fn a_selector_is_live_in_labels_of_cluster_project_site_and_host() {
    let mut s = clusters(2);
    s.put(D, SHOP, shop(json!({})));
    s.settle();
    assert_eq!(hosts(&s, "shop"), ["h0", "h1"]);
    assert_eq!(ready(&s), "True/Ready: all 2 targets are ready");
    s.put(Kind::Cluster, "c1.retail.acme", json!({"hosts": ["h1"]}));
    s.settle();
    assert_eq!(hosts(&s, "shop"), ["h0"], "it lost the label");
    s.put_labelled(Kind::Site, "till.retail.acme", json!({}), &[("tier", "shop")]);
    s.settle();
    assert_eq!(hosts(&s, "shop"), ["h0", "h1"], "all its hosts have it by their site");
    s.put_labelled(Kind::Site, "till.retail.acme", json!({}), &[("tier", "bar")]);
    s.settle();
    assert_eq!(hosts(&s, "shop"), ["h0"], "its own label hides the site's");
    s.put_labelled(Kind::Project, "retail.acme", json!({}), &[("tier", "shop")]);
    s.settle();
    assert_eq!(hosts(&s, "shop"), ["h0"], "the site's hides the project's");
    s.put(Kind::Site, "till.retail.acme", json!({}));
    s.settle();
    assert_eq!(hosts(&s, "shop"), ["h0", "h1"]);
}

#[test]
fn no_target_is_no_error_and_one_that_comes_later_gets_it() {
    let mut s = clusters(0);
    s.put(D, SHOP, shop(json!({})));
    s.settle();
    assert_eq!(
        ready(&s),
        "Unknown/NoTargets: no cluster of project retail.acme matches; one that comes later gets it by itself"
    );
    s.running("h0", &[]);
    s.put_labelled(Kind::Cluster, "c0.retail.acme", json!({"hosts": ["h0"]}), &[("tier", "shop")]);
    s.settle();
    assert_eq!(hosts(&s, "shop"), ["h0"]);
    s.put(D, SHOP, json!({"package": "web", "targets": {"names": ["c0", "c9"]}}));
    s.settle();
    assert!(
        ready(&s).starts_with("False/TargetMissing: spec.targets.names: there is no c9"),
        "{}",
        ready(&s)
    );
}

#[test]
fn the_newest_version_goes_out_by_number_and_a_pinned_one_stays() {
    let mut s = clusters(1);
    s.put(D, SHOP, shop(json!({})));
    s.put(D, "kept.retail.acme", shop(json!({"version": "1.0.0"})));
    s.settle();
    s.put(Kind::Package, "web-1-9.acme", package("web", "1.9.0", json!({})));
    s.put(Kind::Package, "web-1-10.acme", package("web", "1.10.0", json!({})));
    s.settle();
    assert_eq!(s.status(D, SHOP)["package"]["version"], "1.10.0");
    assert_eq!(s.status(D, "kept.retail.acme")["package"]["version"], "1.0.0");
    s.put(Kind::Package, "web-own.retail.acme", package("web", "1.5.0", json!({})));
    s.settle();
    assert_eq!(
        s.status(D, SHOP)["package"]["version"],
        "1.5.0",
        "the project's own hides the organisation's"
    );
    s.put(D, SHOP, shop(json!({"version": "7.0.0"})));
    s.settle();
    assert!(
        ready(&s).starts_with("False/VersionMissing: spec.version: package web has no version 7.0.0"),
        "{}",
        ready(&s)
    );
    s.put(D, SHOP, json!({"package": "wep", "targets": {"selector": {}}}));
    s.settle();
    assert!(
        ready(&s).starts_with("False/PackageMissing: spec.package: there is no package wep"),
        "{}",
        ready(&s)
    );
    assert_eq!(hosts(&s, "shop"), ["h0"], "what runs goes on");
}

#[test]
fn values_come_from_default_profile_deployment_and_overrides_in_this_order() {
    let mut s = clusters(2);
    s.put(Kind::Package, "web-2.acme", package("web", "2.0.0", json!({
        "applications": [{"name": "web", "source": {"manifests": {"inline": {"a.yaml": "${a} ${b} ${c} ${n} $${a} ${cairn.registry}"}}}}],
        "parameters": [{"name": "a", "default": "da"}, {"name": "b", "default": "db"}, {"name": "c", "default": "dc"},
            {"name": "n", "type": "integer", "default": 1}],
        "profiles": [{"name": "small", "parameters": {"a": "pa", "b": "pb"}}]})));
    s.put(D, SHOP, shop(json!({"profile": "small", "parameters": {"b": "sb"}, "overrides": [
        {"names": ["c1"], "parameters": {"n": 5, "c": "first"}}, {"names": ["c1"], "parameters": {"c": "oc"}}]})));
    let texts: Vec<String> =
        s.plan().renders.iter().map(|r| serde_json::to_string(&*r.input).expect("JSON")).collect();
    assert_eq!(texts.len(), 2);
    for expected in ["pa sb dc 1 ${a} 10.0.0.1:443", "pa sb oc 5 ${a} 10.0.0.1:443"] {
        assert!(texts.iter().any(|t| t.contains(expected)), "{expected} in {texts:?}");
    }
    let Spec::Deployment(spec) = &s.find(D, SHOP).expect("it").spec else { panic!("a deployment") };
    let seen = preview(&s.index, spec, &Namespace::project("retail", "acme"), s.registry.as_ref());
    let got: Vec<String> = seen
        .iter()
        .map(|p| {
            format!(
                "{} {}",
                p.name,
                serde_json::to_string(&p.outcome.as_ref().expect("it fits").parameters).expect("JSON")
            )
        })
        .collect();
    assert_eq!(
        got,
        [r#"c0 {"a":"pa","b":"sb","c":"dc","n":1}"#, r#"c1 {"a":"pa","b":"sb","c":"oc","n":5}"#,]
    );
}

#[test]
fn whatever_is_wrong_with_parameters_is_told_with_its_field() {
    let mut s = clusters(1);
    s.put(
        Kind::Package,
        "web-2.acme",
        package(
            "web",
            "2.0.0",
            json!({
        "parameters": [{"name": "replicas", "type": "integer", "validator": {"minimum": 1.0}},
            {"name": "title", "mandatory": true}, {"name": "key", "type": "secret"}],
        "profiles": [{"name": "small"}]}),
        ),
    );
    for (more, expected) in [
        (
            json!({}),
            "False/ParameterMissing: 0 of 1 targets are ready; c0: spec.parameters.title: is missing; web 2.0.0",
        ),
        (json!({"parameters": {"title": ""}}), "False/ParameterMissing"),
        (
            json!({"parameters": {"title": "x", "replicas": "3"}}),
            "False/ParameterInvalid: 0 of 1 targets are ready; c0: spec.parameters.replicas: is not a whole number",
        ),
        (
            json!({"parameters": {"title": "x", "replicas": 0}}),
            "False/ParameterInvalid: 0 of 1 targets are ready; c0: spec.parameters.replicas: is less than 1",
        ),
        (
            json!({"parameters": {"title": "x", "replica": 1}}),
            "False/ParameterUnknown: 0 of 1 targets are ready; c0: spec.parameters.replica: web 2.0.0 has no such parameter; did you mean replicas?",
        ),
        (
            json!({"profile": "large", "parameters": {"title": "x"}}),
            "False/ProfileUnknown: 0 of 1 targets are ready; c0: spec.profile: web 2.0.0 has no profile large; there are small",
        ),
        (
            json!({"parameters": {"title": "x"}, "overrides": [{"names": ["c0"], "parameters": {"title": 5}}]}),
            "False/ParameterInvalid: 0 of 1 targets are ready; c0: spec.overrides[0].parameters.title: is not text",
        ),
        (
            json!({"parameters": {"title": "x", "key": "vault/key"}}),
            "False/SecretMissing: 0 of 1 targets are ready; c0: spec.parameters.key: there is no Secret vault in retail.acme",
        ),
    ] {
        s.put(D, SHOP, shop(more.clone()));
        s.settle();
        assert!(ready(&s).starts_with(expected), "{more}\n{}", ready(&s));
        assert_eq!(hosts(&s, "shop"), [""; 0]);
    }
}

#[test]
fn a_text_that_names_an_unknown_parameter_is_told_with_its_file() {
    let mut s = clusters(1);
    s.put(
        Kind::Package,
        "web-3.acme",
        package(
            "web",
            "3.0.0",
            json!({"applications": [
        {"name": "web", "source": {"manifests": {"inline": {"a.yaml": "${HOME}"}}}}]}),
        ),
    );
    s.put(D, SHOP, shop(json!({})));
    s.settle();
    assert!(
        ready(&s)
            .contains("package.applications[0].source.manifests.inline.a.yaml: names the parameter \"HOME\""),
        "{}",
        ready(&s)
    );
}

#[test]
fn packages_that_need_each_other_or_nothing_that_exists_are_told() {
    let mut s = clusters(1);
    let needs = |what: &str, least: &str| json!({"dependencies": [{"package": what, "atLeast": least}]});
    s.put(Kind::Package, "web-2.acme", package("web", "2.0.0", needs("db", "1.0.0")));
    s.put(D, SHOP, shop(json!({})));
    s.settle();
    assert!(
        ready(&s).starts_with(
            "False/DependencyMissing: spec.package: web needs the package db, which does not exist"
        ),
        "{}",
        ready(&s)
    );
    s.put(Kind::Package, "db-0.acme", package("db", "0.9.0", json!({})));
    s.settle();
    assert!(
        ready(&s).contains("web needs the package db at 1.0.0 at least, and the newest is 0.9.0"),
        "{}",
        ready(&s)
    );
    s.put(Kind::Package, "db-1.acme", package("db", "1.0.0", needs("web", "1.0.0")));
    s.settle();
    assert!(
        ready(&s)
            .starts_with("False/DependencyCycle: spec.package: packages need each other: web -> db -> web"),
        "{}",
        ready(&s)
    );
    s.put(Kind::Package, "db-1-1.acme", package("db", "1.1.0", json!({})));
    s.settle();
    assert!(ready(&s).contains("it needs the package db here, which nobody deploys"), "{}", ready(&s));
    // A deployment of it on the same cluster; it is not ready at first.
    s.answers.insert(("db.retail.acme".to_owned(), String::new()), Phase::Progressing);
    s.put(D, "db.retail.acme", json!({"package": "db", "targets": {"names": ["c0"]}}));
    s.settle();
    assert!(ready(&s).contains("c0: it waits until db.retail.acme is ready here"), "{}", ready(&s));
    assert_eq!(hosts(&s, "shop"), [""; 0]);
    s.answers.clear();
    s.settle();
    assert_eq!(
        (hosts(&s, "shop"), ready(&s).as_str()),
        (vec!["h0".to_owned()], "True/Ready: all 1 targets are ready")
    );
    let rows: Vec<_> = s.rows.clone();
    let names: Vec<String> = desired(&s.index, &rows, None).releases.into_iter().map(|r| r.name).collect();
    assert_eq!(names, ["db.retail.acme", "shop.retail.acme"], "each after those that it needs");
}

#[test]
fn a_rollout_goes_batch_by_batch_and_stops_at_failures() {
    let mut s = clusters(10);
    s.put(D, SHOP, shop(json!({"rollout": {"batches": [10, 50, 100]}})));
    s.deaf.extend((0..10).map(|n| format!("h{n}")));
    s.settle();
    assert_eq!(hosts(&s, "shop").len(), 1);
    assert_eq!(s.status(D, SHOP)["rollout"]["percent"], 10);
    let first = hosts(&s, "shop");
    s.deaf.clear();
    s.answers.insert((SHOP.to_owned(), first[0].clone()), Phase::Failed);
    s.settle();
    assert_eq!(hosts(&s, "shop"), first);
    let said = s.condition(D, SHOP, "RolloutStopped");
    assert!(
        said.contains("it stopped at 10 percent: 1 targets of the batch failed")
            && said.contains(&first[0].replace('h', "c")),
        "{said}"
    );
    s.answers.clear();
    s.settle();
    assert_eq!(hosts(&s, "shop").len(), 10, "it was put right");
    assert_eq!(s.status(D, SHOP)["rollout"]["state"], "Complete");
    // A new version, paused in mid-way; a pause takes nothing back, and a new target waits for its end.
    s.put(Kind::Package, "web-2.acme", package("web", "2.0.0", json!({})));
    s.deaf.extend((0..10).map(|n| format!("h{n}")));
    s.settle();
    assert_eq!(s.status(D, SHOP)["targets"]["outdated"], 9);
    s.put(D, SHOP, shop(json!({"paused": true, "rollout": {"batches": [10, 50, 100]}})));
    s.deaf.clear();
    s.settle();
    assert_eq!(s.status(D, SHOP)["rollout"]["state"], "Paused");
    assert_eq!(s.status(D, SHOP)["targets"]["outdated"], 9);
    s.put(D, SHOP, shop(json!({"rollout": {"batches": [10, 50, 100]}})));
    s.settle();
    assert_eq!(s.status(D, SHOP)["targets"]["outdated"], 0);
}

#[test]
fn a_target_that_comes_after_the_rollout_gets_the_newest_at_once_though_another_fails() {
    let mut s = clusters(4);
    s.put(D, SHOP, shop(json!({"rollout": {"batches": [50, 100]}})));
    s.settle();
    s.answers.insert((SHOP.to_owned(), "h1".to_owned()), Phase::Failed);
    s.settle();
    assert!(
        ready(&s).starts_with("False/TargetsNotReady: 3 of 4 targets are ready; c1: it is Failed"),
        "{}",
        ready(&s)
    );
    s.running("h9", &[]);
    s.put_labelled(Kind::Cluster, "c9.retail.acme", json!({"hosts": ["h9"]}), &[("tier", "shop")]);
    s.settle();
    assert!(hosts(&s, "shop").contains(&"h9".to_owned()));
    assert_eq!(s.condition(D, SHOP, "RolloutStopped"), "none");
}

#[test]
fn containers_go_to_hosts_that_run_and_the_wrong_kind_of_target_is_told() {
    let mut s = clusters(1);
    s.put(Kind::Package, "kiosk-1.acme", package("kiosk", "1.0.0", json!({"applications": container(80)})));
    s.running("k1", &[("kiosk", "yes")]);
    s.host("k2", "till", State::Registered, &[("kiosk", "yes")]);
    let spec = json!({"package": "kiosk", "targets": {"kind": "host", "selector": {"matchLabels": {"kiosk": "yes"}}}});
    s.put(D, SHOP, spec);
    s.settle();
    assert_eq!(hosts(&s, "shop"), ["k1"], "the other one does not run yet");
    s.running("k2", &[("kiosk", "yes")]);
    s.settle();
    assert_eq!(hosts(&s, "shop"), ["k1", "k2"]);
    s.host("k2", "till", State::Registered, &[("kiosk", "yes")]);
    s.settle();
    assert_eq!(hosts(&s, "shop"), ["k1", "k2"], "it is installed again, and keeps what it had");
    let row = s.row(D, SHOP, "k1");
    let Some(Body::Release(release)) = &row.body else { panic!("a release") };
    assert!(matches!(&release.applications[0].body, Part::Container(c) if c.image == "shop:1"));
    s.put(D, "wrong.retail.acme", json!({"package": "kiosk", "targets": {"names": ["c0"]}}));
    s.put(D, "other.retail.acme", json!({"package": "web", "targets": {"kind": "host", "names": ["k1"]}}));
    s.settle();
    assert!(
        s.condition(D, "wrong.retail.acme", "Ready")
            .contains("spec.targets.kind: application web is a container, which goes to hosts")
    );
    assert!(
        s.condition(D, "other.retail.acme", "Ready")
            .contains("a set of Kubernetes objects, which goes to clusters")
    );
}

#[test]
fn two_deployments_that_want_one_port_of_a_host_are_both_named() {
    let mut s = Site::default();
    s.running("k1", &[]);
    s.put(Kind::Package, "kiosk-1.acme", package("kiosk", "1.0.0", json!({"applications": container(80)})));
    let spec = json!({"package": "kiosk", "targets": {"kind": "host", "names": ["k1"]}});
    s.put(D, "one.retail.acme", spec.clone());
    s.put(D, "two.retail.acme", spec);
    s.settle();
    assert_eq!(s.told(), ["k1:one"]);
    let expected = "True/PortTaken: port 80/TCP of host k1 is wanted by one.retail.acme and two.retail.acme; one.retail.acme has it: \
                    change one of them";
    assert_eq!(s.condition(D, "one.retail.acme", "Conflict"), expected);
    assert_eq!(s.condition(D, "two.retail.acme", "Conflict"), expected);
    assert!(s.condition(D, "two.retail.acme", "Ready").starts_with("False/Conflict"));
    s.delete(D, "one.retail.acme");
    s.settle();
    assert_eq!(s.told(), ["k1:two"]);
}

#[test]
fn what_cannot_be_rendered_is_told_and_does_not_disturb_what_runs() {
    let mut s = clusters(1);
    s.put(D, SHOP, shop(json!({})));
    s.settle();
    s.put(Kind::Package, "web-2.acme", package("web", "2.0.0", json!({"applications": [{"name": "web", "source":
        {"helm": {"files": {"inline": {"Chart.yaml": "name: ${not.ours}"}}, "values": "r: ${cairn.registry}"}}}]})));
    let plan = s.plan();
    assert_eq!((plan.orders.len(), plan.renders.len()), (0, 1));
    let input = serde_json::to_value(&*plan.renders[0].input).expect("JSON");
    assert_eq!(input["helm"]["chart"]["values"], "r: 10.0.0.1:443");
    assert_eq!(
        input["helm"]["chart"]["files"]["inline"]["Chart.yaml"], "name: ${not.ours}",
        "charts have templates of their own"
    );
    assert_eq!(input["helm"]["kubernetes"], "1.36.1");
    let failed = Rendered::Failed { reason: "HelmAbsent".to_owned(), message: "install helm".to_owned() };
    s.rendered.insert(plan.renders[0].key, failed);
    s.settle();
    assert!(
        ready(&s).starts_with(
            "False/RenderFailed: 0 of 1 targets are ready; c0: application web: HelmAbsent: install helm"
        ),
        "{}",
        ready(&s)
    );
    assert_eq!(hosts(&s, "shop"), ["h0"], "version 1 goes on");
}

#[test]
fn a_deployment_that_is_deleted_or_loses_its_cluster_is_taken_away() {
    let mut s = clusters(2);
    s.put(D, SHOP, shop(json!({"paused": false})));
    s.settle();
    s.put(D, SHOP, shop(json!({"paused": true})));
    s.put(Kind::Cluster, "c0.retail.acme", json!({"hosts": ["h0"]}));
    s.settle();
    assert_eq!(hosts(&s, "shop"), ["h0", "h1"], "while it is paused, nothing changes");
    s.delete(Kind::Cluster, "c0.retail.acme");
    s.settle();
    assert_eq!(hosts(&s, "shop"), ["h1"], "but where there is no cluster, nothing can stay");
    s.delete(D, SHOP);
    s.settle();
    assert_eq!(hosts(&s, "shop"), [""; 0]);
}

#[test]
fn secrets_are_placeholders_and_their_place_is_told_for_the_hosts_own_releases_only() {
    let mut s = Site::default();
    s.running("k1", &[]);
    s.running("k2", &[]);
    let vault = s.put(Kind::Secret, "vault.retail.acme", json!({}));
    let mut object = s.index.get(vault).expect("it").as_ref().clone();
    object.status = Some(std::sync::Arc::new(json!({"keys": ["db", "other"]})));
    s.index.put(object);
    s.put(Kind::Package, "kiosk-1.acme", package("kiosk", "1.0.0", json!({
        "applications": [{"name": "web", "source": {"container": {"image": "shop:1", "env": ["KEY=${key}"]}}}],
        "parameters": [{"name": "key", "type": "secret", "mandatory": true}]})));
    s.put(D, SHOP, json!({"package": "kiosk", "parameters": {"key": "vault/db"}, "targets": {"kind": "host", "names": ["k1"]},
        "overrides": [{"names": ["k2"], "parameters": {"key": "vault/other"}}]}));
    s.settle();
    let (subject, k1, k2) =
        (s.uid(D, SHOP), s.uid(Kind::Host, "k1.retail.acme"), s.uid(Kind::Host, "k2.retail.acme"));
    let hole = placeholder(subject.0, "key");
    let Some(Body::Release(release)) = &s.row(D, SHOP, "k1").body else { panic!("a release") };
    assert!(matches!(&release.applications[0].body, Part::Container(c) if c.env == [format!("KEY={hole}")]));
    let found = secrets(&s.index, k1, &s.rows, subject);
    assert_eq!(
        found.iter().map(|(h, at)| (h.as_str(), at.key.as_str())).collect::<Vec<_>>(),
        [(hole.as_str(), "db")]
    );
    assert_eq!(secrets(&s.index, k2, &s.rows, subject).len(), 0, "it was not told to run it");
    s.put(D, SHOP, json!({"package": "kiosk", "parameters": {"key": "vault/gone"}, "targets": {"kind": "host", "names": ["k1"]}}));
    s.settle();
    assert!(ready(&s).contains("spec.parameters.key: Secret vault has no key gone"), "{}", ready(&s));
}

#[test]
fn times_of_conditions_stay_until_they_change() {
    let mut s = clusters(1);
    s.put(D, SHOP, shop(json!({})));
    s.settle();
    let before = s.status(D, SHOP);
    s.now += 60_000;
    assert_eq!(s.plan().statuses, [], "nothing changed, so nothing is written");
    s.answers.insert((SHOP.to_owned(), String::new()), Phase::Degraded);
    s.settle();
    let after = s.status(D, SHOP);
    let time = |status: &Value, at: usize| status["conditions"][at]["lastTransitionTime"].clone();
    assert_ne!(time(&before, 0), time(&after, 0));
    assert_eq!(time(&before, 2), time(&after, 2), "Conflict did not change");
    assert_eq!(s.plan().orders, Vec::<Order>::new());
}
