//! What holds of any site, whatever happens in it.

mod world;

use std::collections::{BTreeMap, BTreeSet};

use cairn_contract::{Timestamp, workload::Phase};
use cairn_domain::{State, model::Kind};
use cairn_workload::{Body, Order, Plan};
use proptest::prelude::*;
use serde_json::json;
use world::{Site, container, package};

/// Something that happens.
#[derive(Debug, Clone)]
enum Deed {
    Host { name: u8, label: u8, runs: bool },
    Cluster { name: u8, hosts: Vec<u8>, selected: Option<u8> },
    Uncluster(u8),
    Deploy { name: u8, selected: u8, batches: Vec<u8>, paused: bool, kind: bool, version: u8 },
    Undeploy(u8),
    Answer { name: u8, host: u8, phase: u8 },
    Deaf { host: u8, deaf: bool },
    Time(u32),
    Round,
}

fn deed() -> impl Strategy<Value = Deed> {
    let batches = prop::sample::subsequence(vec![10_u8, 30, 60, 100], 0..4);
    prop_oneof![
        3 => (0..6_u8, 0..3_u8, prop::bool::weighted(0.8)).prop_map(|(name, label, runs)| Deed::Host { name, label, runs }),
        2 => (0..3_u8, prop::collection::vec(0..6_u8, 0..4), prop::option::of(0..3_u8))
            .prop_map(|(name, hosts, selected)| Deed::Cluster { name, hosts, selected }),
        1 => (0..3_u8).prop_map(Deed::Uncluster),
        3 => (0..3_u8, 0..3_u8, batches, prop::bool::weighted(0.3), any::<bool>(), 0..3_u8)
            .prop_map(|(name, selected, batches, paused, kind, version)| Deed::Deploy { name, selected, batches, paused, kind, version }),
        1 => (0..3_u8).prop_map(Deed::Undeploy),
        2 => (0..3_u8, 0..6_u8, 0..4_u8).prop_map(|(name, host, phase)| Deed::Answer { name, host, phase }),
        1 => (0..6_u8, any::<bool>()).prop_map(|(host, deaf)| Deed::Deaf { host, deaf }),
        1 => (0..1_000_000_u32).prop_map(Deed::Time),
        4 => Just(Deed::Round),
    ]
}

fn start() -> Site {
    let mut s = Site::default().with_template();
    for version in 0..3 {
        s.put(
            Kind::Package,
            &format!("web-{version}.acme"),
            package("web", &format!("1.{version}.0"), json!({})),
        );
        let more = json!({"applications": container(80)});
        s.put(
            Kind::Package,
            &format!("kiosk-{version}.acme"),
            package("kiosk", &format!("1.{version}.0"), more),
        );
    }
    s
}

fn happen(s: &mut Site, deed: &Deed) {
    let exists = |s: &Site, kind: Kind, name: &str| s.find(kind, name).is_some();
    match deed {
        Deed::Host { name, label, runs } => {
            let state = if *runs { State::Running { until: Timestamp(i64::MAX) } } else { State::Registered };
            s.host(&format!("h{name}"), "till", state, &[("k", &format!("v{label}"))]);
        }
        Deed::Cluster { name, hosts, selected } => {
            let hosts: BTreeSet<String> = hosts.iter().map(|h| format!("h{h}")).collect();
            let mut spec = json!({"hosts": hosts});
            if let Some(selected) = selected {
                spec["selector"] = json!({"matchLabels": {"k": format!("v{selected}")}});
            }
            s.put(Kind::Cluster, &format!("c{name}.retail.acme"), spec);
        }
        Deed::Uncluster(name) => {
            let name = format!("c{name}.retail.acme");
            if exists(s, Kind::Cluster, &name) {
                s.delete(Kind::Cluster, &name);
            }
        }
        Deed::Deploy { name, selected, batches, paused, kind, version } => {
            let (kind, package) = if *kind { ("host", "kiosk") } else { ("cluster", "web") };
            s.put(
                Kind::Deployment,
                &format!("d{name}.retail.acme"),
                json!({
                "package": package, "version": format!("1.{version}.0"), "paused": paused,
                "targets": {"kind": kind, "selector": {"matchLabels": {"k": format!("v{selected}")}}},
                "rollout": {"batches": batches, "successPercent": 60, "maxFailed": 2}}),
            );
        }
        Deed::Undeploy(name) => {
            let name = format!("d{name}.retail.acme");
            if exists(s, Kind::Deployment, &name) {
                s.delete(Kind::Deployment, &name);
            }
        }
        Deed::Answer { name, host, phase } => {
            let phase =
                [Phase::Ready, Phase::Progressing, Phase::Failed, Phase::Degraded][usize::from(*phase)];
            s.answers.insert((format!("d{name}.retail.acme"), format!("h{host}")), phase);
        }
        Deed::Deaf { host, deaf } => {
            let name = format!("h{host}");
            s.deaf.remove(&name);
            s.deaf.extend(deaf.then_some(name));
        }
        Deed::Time(ms) => s.now += i64::from(*ms),
        Deed::Round => {}
    }
}

/// What must hold of one plan and of what follows from it.
fn check(s: &Site, plan: &Plan) -> Result<(), TestCaseError> {
    let mut once = BTreeSet::new();
    for order in &plan.orders {
        let (Order::Put { host, subject, .. } | Order::Remove { host, subject }) = order;
        prop_assert!(s.index.get(*host).is_some_and(|o| o.kind() == Kind::Host), "an order for nobody");
        prop_assert!(once.insert((*host, *subject)), "two orders for one row");
        let spec = s.index.get(*subject).map(|o| o.spec.clone());
        if let (Some(cairn_domain::model::Spec::Deployment(d)), Order::Put { .. }) = (spec, order) {
            prop_assert!(!d.paused, "a paused deployment gives orders");
        }
    }
    Ok(())
}

/// No host has a part of two clusters, also not while one is removed.
fn one_cluster_each(s: &Site) -> Result<(), TestCaseError> {
    let mut nodes: BTreeMap<_, usize> = BTreeMap::new();
    for row in s.rows.iter().filter(|row| row.kind == Kind::Cluster) {
        *nodes.entry(row.host).or_default() += 1;
    }
    prop_assert!(nodes.values().all(|n| *n <= 1), "a host in two clusters");
    Ok(())
}

/// Ports of one host are given once; counts in the status add up; a batch is never exceeded by new orders.
fn rollouts_keep_to_their_batch(s: &Site, plan: &Plan) -> Result<(), TestCaseError> {
    for object in s.index.of_kind(Kind::Deployment) {
        let status = object.status.clone().expect("a plan was applied");
        let count = |key: &str| status["targets"][key].as_u64().expect("a count");
        let total = count("total");
        prop_assert_eq!(total, count("ready") + count("progressing") + count("waiting") + count("failed"));
        let puts = plan
            .orders
            .iter()
            .filter(|o| matches!(o, Order::Put { subject, .. } if *subject == object.metadata.uid))
            .count();
        if puts == 0 {
            continue;
        }
        let percent = status["rollout"]["percent"].as_u64().expect("a percentage");
        let batch = (total * percent).div_ceil(100).max(1);
        // `outdated` was counted before the orders of the same plan.
        let told = total - count("outdated") + puts as u64;
        prop_assert!(told <= batch.max(total - count("outdated")), "{told} of {total} at {percent} percent");
    }
    Ok(())
}

proptest! {

    #[test]
    fn any_site_is_planned_and_what_was_planned_is_done(deeds in prop::collection::vec(deed(), 0..40)) {
        let mut s = start();
        for deed in &deeds {
            happen(&mut s, deed);
            let plan = s.plan();
            check(&s, &plan)?;
            s.apply(&plan);
            rollouts_keep_to_their_batch(&s, &plan)?;
            one_cluster_each(&s)?;
            prop_assert_eq!(&s.plan().orders, &Vec::<Order>::new(), "applied, and yet there is more to do: {:?}", deed);
            s.make(&plan);
            s.obey();
        }
        // When all hear and all is deleted, nothing is left anywhere.
        s.deaf.clear();
        for kind in [Kind::Deployment, Kind::Cluster] {
            let names: Vec<String> = s.index.of_kind(kind).map(|o| o.full_name()).collect();
            names.iter().for_each(|name| s.delete(kind, name));
        }
        s.settle();
        prop_assert_eq!(&s.rows, &Vec::new());
    }

    #[test]
    fn rows_are_read_or_refused(text: String) {
        let _ = Body::read(Kind::Cluster, &text);
        let _ = cairn_workload::Said::read(Kind::Deployment, &text);
    }
}
