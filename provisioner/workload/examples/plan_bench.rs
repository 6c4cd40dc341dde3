//! How long a plan takes: 1,000 deployments that each go to all of 1,000 clusters, a million orders in all.
//!
//! `cargo run --release -p cairn-workload --example plan_bench -- --json` (prints JSON; `--json FILE` writes it), or
//! `cargo xtask bench deploy`, which calls it.
//!
//! | what | rows |
//! |---|---|
//! | everything is new | none of releases: all of them are ordered |
//! | nothing changes | all ready: this is what each event costs |
//! | one label changes | one cluster loses all its deployments and another gets them |

use std::{collections::HashMap, process::ExitCode, sync::Arc, time::Instant};

use cairn_contract::{
    Digest, HostId, Timestamp,
    workload::{NodeObserved, Phase, ReleaseObserved},
};
use cairn_domain::{
    Host, HostSpec, State,
    host::HostMeta,
    index::Index,
    model::{Kind, Labels, Metadata, Namespace, Object, Spec, Uid},
};
use cairn_workload::{Assignment, Body, Order, Plan, Rendered, Said, World, plan};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

const LIMIT_MS: f64 = 5000.0;

/// As `tests/api/src/bench/figure.rs` has it.
#[derive(Debug, Serialize)]
struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    met: Option<bool>,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    let number = if args.iter().any(|a| a == "--quick") { 100 } else { 1000 };
    let figures = measure(number, number);
    let met = figures.iter().all(|f| f.met != Some(false));
    let all = || serde_json::to_string_pretty(&json!({"figures": figures})).unwrap_or_default();
    let file = args.iter().skip_while(|a| *a != "--json").nth(1).filter(|a| !a.starts_with("--"));
    let text = if file.is_none() && args.iter().any(|a| a == "--json") {
        all()
    } else {
        figures.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    if let Some(Err(error)) = file.map(|file| std::fs::write(file, all())) {
        let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("error: {error}\n").as_bytes());
        return ExitCode::FAILURE;
    }
    let _ = std::io::Write::write_all(&mut std::io::stdout(), format!("{text}\n").as_bytes());
    if met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn line(figure: &Figure) -> String {
    let verdict = match figure.met {
        None => "",
        Some(true) => "met",
        Some(false) => "MISSED",
    };
    let limit = figure.limit.as_deref().unwrap_or_default();
    let line =
        format!("  {:<58} {:>10.2} {:<5} {limit:<9} {verdict}", figure.name, figure.value, figure.unit);
    line.trim_end().to_owned()
}

fn below(name: &str, value: f64) -> Figure {
    let met = Some(value < LIMIT_MS);
    Figure {
        name: name.to_owned(),
        value: rounded(value),
        unit: "ms",
        limit: Some(format!("< {LIMIT_MS}")),
        met,
    }
}

fn told(name: &str, value: f64, unit: &'static str) -> Figure {
    Figure { name: name.to_owned(), value: rounded(value), unit, limit: None, met: None }
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

fn measure(deployments: u32, clusters: u32) -> Vec<Figure> {
    let mut site = Site::new(deployments, clusters);
    let size = format!("{deployments} deployments x {clusters} clusters");
    let resources = resident_mib();
    site.clusters_are_ready();
    let first = site.timed();
    site.render(&first.0);
    let (plan, new_ms) = site.timed();
    let orders = plan.orders.len();
    let peak_new = peak_mib();
    site.apply(plan);
    site.statuses();
    let rows = resident_mib();
    let (plan, idle_ms) = site.timed();
    let idle_orders = plan.orders.len();
    drop(plan);
    site.relabel();
    let (plan, change_ms) = site.timed();
    vec![
        below(&format!("plan, {size}, everything is new"), new_ms),
        told("orders of it", number(orders), ""),
        below(&format!("plan, {size}, nothing changes"), idle_ms),
        told("orders of it", number(idle_orders), ""),
        below(&format!("plan, {size}, labels of one cluster change"), change_ms),
        told("orders of it", number(plan.orders.len()), ""),
        told("memory of resources", resources, "MiB"),
        told("memory of resources, all rows and their statuses", rows, "MiB"),
        told("most memory until everything was ordered", peak_new, "MiB"),
        told("most memory in all", peak_mib(), "MiB"),
    ]
}

fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

struct Site {
    index: Index,
    rows: Vec<Assignment>,
    rendered: HashMap<Digest, Rendered>,
    clusters: u32,
}

fn project() -> Namespace {
    Namespace::project("retail", "acme")
}

fn object(at: u128, kind: Kind, namespace: Namespace, (name, spec): (String, Value)) -> Object {
    let metadata = Metadata {
        name,
        namespace,
        uid: Uid(Uuid::from_u128(at)),
        labels: Labels::new(),
        annotations: Labels::new(),
        generation: 1,
        resource_version: 1,
        created: Timestamp(0),
    };
    let spec = Spec::parse(kind, spec).expect("a spec of its kind");
    Object { metadata, spec, host: None, status: None }
}

fn host(at: u128, name: String) -> Object {
    let meta = HostMeta { project: project(), site: Some("till".to_owned()), ..HostMeta::default() };
    Object::from(Host {
        id: HostId(Uuid::from_u128(at)),
        spec: HostSpec { name, ..HostSpec::default() },
        state: State::Running { until: Timestamp(i64::MAX) },
        ek: None,
        inventory: None,
        installed: None,
        created: Timestamp(0),
        changed: Timestamp(0),
        version: 1,
        meta,
    })
}

impl Site {
    /// 100 packages with parameters and a dependency each; every tenth deployment has an override and a rollout.
    fn new(deployments: u32, clusters: u32) -> Self {
        let org = Namespace::Organisation("acme".to_owned());
        let mut all = vec![
            object(1, Kind::Organisation, Namespace::Appliance, ("acme".to_owned(), json!({}))),
            object(2, Kind::Project, org.clone(), ("retail".to_owned(), json!({}))),
            object(3, Kind::Site, project(), ("till".to_owned(), json!({}))),
            object(
                4,
                Kind::Distribution,
                org.clone(),
                ("plain".to_owned(), json!({"family": "k", "version": "1.36.1", "run": {}})),
            ),
            object(
                5,
                Kind::ClusterTemplate,
                org.clone(),
                ("edge".to_owned(), json!({"version": "1.0.0", "distribution": "plain", "default": true})),
            ),
        ];
        for at in 0..100_u32 {
            let spec = json!({"package": format!("p{at}"), "version": "1.0.0",
                "applications": [{"name": "a", "source": {"manifests": {"inline": {"a.yaml": "title: ${title}"}}}}],
                "parameters": [{"name": "title", "default": "x", "validator": {"pattern": "[a-z0-9]+"}}]});
            all.push(object(1_000 + u128::from(at), Kind::Package, org.clone(), (format!("p{at}-1"), spec)));
        }
        for at in 0..clusters {
            let name = format!("h{at}");
            let mut cluster = object(
                10_000 + u128::from(at),
                Kind::Cluster,
                project(),
                (format!("c{at}"), json!({"hosts": [name]})),
            );
            cluster.metadata.labels = labels(at);
            all.push(host(100_000 + u128::from(at), name));
            all.push(cluster);
        }
        for at in 0..deployments {
            let mut spec = json!({"package": format!("p{}", at % 100), "parameters": {"title": format!("t{at}")},
                "targets": {"selector": {"matchLabels": {"tier": "shop"},
                    "matchExpressions": [{"key": "size", "operator": "NotIn", "values": ["none"]}]}}});
            if at % 10 == 0 {
                spec["overrides"] = json!([{"names": ["c1"], "parameters": {"title": "other"}}]);
                spec["rollout"] = json!({"batches": [50, 100], "successPercent": 90});
            }
            all.push(object(
                1_000_000 + u128::from(at),
                Kind::Deployment,
                project(),
                (format!("d{at}"), spec),
            ));
        }
        Self { index: Index::load(all, 1), rows: Vec::new(), rendered: HashMap::new(), clusters }
    }

    fn timed(&self) -> (Plan, f64) {
        let world = World {
            index: &self.index,
            assignments: &self.rows,
            rendered: &self.rendered,
            tokens: &[],
            registry: None,
            now: Timestamp(1_795_363_200_000),
        };
        let before = Instant::now();
        let plan = plan(&world);
        (plan, before.elapsed().as_secs_f64() * 1000.0)
    }

    fn clusters_are_ready(&mut self) {
        let (plan, _) = self.timed();
        let nodes = plan.orders.iter().filter(|o| matches!(o, Order::Put { kind: Kind::Cluster, .. }));
        let nodes = Plan { orders: nodes.cloned().collect(), ..Plan::default() };
        self.apply(nodes);
        assert_eq!(u32::try_from(self.rows.len()), Ok(self.clusters));
    }

    fn render(&mut self, plan: &Plan) {
        let ready = |key: Digest| (key, Rendered::Ready { digest: key, size: 1 });
        self.rendered.extend(plan.renders.iter().map(|r| ready(r.key)));
    }

    fn apply(&mut self, plan: Plan) {
        self.rows.reserve_exact(plan.orders.len());
        // Hosts say the same of one release in the same words.
        let mut said: HashMap<Digest, Said> = HashMap::new();
        for order in plan.orders {
            let Order::Put { host, subject, kind, revision, body } = order else { continue };
            let observed = said.entry(revision).or_insert_with(|| answer(&body, subject, revision)).clone();
            let changed = Timestamp(0);
            self.rows.push(Assignment {
                host,
                subject,
                kind,
                body: Some(body),
                revision,
                observed: Some(observed),
                changed,
            });
        }
        for (uid, status) in plan.statuses {
            self.set_status(uid, status);
        }
    }

    /// Those of all that is ready; the rollouts go on to their ends first.
    fn statuses(&mut self) {
        for _ in 0..3 {
            let (plan, _) = self.timed();
            self.apply(plan);
        }
    }

    fn set_status(&mut self, uid: Uid, status: Value) {
        let Some(object) = self.index.get(uid) else { return };
        let mut object = object.as_ref().clone();
        object.status = Some(Arc::new(status));
        self.index.put(object);
    }

    fn relabel(&mut self) {
        let Some(cluster) = self.index.get(Uid(Uuid::from_u128(10_000))) else { return };
        let mut cluster = cluster.as_ref().clone();
        cluster.metadata.labels.insert("tier".to_owned(), "bar".to_owned());
        self.index.put(cluster);
    }
}

fn labels(at: u32) -> Labels {
    let size = format!("s{}", at % 5);
    Labels::from([
        ("tier".to_owned(), "shop".to_owned()),
        ("size".to_owned(), size),
        ("n".to_owned(), at.to_string()),
    ])
}

fn answer(body: &Body, subject: Uid, revision: Digest) -> Said {
    match body {
        Body::Node(node) => Said::Node(Arc::new(NodeObserved {
            cluster: node.cluster,
            phase: Phase::Ready,
            reason: "Ready".to_owned(),
            message: String::new(),
            endpoint: Some("10.0.0.7:6443".to_owned()),
            ca_pin: Some("sha256:00".to_owned()),
            nodes: Vec::new(),
            spent_tokens: Vec::new(),
        })),
        Body::Release(_) => Said::Release(Arc::new(ReleaseObserved {
            deployment: subject.0,
            revision,
            phase: Phase::Ready,
            reason: "Ready".to_owned(),
            message: String::new(),
            corrected: 0,
            applications: Vec::new(),
        })),
    }
}

/// Of /proc/self/status, in MiB.
fn resident_mib() -> f64 {
    memory("VmRSS:")
}

fn peak_mib() -> f64 {
    memory("VmHWM:")
}

fn memory(field: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix(field)).unwrap_or_default();
    let kib = line.split_whitespace().next().and_then(|n| n.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}
