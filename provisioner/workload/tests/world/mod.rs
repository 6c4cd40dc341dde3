//! A site for tests: resources, rows, and hosts that do at once what they are told (or what a test lets them say).

#![allow(dead_code, reason = "each test program uses a part")]

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use cairn_contract::{
    Digest, HostId, Timestamp,
    workload::{KubeNode, NodeObserved, NodeRole, Phase, Registry, ReleaseObserved},
};
use cairn_domain::{
    Host, HostSpec, State,
    host::{self},
    index::Index,
    model::{Kind, Labels, Metadata, Namespace, Object, Spec, Uid},
};
use cairn_workload::{Assignment, Body, Order, Plan, Rendered, Said, Token, World, plan};
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) const NOW: i64 = 1_795_363_200_000;

/// What a host says of a release, by the deployment's name and the host's.
pub(crate) type Answer = fn(&str, &str) -> Phase;

pub(crate) struct Site {
    pub(crate) index: Index,
    pub(crate) rows: Vec<Assignment>,
    pub(crate) rendered: HashMap<Digest, Rendered>,
    pub(crate) tokens: Vec<Token>,
    pub(crate) now: i64,
    pub(crate) registry: Option<Registry>,
    /// Of nodes in clusters, by cluster: what each API server lists.
    pub(crate) listed: BTreeMap<Uid, BTreeSet<String>>,
    /// Names of hosts that do not answer.
    pub(crate) deaf: BTreeSet<String>,
    /// (deployment, host) -> phase instead of Ready; an empty host means all.
    pub(crate) answers: BTreeMap<(String, String), Phase>,
    next: u128,
}

impl Default for Site {
    fn default() -> Self {
        let mut site = Self {
            index: Index::default(),
            rows: Vec::new(),
            rendered: HashMap::new(),
            tokens: Vec::new(),
            now: NOW,
            registry: Some(Registry { address: "10.0.0.1:443".to_owned(), ca: Vec::new().into() }),
            listed: BTreeMap::new(),
            deaf: BTreeSet::new(),
            answers: BTreeMap::new(),
            next: 0,
        };
        site.put(Kind::Organisation, "acme", json!({}));
        site.put(Kind::Project, "retail.acme", json!({}));
        site.put(Kind::Region, "north.retail.acme", json!({}));
        site.put(Kind::Site, "till.retail.acme", json!({}));
        site.put(Kind::Site, "depot.retail.acme", json!({"region": "north"}));
        site
    }
}

fn split(full: &str) -> (String, Namespace) {
    match full.split_once('.') {
        Some((name, rest)) => (name.to_owned(), rest.parse().expect("a namespace")),
        None => (full.to_owned(), Namespace::Appliance),
    }
}

impl Site {
    fn fresh(&mut self) -> Uid {
        self.next += 1;
        Uid(Uuid::from_u128(self.next))
    }

    pub(crate) fn find(&self, kind: Kind, full: &str) -> Option<&Arc<Object>> {
        let (name, namespace) = split(full);
        self.index.named(kind, &namespace, &name)
    }

    #[track_caller]
    pub(crate) fn uid(&self, kind: Kind, full: &str) -> Uid {
        self.find(kind, full).unwrap_or_else(|| panic!("no {kind} {full}")).metadata.uid
    }

    pub(crate) fn put(&mut self, kind: Kind, full: &str, spec: Value) -> Uid {
        self.put_labelled(kind, full, spec, &[])
    }

    pub(crate) fn put_labelled(
        &mut self,
        kind: Kind,
        full: &str,
        spec: Value,
        labels: &[(&str, &str)],
    ) -> Uid {
        let old = self.find(kind, full).cloned();
        let uid = old.as_ref().map_or_else(|| self.fresh(), |o| o.metadata.uid);
        let (name, namespace) = split(full);
        let generation = old.as_ref().map_or(1, |o| o.metadata.generation + 1);
        let created =
            old.as_ref().map_or(Timestamp(i64::try_from(self.next).expect("a few")), |o| o.metadata.created);
        let metadata = Metadata {
            name,
            namespace,
            uid,
            labels: labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            annotations: Labels::new(),
            generation,
            resource_version: 1,
            created,
        };
        let spec = Spec::parse(kind, spec).expect("a spec of its kind");
        let status = old.and_then(|o| o.status.clone());
        self.index.put(Object { metadata, spec, host: None, status });
        uid
    }

    /// A host in a site of retail.acme.
    pub(crate) fn host(&mut self, name: &str, site: &str, state: State, labels: &[(&str, &str)]) -> Uid {
        let full = format!("{name}.retail.acme");
        let old = self.find(Kind::Host, &full).cloned();
        let uid = old.as_ref().map_or_else(|| self.fresh(), |o| o.metadata.uid);
        let created = old.map_or(Timestamp(i64::try_from(self.next).expect("a few")), |o| o.metadata.created);
        let meta = host::HostMeta {
            project: Namespace::project("retail", "acme"),
            site: Some(site.to_owned()),
            labels: labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            ..host::HostMeta::default()
        };
        let host = Host {
            id: HostId(uid.0),
            spec: HostSpec { name: name.to_owned(), ..HostSpec::default() },
            state,
            ek: None,
            inventory: None,
            installed: None,
            created,
            changed: created,
            version: 1,
            meta,
        };
        self.index.put(Object::from(host));
        uid
    }

    pub(crate) fn running(&mut self, name: &str, labels: &[(&str, &str)]) -> Uid {
        self.host(name, "till", State::Running { until: Timestamp(i64::MAX) }, labels)
    }

    pub(crate) fn delete(&mut self, kind: Kind, full: &str) {
        let uid = self.uid(kind, full);
        self.index.remove(uid, 1);
        if kind == Kind::Host {
            // As the foreign key of the table does.
            self.rows.retain(|row| row.host != uid);
        }
    }

    pub(crate) fn plan(&self) -> Plan {
        plan(&World {
            index: &self.index,
            assignments: &self.rows,
            rendered: &self.rendered,
            tokens: &self.tokens,
            registry: self.registry.as_ref(),
            now: Timestamp(self.now),
        })
    }

    /// Orders and statuses into rows and resources.
    pub(crate) fn apply(&mut self, plan: &Plan) {
        for order in &plan.orders {
            match order {
                Order::Put { host, subject, kind, revision, body } => {
                    let row = self.rows.iter_mut().find(|r| r.host == *host && r.subject == *subject);
                    match row {
                        Some(row) => {
                            row.body = Some(body.clone());
                            row.revision = *revision;
                            row.changed = Timestamp(self.now);
                        }
                        None => self.rows.push(Assignment {
                            host: *host,
                            subject: *subject,
                            kind: *kind,
                            body: Some(body.clone()),
                            revision: *revision,
                            observed: None,
                            changed: Timestamp(self.now),
                        }),
                    }
                }
                Order::Remove { host, subject } => {
                    let row = self.rows.iter_mut().find(|r| r.host == *host && r.subject == *subject);
                    row.expect("a row is there to be removed").body = None;
                }
            }
        }
        for (uid, status) in &plan.statuses {
            let mut object = self.index.get(*uid).expect("a status is of something").as_ref().clone();
            object.status = Some(Arc::new(status.clone()));
            self.index.put(object);
        }
    }

    /// Tokens, clusters, renderings: what the orchestrator makes.
    pub(crate) fn make(&mut self, plan: &Plan) {
        for wanted in &plan.tokens {
            let id = format!("t{:05}", self.tokens.len());
            self.tokens.push(Token {
                id,
                cluster: wanted.cluster,
                host: wanted.host,
                node: wanted.node.clone(),
                expires: Timestamp(self.now + 600_000),
                spent: false,
            });
        }
        for render in &plan.renders {
            let bytes = serde_json::to_vec(&*render.input).expect("JSON");
            let ready = Rendered::Ready { digest: Digest::of(&bytes), size: bytes.len() as u64 };
            self.rendered.insert(render.key, ready);
        }
        for wanted in &plan.clusters {
            let spec = json!({"hosts": wanted.hosts, "template": wanted.template});
            self.put(Kind::Cluster, &format!("{}.{}", wanted.name, wanted.namespace), spec);
        }
    }

    /// Every host that hears does what it was told and says so.
    pub(crate) fn obey(&mut self) {
        let name =
            |index: &Index, uid: Uid| index.get(uid).map_or(String::new(), |o| o.metadata.name.clone());
        let deaf: Vec<Uid> =
            self.rows.iter().map(|r| r.host).filter(|h| self.deaf.contains(&name(&self.index, *h))).collect();
        self.rows.retain(|row| row.body.is_some() || deaf.contains(&row.host));
        for at in 0..self.rows.len() {
            let row = self.rows[at].clone();
            if deaf.contains(&row.host) {
                continue;
            }
            let host = name(&self.index, row.host);
            self.rows[at].observed = match &row.body {
                Some(Body::Node(node)) => Some(Said::Node(Arc::new(self.as_node(&row, node)))),
                Some(Body::Release(release)) => {
                    let key = |h: &str| (release.name.clone(), h.to_owned());
                    let said = self.answers.get(&key(&host)).or_else(|| self.answers.get(&key("")));
                    let phase = said.copied().unwrap_or(Phase::Ready);
                    Some(Said::Release(Arc::new(ReleaseObserved {
                        deployment: row.subject.0,
                        revision: row.revision,
                        phase,
                        reason: format!("{phase:?}"),
                        message: format!("it is {phase:?}"),
                        corrected: 0,
                        applications: Vec::new(),
                    })))
                }
                None => None,
            };
        }
    }

    fn as_node(&mut self, row: &Assignment, node: &cairn_contract::workload::NodeDesired) -> NodeObserved {
        let mut said = NodeObserved {
            cluster: node.cluster,
            phase: Phase::Ready,
            reason: "Ready".to_owned(),
            message: String::new(),
            endpoint: None,
            ca_pin: None,
            nodes: Vec::new(),
            spent_tokens: Vec::new(),
        };
        let listed = self.listed.entry(row.subject).or_default();
        match &node.role {
            NodeRole::ControlPlane => {
                listed.insert(node.node_name.clone());
                listed.retain(|name| !node.leaving.contains(name));
                said.endpoint = Some("10.0.0.7:6443".to_owned());
                said.ca_pin = Some("sha256:00".to_owned());
                let ready = |name: &String| KubeNode {
                    name: name.clone(),
                    ready: true,
                    version: node.version.clone(),
                    message: String::new(),
                };
                said.nodes = listed.iter().map(ready).collect();
                let mine = |t: &&Token| t.cluster == row.subject && t.spent;
                said.spent_tokens = self.tokens.iter().filter(mine).map(|t| t.id.clone()).collect();
            }
            NodeRole::Worker(None) => said.phase = Phase::Waiting,
            NodeRole::Worker(Some(join)) => {
                let token = self.tokens.iter_mut().find(|t| t.id == join.token_id).expect("its token exists");
                assert_eq!((token.host, &token.node), (row.host, &node.node_name), "a token of its own");
                token.spent = true;
                listed.insert(node.node_name.clone());
            }
        }
        said
    }

    /// One round of plan, apply, make, obey; gives the plan.
    pub(crate) fn round(&mut self) -> Plan {
        let plan = self.plan();
        self.apply(&plan);
        self.make(&plan);
        self.obey();
        plan
    }

    /// Until nothing happens any more.
    #[track_caller]
    pub(crate) fn settle(&mut self) {
        for _ in 0..40 {
            let before = self.rows.clone();
            let plan = self.round();
            let idle = plan.orders.is_empty() && plan.tokens.is_empty() && plan.renders.is_empty();
            if idle && plan.clusters.is_empty() && plan.statuses.is_empty() && self.rows == before {
                return;
            }
        }
        panic!("it does not settle: {:#?}", self.plan().orders);
    }

    /// `host:subject` of all rows with an order, by name.
    pub(crate) fn told(&self) -> Vec<String> {
        let name = |uid: Uid| self.index.get(uid).map_or(uid.to_string(), |o| o.metadata.name.clone());
        let subject = |row: &Assignment| match &row.body {
            Some(Body::Release(release)) => release.name.split('.').next().unwrap_or_default().to_owned(),
            _ => name(row.subject),
        };
        let all = self.rows.iter().filter(|row| row.body.is_some());
        let mut all: Vec<String> = all.map(|row| format!("{}:{}", name(row.host), subject(row))).collect();
        all.sort();
        all
    }

    #[track_caller]
    pub(crate) fn row(&self, kind: Kind, subject: &str, host: &str) -> &Assignment {
        let (subject, host) = (self.uid(kind, subject), self.uid(Kind::Host, &format!("{host}.retail.acme")));
        self.rows.iter().find(|r| r.subject == subject && r.host == host).expect("a row")
    }

    #[track_caller]
    pub(crate) fn status(&self, kind: Kind, full: &str) -> Value {
        let status = self.find(kind, full).and_then(|o| o.status.clone());
        status.map_or(Value::Null, |s| s.as_ref().clone())
    }

    /// `Status/Reason: message` of a condition.
    #[track_caller]
    pub(crate) fn condition(&self, kind: Kind, full: &str, r#type: &str) -> String {
        let status = self.status(kind, full);
        let all = status["conditions"].as_array().cloned().unwrap_or_default();
        let found = all.iter().find(|c| c["type"] == r#type);
        let text = |c: &Value, key: &str| c[key].as_str().unwrap_or_default().to_owned();
        found.map_or("none".to_owned(), |c| {
            format!("{}/{}: {}", text(c, "status"), text(c, "reason"), text(c, "message"))
        })
    }

    /// Distribution `plain` and the default template `edge` in acme.
    pub(crate) fn with_template(mut self) -> Self {
        self.put(
            Kind::Distribution,
            "plain.acme",
            json!({"family": "kubeadm", "version": "1.36.1", "run": {
            "adminKubeconfig": "/etc/kubernetes/admin.conf", "caCertificate": "/etc/kubernetes/pki/ca.crt"}}),
        );
        self.put(
            Kind::ClusterTemplate,
            "edge.acme",
            json!({"version": "1.0.0", "distribution": "plain",
            "default": true, "extra": {"x": "y"}}),
        );
        self
    }
}

/// A package with one application of a container, or with what `more` says.
pub(crate) fn package(name: &str, version: &str, more: Value) -> Value {
    let mut spec = json!({"package": name, "version": version, "applications": [
        {"name": "web", "source": {"manifests": {"inline": {"a.yaml": format!("kind: ConfigMap # {version}")}}}}]});
    let fields = spec.as_object_mut().expect("an object");
    fields.extend(more.as_object().cloned().unwrap_or_default());
    spec
}

/// One container application with a port of the host.
pub(crate) fn container(port: u16) -> Value {
    json!([{"name": "web", "source": {"container": {"image": "shop:1",
        "ports": [{"host": port, "container": 80}]}}}])
}
