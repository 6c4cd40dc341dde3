//! What is to be done, from an order and what is found. Pure: no files, no clock, no network.

use std::collections::BTreeSet;

use cairn_contract::Digest;
use cairn_contract::workload::{Artifact, Discovery, NodeDesired, NodeRole, Placement, Probe, Unit};

pub use crate::found::NodeFound;
use crate::order::{File, Once, Order, Stage};
pub use crate::state::{Placed, State};

/// One thing to do. Each may be done twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Fetch an artifact, check it, and put it in its place.
    Place(Artifact),
    /// Find the cluster's CA with token and pin, and write it down.
    Discover,
    /// Write a file.
    Write(File),
    /// Remove a file that is not wanted any more.
    Unwrite(String),
    /// Run a command to its end, once.
    Run(Once),
    /// Start a unit, or start it anew.
    Start {
        /// The unit.
        unit: Unit,
        /// Of all that it is made of.
        revision: Digest,
    },
    /// End a unit that is not wanted any more.
    Stop(String),
    /// Wait until this holds.
    Await(Probe),
    /// The node is there: forget the token and what holds it.
    Joined,
}

/// Steps from what is found to what is ordered, in order. Empty when the node is as it shall be; its health is asked elsewhere.
#[must_use]
pub fn plan(desired: &NodeDesired, order: &Order, found: &NodeFound) -> Vec<Step> {
    let mut steps = stale(order, found);
    let (images, others): (Vec<_>, Vec<_>) =
        order.artifacts.iter().partition(|a| a.place == Placement::Image);
    steps.extend(others.into_iter().filter(|a| !is_placed(a, found)).cloned().map(Step::Place));
    if discovers(desired, found) {
        steps.push(Step::Discover);
    }
    let mut images: Vec<Step> =
        images.into_iter().filter(|a| !is_placed(a, found)).cloned().map(Step::Place).collect();
    for stage in &order.stages {
        steps.extend(of_stage(stage, order, found));
        // What is last in a stage is done when its units are well. containerd is one of the first stage's.
        let mut last = std::mem::take(&mut images);
        last.extend(stage.finish.iter().filter(|once| !is_done(once, found)).cloned().map(Step::Run));
        if !found.state.joined || !last.is_empty() {
            steps.extend(stage.health.iter().cloned().map(Step::Await));
        }
        steps.extend(last);
    }
    if !found.state.joined && !order.stages.is_empty() {
        steps.push(Step::Joined);
    }
    steps
}

/// Whether the CA must still be found: by another pin than last time, or never.
fn discovers(desired: &NodeDesired, found: &NodeFound) -> bool {
    let NodeRole::Worker(Some(join)) = &desired.role else { return false };
    let known = found.state.discovered.as_deref() == Some(join.ca_pin.as_str());
    desired.distribution.discovery == Discovery::ClusterInfo && !known && !found.state.joined
}

fn stale(order: &Order, found: &NodeFound) -> Vec<Step> {
    // A worker that waits for its control plane keeps what it has.
    if order.stages.is_empty() {
        return Vec::new();
    }
    let units: BTreeSet<&str> = order.units().map(|u| u.name.as_str()).collect();
    let files: BTreeSet<&str> = order.files().map(|f| f.path.as_str()).collect();
    let stop =
        found.state.units.keys().filter(|name| !units.contains(name.as_str())).cloned().map(Step::Stop);
    let unwrite = found.state.files.iter().filter(|path| !files.contains(path.as_str())).cloned();
    stop.chain(unwrite.map(Step::Unwrite)).collect()
}

fn is_placed(artifact: &Artifact, found: &NodeFound) -> bool {
    found.state.placed.get(&artifact.name).is_some_and(|placed| {
        let there = placed.files.iter().all(|file| found.paths.contains(&file.display().to_string()));
        placed.digest == artifact.digest && there
    })
}

fn of_stage(stage: &Stage, order: &Order, found: &NodeFound) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut tokens: Vec<&str> = Vec::new();
    for file in &stage.files {
        let same = found.files.get(&file.path) == Some(&Digest::of(file.text.as_bytes()));
        let spent = file.holds_token && found.state.joined;
        if spent && found.files.contains_key(&file.path) {
            steps.push(Step::Unwrite(file.path.clone()));
        } else if !same && !spent {
            tokens.extend(file.holds_token.then_some(file.path.as_str()));
            steps.push(Step::Write(file.clone()));
        }
    }
    steps.extend(stage.setup.iter().filter(|once| !is_done(once, found)).cloned().map(Step::Run));
    for unit in &stage.units {
        let revision = revision(unit, order);
        let other_token = unit.run.iter().any(|text| tokens.iter().any(|path| text.contains(path)));
        let same = found.state.units.get(&unit.name) == Some(&revision) && found.units.contains(&unit.name);
        if !same || other_token {
            steps.push(Step::Start { unit: unit.clone(), revision });
        }
    }
    steps
}

fn is_done(once: &Once, found: &NodeFound) -> bool {
    match &once.command.creates {
        Some(path) => found.paths.contains(path),
        None => found.state.done.contains(&once.key) || (once.holds_token && found.state.joined),
    }
}

/// Of a unit, of the files that its arguments name, and of its program: when one changes, it is started anew. Files with the
/// token do not count, or the node would be started anew when they go; another token is looked at apart.
fn revision(unit: &Unit, order: &Order) -> Digest {
    let named = |path: &str| unit.run.iter().chain(unit.env.values()).any(|text| text.contains(path));
    let files = order.files().filter(|f| !f.holds_token && named(&f.path));
    let files: Vec<_> = files.map(|f| Digest::of(f.text.as_bytes())).collect();
    let program = unit.run.first().and_then(|p| p.rsplit('/').next()).unwrap_or_default();
    let is_it = |a: &&Artifact| matches!(&a.place, Placement::Program(name) if name == program);
    let program = order.artifacts.iter().find(is_it).map(|a| a.digest);
    Digest::of(&serde_json::to_vec(&(unit, files, program)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use cairn_contract::workload::{Command, Condition, Distribution, Join, ManagedFile, Steps};

    use super::*;
    use crate::secrets::Token;
    use crate::words::{Facts, Words};

    fn desired() -> NodeDesired {
        let file =
            |path: &str, text: &str| ManagedFile { path: path.into(), text: text.into(), private: false };
        let command = |run: &str, creates: Option<&str>| Command {
            run: vec![run.into()],
            creates: creates.map(str::to_owned),
            limit_s: 9,
        };
        let unit = Unit {
            name: "kubelet".into(),
            run: vec![
                "{{bin}}/kubelet".into(),
                "--config=/etc/k/config".into(),
                "--b=/etc/k/bootstrap".into(),
            ],
            env: BTreeMap::new(),
            after: vec![],
            leave_children: true,
        };
        let worker = Steps {
            files: vec![file("/etc/k/config", "a: {{node_name}}"), file("/etc/k/bootstrap", "{{token}}")],
            setup: vec![command("/bin/one", Some("/made")), command("/bin/two", None)],
            units: vec![unit],
            finish: vec![],
            health: vec![Probe {
                name: "k".into(),
                condition: Condition::Exists("/ok".into()),
                patience_s: 5,
            }],
        };
        let artifact = Artifact {
            name: "kubelet".into(),
            digest: Digest([7; 32]),
            size: 3,
            place: Placement::Program("kubelet".into()),
        };
        let distribution = Distribution {
            artifacts: vec![artifact],
            worker,
            discovery: Discovery::ClusterInfo,
            ..Default::default()
        };
        let join =
            Join { endpoint: "10.0.0.1:6443".into(), ca_pin: "sha256:00".into(), token_id: "abcdef".into() };
        NodeDesired {
            cluster: uuid::Uuid::nil(),
            cluster_name: "c".into(),
            node_name: "n".into(),
            role: NodeRole::Worker(Some(join)),
            distribution,
            version: "1".into(),
            pod_cidr: "10.1.0.0/16".into(),
            service_cidr: "10.2.0.0/16".into(),
            extra: BTreeMap::new(),
            labels: BTreeMap::new(),
            taints: vec![],
            cordoned: false,
            bootstrap: vec![],
            leaving: vec![],
        }
    }

    fn order(desired: &NodeDesired, secret: &str) -> Order {
        let facts = Facts { node_ip: [10, 0, 0, 2].into(), registry: None };
        let token = Token::new("abcdef", secret.to_owned().into()).unwrap();
        let words = Words::of(desired, &facts, std::path::Path::new("/base")).with_token(&token);
        Order::of(desired, &words).unwrap()
    }

    fn names(steps: &[Step]) -> Vec<String> {
        let name = |step: &Step| match step {
            Step::Place(a) => format!("place {}", a.name),
            Step::Write(f) => format!("write {}", f.path),
            Step::Run(o) => format!("run {}", o.command.run[0]),
            Step::Start { unit, .. } => format!("start {}", unit.name),
            Step::Await(p) => format!("await {}", p.name),
            Step::Unwrite(p) => format!("unwrite {p}"),
            Step::Stop(name) => format!("stop {name}"),
            Step::Discover => "discover".into(),
            Step::Joined => "joined".into(),
        };
        steps.iter().map(name).collect()
    }

    /// Everything of `steps` was done.
    fn after(steps: &[Step], found: &mut NodeFound) {
        for step in steps {
            match step {
                Step::Place(a) => {
                    found.state.placed.insert(a.name.clone(), Placed { digest: a.digest, files: vec![] });
                }
                Step::Write(f) => {
                    found.files.insert(f.path.clone(), Digest::of(f.text.as_bytes()));
                    found.state.files.insert(f.path.clone());
                }
                Step::Unwrite(path) => {
                    found.files.remove(path);
                    found.state.files.remove(path);
                }
                Step::Run(o) => {
                    found.state.done.insert(o.key);
                    found.paths.extend(o.command.creates.clone());
                }
                Step::Start { unit, revision } => {
                    found.state.units.insert(unit.name.clone(), *revision);
                    found.units.insert(unit.name.clone());
                }
                Step::Stop(name) => drop(found.state.units.remove(name)),
                Step::Discover => found.state.discovered = Some("sha256:00".into()),
                Step::Joined => found.state.joined = true,
                Step::Await(_) => {}
            }
        }
    }

    #[test]
    fn a_node_is_made_in_order_and_nothing_is_done_twice() {
        let desired = desired();
        let order = order(&desired, "0123456789abcdef");
        let mut found = NodeFound::default();
        let steps = plan(&desired, &order, &found);
        assert_eq!(
            names(&steps),
            [
                "place kubelet",
                "discover",
                "write /etc/k/config",
                "write /etc/k/bootstrap",
                "run /bin/one",
                "run /bin/two",
                "start kubelet",
                "await k",
                "joined"
            ]
        );
        // Cut short anywhere, the rest is what is left.
        for cut in 0..steps.len() {
            let mut half = NodeFound::default();
            after(&steps[..cut], &mut half);
            assert_eq!(names(&plan(&desired, &order, &half)).last().unwrap(), "joined", "cut at {cut}");
        }
        after(&steps, &mut found);
        assert_eq!(names(&plan(&desired, &order, &found)), ["unwrite /etc/k/bootstrap"], "the token goes");
        after(&plan(&desired, &order, &found), &mut found);
        assert_eq!(plan(&desired, &order, &found), []);
    }

    #[test]
    fn a_changed_file_and_a_new_token_start_their_unit_anew() {
        let mut desired = desired();
        let mut found = NodeFound::default();
        let first = order(&desired, "0123456789abcdef");
        after(&plan(&desired, &first, &found), &mut found);
        found.state.joined = false;
        let other_token = order(&desired, "ffffffffffffffff");
        let said = names(&plan(&desired, &other_token, &found));
        assert_eq!(said, ["write /etc/k/bootstrap", "start kubelet", "await k", "joined"]);
        found.state.joined = true;
        desired.node_name = "m".into();
        let renamed = order(&desired, "0123456789abcdef");
        let said = names(&plan(&desired, &renamed, &found));
        assert_eq!(said, ["write /etc/k/config", "unwrite /etc/k/bootstrap", "start kubelet"]);
    }

    #[test]
    fn a_worker_without_a_control_plane_gets_its_artifacts() {
        let mut desired = desired();
        desired.role = NodeRole::Worker(None);
        let order = order(&desired, "0123456789abcdef");
        assert_eq!(names(&plan(&desired, &order, &NodeFound::default())), ["place kubelet"]);
    }

    #[test]
    fn what_is_not_wanted_any_more_goes() {
        let mut desired = desired();
        let mut found = NodeFound::default();
        after(&plan(&desired, &order(&desired, "0123456789abcdef"), &found), &mut found);
        desired.distribution.worker = Steps::default();
        let said = names(&plan(&desired, &order(&desired, "0123456789abcdef"), &found));
        assert_eq!(said, ["stop kubelet", "unwrite /etc/k/bootstrap", "unwrite /etc/k/config"]);
    }
}
