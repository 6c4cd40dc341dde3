//! Which policy applies: the documented order by example, and against a naive reading of it for any tree and policies.

mod forest;

use cairn_contract::{Digest, Inventory, Mac, Smbios, Timestamp};
use cairn_domain::{
    claim,
    fact::Claim,
    index::Index,
    model::{Kind, Network, Object, PolicySpec, Spec, Uid},
    policies::{self, Defaults, Disturb},
};
use forest::{Forest, grow, object, seeds, uid};
use proptest::prelude::*;
use serde_json::{Value, json};

/// The field that the tests set: any field resolves by the same code.
fn image(forest: &Forest, host: &str) -> Option<String> {
    policies::effective(&forest.index, forest.uid(Kind::Host, host), &Defaults::default()).image
}

fn policy(forest: &mut Forest, full: &str, spec: Value) {
    forest.put(Kind::Policy, full, spec);
}

const DEPOT: &str = "depot-1.retail.acme";

#[test]
fn the_deepest_node_wins_and_a_selector_beats_a_plain_binding_at_one_node() {
    let mut f = Forest::small();
    assert_eq!(image(&f, DEPOT), None);
    for (full, spec, wins) in [
        ("everywhere", json!({"image": {"name": "appliance"}}), "appliance"),
        ("a.acme", json!({"image": {"name": "organisation"}}), "organisation"),
        ("p.retail.acme", json!({"image": {"name": "project"}}), "project"),
        ("s.retail.acme", json!({"selector": {}, "image": {"name": "selected"}}), "selected"),
        (
            "r.retail.acme",
            json!({"target": {"kind": "Region", "name": "north"}, "image": {"name": "region"}}),
            "region",
        ),
        (
            "i.retail.acme",
            json!({"target": {"kind": "Region", "name": "inner"}, "image": {"name": "inner"}}),
            "inner",
        ),
        (
            "d.retail.acme",
            json!({"target": {"kind": "Site", "name": "depot"}, "image": {"name": "site"}}),
            "site",
        ),
        (
            "h.retail.acme",
            json!({"target": {"kind": "Host", "name": "depot-1"}, "image": {"name": "host"}}),
            "host",
        ),
    ] {
        policy(&mut f, full, spec);
        assert_eq!(image(&f, DEPOT).as_deref(), Some(wins), "after {full}");
    }
    assert_eq!(image(&f, "till-1.retail.acme").as_deref(), Some("selected"), "another branch");
    assert_eq!(image(&f, "hall-1.wholesale.acme").as_deref(), Some("organisation"), "another project");
    assert_eq!(image(&f, "bench-1.lab.globex").as_deref(), Some("appliance"), "another organisation");
}

#[test]
fn an_enforced_policy_of_a_higher_node_wins_over_all_below_even_the_hosts_own_image() {
    let mut f = Forest::small();
    f.put(Kind::Host, DEPOT, json!({"site": "depot", "serial": "s", "image": "own"}));
    policy(
        &mut f,
        "d.retail.acme",
        json!({"target": {"kind": "Site", "name": "depot"}, "image": {"name": "site"}}),
    );
    assert_eq!(
        image(&f, DEPOT).as_deref(),
        Some("own"),
        "the host's own comes before any that is not enforced"
    );
    policy(&mut f, "e.retail.acme", json!({"enforced": true, "image": {"name": "project"}}));
    assert_eq!(image(&f, DEPOT).as_deref(), Some("project"));
    policy(&mut f, "e.acme", json!({"enforced": true, "image": {"name": "organisation"}}));
    assert_eq!(image(&f, DEPOT).as_deref(), Some("organisation"));
    let all = policies::explain(&f.index, f.uid(Kind::Host, DEPOT), &Defaults::default());
    let told = all.iter().find(|r| r.field == "image.name").expect("every field is told");
    let others: Vec<_> = told.overrides.iter().filter_map(|o| Some(o.policy.clone()?.name)).collect();
    assert_eq!(others, ["e.retail.acme", DEPOT, "d.retail.acme"]);
}

#[test]
fn each_field_resolves_by_itself_and_the_rest_comes_from_the_appliance() {
    let mut f = Forest::small();
    policy(&mut f, "a.acme", json!({"boot": {"network": "deny", "maxAttempts": 9}}));
    policy(
        &mut f,
        "p.retail.acme",
        json!({"boot": {"maxAttempts": 2}, "telemetry": {"silentAfterSeconds": 33}}),
    );
    let effective = policies::effective(&f.index, f.uid(Kind::Host, DEPOT), &Defaults::default());
    assert_eq!(effective.network, Network::Deny);
    assert_eq!((effective.policy.max_attempts, effective.policy.heartbeat_loss_s), (2, 33));
    assert_eq!(effective.policy.boot_s, Defaults::default().policy.boot_s);
}

#[test]
fn installations_wait_for_a_window_in_the_sites_time_zone() {
    let mut f = Forest::small();
    f.put(Kind::Site, "depot.retail.acme", json!({"region": "inner", "timezone": "Europe/Berlin"}));
    let windows = json!([{"start": "0 2 * * *", "minutes": 60}]);
    policy(
        &mut f,
        "w.retail.acme",
        json!({"update": {"onlyInWindow": true}, "maintenance": {"windows": windows}}),
    );
    let effective = policies::effective(&f.index, f.uid(Kind::Host, DEPOT), &Defaults::default());
    // 2026-11-22T01:30:00Z is 02:30 in Berlin, 12:00Z is not.
    assert_eq!(effective.disturb(Timestamp(1_795_311_000_000)), Disturb::Now);
    let next = Timestamp(1_795_348_800_000 + 13 * 3_600_000);
    assert_eq!(effective.disturb(Timestamp(1_795_348_800_000)), Disturb::NotBefore(Some(next)));
}

fn claim_of(serial: &str) -> Claim {
    let smbios = Smbios { serial: serial.into(), ..Smbios::default() };
    let inventory = Inventory { smbios, ..Inventory::default() };
    Claim { ek: Digest::of(b"ek"), boot_mac: Mac([2, 0, 0, 0, 0, 7]), inventory, class: None }
}

#[test]
fn a_machine_goes_where_the_rule_of_the_highest_priority_says() {
    let mut f = Forest::small();
    f.put(Kind::ClaimRule, "any.lab.globex", json!({"match": {"mac": "02:*"}, "site": "bench"}));
    let rule =
        json!({"match": {"serial": "CN*", "mac": "02:00:*"}, "site": "depot", "accept": true, "priority": 5});
    f.put(Kind::ClaimRule, "cn.retail.acme", rule);
    let place = |serial: &str| claim::place(&f.index, &claim_of(serial)).map(|p| (p.rule, p.site, p.accept));
    assert_eq!(place("cn77"), Some(("cn.retail.acme".into(), "depot".into(), true)));
    assert_eq!(place("DE1"), Some(("any.lab.globex".into(), "bench".into(), false)));
    let mut empty = Forest::small();
    empty.put(Kind::ClaimRule, "all.retail.acme", json!({"match": {}, "site": "depot"}));
    assert_eq!(
        claim::place(&empty.index, &claim_of("x")),
        None,
        "a rule that matches by nothing claims nothing"
    );
}

/// Policies at random places of a grown tree.
fn with_policies(mut all: Vec<Object>, seeds: &[(u16, u16, u16)]) -> Vec<Object> {
    let nodes: Vec<Object> = all.iter().filter(|o| o.kind().is_node()).cloned().collect();
    for (n, (place, shape, value)) in seeds.iter().enumerate() {
        let node = &nodes[usize::from(*place) % nodes.len()];
        let m = &node.metadata;
        let space = match node.kind() {
            Kind::Organisation => m.name.clone(),
            Kind::Project => node.full_name(),
            _ => m.namespace.to_string(),
        };
        let mut spec = json!({
            "image": {"name": format!("i{n}")}, "priority": shape % 3, "enforced": shape % 5 == 0,
        });
        match node.kind() {
            Kind::Region | Kind::Site | Kind::Host if shape % 2 == 0 => {
                spec["target"] = json!({"kind": node.kind(), "name": m.name});
            }
            _ if shape % 3 == 0 => {
                spec["selector"] =
                    json!({"matchLabels": {format!("k{}", value % 4): format!("v{}", value % 3)}});
            }
            _ => {}
        }
        let mut policy = object(Kind::Policy, &format!("n{n}.{space}"), uid(100_000 + n), spec);
        policy.metadata.created = Timestamp(i64::from(value % 4));
        all.push(policy);
    }
    all
}

/// The order of the documentation, word by word: whether `a` wins over `b`.
fn wins(a: &Applying<'_>, b: &Applying<'_>) -> bool {
    if a.spec.enforced != b.spec.enforced {
        return a.spec.enforced;
    }
    if a.depth != b.depth {
        return (a.depth > b.depth) != a.spec.enforced;
    }
    if a.spec.selector.is_some() != b.spec.selector.is_some() {
        return a.spec.selector.is_some();
    }
    if a.spec.priority != b.spec.priority {
        return a.spec.priority > b.spec.priority;
    }
    (a.object.metadata.created.0, &a.object.metadata.name)
        < (b.object.metadata.created.0, &b.object.metadata.name)
}

struct Applying<'a> {
    object: &'a Object,
    spec: &'a PolicySpec,
    depth: usize,
}

fn applying<'a>(index: &Index, policy: &'a Object, host: Uid) -> Option<Applying<'a>> {
    let Spec::Policy(spec) = &policy.spec else { return None };
    let line = index.lineage(host);
    let space = &policy.metadata.namespace;
    let at = |kind: Kind, full: &str| line.iter().position(|o| o.kind() == kind && o.full_name() == full);
    let depth = match &spec.target {
        Some(target) => at(target.kind, &format!("{}.{space}", target.name))?,
        None => {
            at(Kind::Project, &space.to_string()).or_else(|| at(Kind::Organisation, &space.to_string()))?
        }
    };
    let selected = spec.selector.as_ref().is_none_or(|s| {
        let labels = index.labels(host);
        s.match_labels.iter().all(|(k, v)| labels.iter().any(|l| l.key == *k && l.value == *v))
    });
    selected.then_some(Applying { object: policy, spec, depth })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn resolution_is_that_of_a_naive_reading(
        tree in seeds(60),
        policies in prop::collection::vec(any::<(u16, u16, u16)>(), 0..25),
    ) {
        let all = with_policies(grow(&tree), &policies);
        let index = Index::load(all.clone(), 1);
        for host in all.iter().filter(|o| o.kind() == Kind::Host) {
            let uid = host.metadata.uid;
            let mut best: Option<Applying<'_>> = None;
            for policy in &all {
                if let Some(next) = applying(&index, policy, uid)
                    && next.spec.image.is_some()
                    && best.as_ref().is_none_or(|b| wins(&next, b))
                {
                    best = Some(next);
                }
            }
            let expected = best.and_then(|b| b.spec.image.clone()?.name);
            prop_assert_eq!(policies::effective(&index, uid, &Defaults::default()).image, expected.clone());
            let told = policies::explain(&index, uid, &Defaults::default());
            let told = told.iter().find(|r| r.field == "image.name").map(|r| r.value.clone());
            prop_assert_eq!(told, Some(json!(expected)), "explain says what applies");
        }
    }
}
