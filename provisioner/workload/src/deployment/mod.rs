//! Deployments: their targets, what each gets, and how far a change has gone.
//!
//! ```text
//! spec.targets -> sites --+-- parameters: default < profile < deployment < overrides --> variants: one Release each
//! package (newest, or pinned) --+                                                         (or what is to be rendered first)
//! each target: Problem | waits (host, dependencies, a port that another has) | may be told --rollout--> Put
//! rows of hosts that are no target any more -> Remove
//! ```

mod carrier;
mod needs;
mod outcome;
mod ports;
mod preview;
mod rollout;
mod secret;
mod status;
mod targets;

pub(crate) use carrier::{Carrier, Head};
pub use preview::{Preview, Promise, preview};

use std::collections::{BTreeMap, HashSet};

use cairn_contract::Digest;
use cairn_domain::model::{Addon, DeploymentSpec, Kind, Object, Spec, Uid};
use uuid::Uuid;

use crate::{
    Body, Order, Render,
    cluster::{self, AddonStatus, Made},
    plan::Plan,
    state::State,
};
use carrier::Origin;
use needs::{Providers, Wait};
use outcome::Outcome;
use ports::Clashes;
use rollout::{Gate, Open, Seat};

/// Names the release of a package that comes with a cluster: made from both, always the same (UUID version 5).
pub fn addon_uid(cluster: Uid, package: &str) -> Uid {
    Uid(Uuid::new_v5(&cluster.0, package.as_bytes()))
}

/// The packages that came with a cluster when it was made.
pub(crate) fn addons_of(index: &cairn_domain::index::Index, cluster: &Object) -> Vec<Addon> {
    let Spec::Cluster(spec) = &cluster.spec else { return Vec::new() };
    Made::recorded_addons(index, cluster, spec)
}

/// Everything about deployments and add-ons, and all statuses.
pub(crate) fn plan(state: &State<'_>, plan: &mut Plan) {
    let carriers: Vec<Carrier<'_, '_>> = heads(state).into_iter().map(|h| Carrier::of(state, h)).collect();
    let clashes = ports::find(state, &carriers);
    let providers = Providers::of(state, &carriers);
    let all = All { state, carriers: &carriers, clashes: &clashes, providers: &providers };
    let mut renders: BTreeMap<Digest, Render> = BTreeMap::new();
    let mut addons: BTreeMap<Uid, Vec<AddonStatus>> = BTreeMap::new();
    for (number, carrier) in carriers.iter().enumerate() {
        all.renders(carrier, &mut renders);
        let outcomes = all.outcomes(number, carrier);
        let gate = all.gate(carrier, &outcomes);
        all.orders(carrier, &outcomes, &gate, plan);
        match carrier.head.origin {
            Origin::Deployment(spec) => all.status((number, spec), &outcomes, &gate, plan),
            Origin::Addon(_, cluster) => {
                addons.entry(cluster.metadata.uid).or_default().push(status::of_addon(carrier, &outcomes));
            }
        }
    }
    plan.renders = renders.into_values().collect();
    remove_orphans(state, &carriers, plan);
    for (cluster, made) in state.clusters.iter().zip(&state.made) {
        let addons = addons.remove(&cluster.uid()).unwrap_or_default();
        let status = cluster::status(state, cluster, made, addons);
        if cluster.object.status.as_deref() != Some(&status) {
            plan.statuses.push((cluster.uid(), status));
        }
    }
}

/// All deployments, and add-ons of clusters, the oldest first.
fn heads<'s>(state: &'s State<'_>) -> Vec<Head<'s>> {
    let of = |object: &'s Object| match &object.spec {
        Spec::Deployment(spec) => Some(Head::of_deployment(object, spec.as_ref())),
        _ => None,
    };
    let mut heads: Vec<Head<'_>> =
        state.world.index.of_kind(Kind::Deployment).filter_map(|o| of(o.as_ref())).collect();
    for (cluster, made) in state.clusters.iter().zip(&state.made) {
        heads.extend(made.addons().iter().map(|addon| Head::of_addon(cluster.object, addon)));
    }
    heads.sort_by_key(|h| (h.created.0, h.subject));
    heads
}

/// Rows whose deployment or add-on is no more.
fn remove_orphans(state: &State<'_>, carriers: &[Carrier<'_, '_>], plan: &mut Plan) {
    let known: HashSet<Uid> = carriers.iter().map(|c| c.head.subject).collect();
    for (subject, rows) in state.rows.subjects().filter(|(subject, _)| !known.contains(subject)) {
        let left = rows.iter().filter(|row| row.kind != Kind::Cluster && row.body.is_some());
        plan.orders.extend(left.map(|row| Order::Remove { host: row.host, subject }));
    }
}

struct All<'c, 'a, 's> {
    state: &'s State<'a>,
    carriers: &'c [Carrier<'a, 's>],
    clashes: &'c Clashes,
    providers: &'c Providers<'c, 'a, 's>,
}

impl<'a, 's> All<'_, 'a, 's> {
    /// What is not rendered yet.
    fn renders(&self, carrier: &Carrier<'_, '_>, out: &mut BTreeMap<Digest, Render>) {
        let built = carrier.variants.iter().filter_map(|v| v.built.as_ref().ok());
        for render in built.flat_map(|b| &b.renders) {
            if !self.state.world.rendered.contains_key(&render.key) {
                out.entry(render.key).or_insert_with(|| render.clone());
            }
        }
    }

    fn outcomes(&self, number: usize, carrier: &Carrier<'a, 's>) -> Vec<Outcome> {
        let rows = self.state.rows.of_subject(carrier.head.subject);
        let one = |target: &carrier::Target| {
            let site = self.state.sites.get(target.site)?;
            let row = carrier::row_of(rows, site);
            let mut outcome = outcome::of(carrier, *target, site, row);
            if outcome.may {
                self.hold(number, carrier, &mut outcome);
            }
            Some(outcome)
        };
        carrier.targets.iter().filter_map(one).collect()
    }

    /// What others say against an order that could be given.
    fn hold(&self, number: usize, carrier: &Carrier<'a, 's>, outcome: &mut Outcome) {
        let host = self.state.sites.get(outcome.target.site).and_then(|s| s.host_uid());
        if let Some(clash) = host.and_then(|host| self.clashes.lost(number, host)) {
            return outcome.hold("Conflict", self.told(clash));
        }
        match self.providers.wait(carrier, outcome.target.site) {
            Some(Wait::Missing(package)) => {
                let message = format!(
                    "it needs the package {package} here, which nobody deploys; make a Deployment of it"
                );
                outcome.hold("DependencyMissing", message);
            }
            Some(Wait::NotReady(name)) => {
                outcome.hold("DependencyNotReady", format!("it waits until {name} is ready here"));
            }
            None => {}
        }
    }

    fn told(&self, clash: ports::Clash) -> String {
        let name = |number: usize| self.carriers.get(number).map_or("", |c| c.head.name.as_str());
        let host = self.state.world.index.get(clash.host).map_or("", |o| o.metadata.name.as_str());
        let (port, protocol) = clash.port;
        let (winner, loser) = (name(clash.winner), name(clash.loser));
        format!(
            "port {port}/{protocol} of host {host} is wanted by {winner} and {loser}; {winner} has it: change one of them"
        )
    }

    fn gate(&self, carrier: &Carrier<'_, '_>, outcomes: &[Outcome]) -> Gate {
        let Origin::Deployment(spec) = carrier.head.origin else {
            return Gate { open: Open::All, batch: 0, percent: 100, stopped: None };
        };
        if spec.rollout.batches.is_empty() {
            return Gate { open: Open::All, batch: 0, percent: 100, stopped: None };
        }
        let subject = carrier.head.subject;
        let seat = |o: &Outcome| Seat {
            released: o.released,
            ready: o.is_ready(),
            failed: o.is_failed(),
            hash: self.state.sites.get(o.target.site).map_or(0, |s| rollout::hash(subject, s.uid())),
        };
        let seats: Vec<Seat> = outcomes.iter().map(seat).collect();
        let object = self.state.world.index.get(subject).map(AsRef::as_ref);
        rollout::gate(&spec.rollout, &seats, status::reached(object, carrier.revision().as_deref()))
    }

    fn orders(&self, carrier: &Carrier<'_, '_>, outcomes: &[Outcome], gate: &Gate, plan: &mut Plan) {
        let subject = carrier.head.subject;
        if !carrier.head.paused() && gate.stopped.is_none() {
            for (at, outcome) in outcomes.iter().enumerate().filter(|(_, o)| o.may) {
                let release =
                    carrier.variant(outcome.target).and_then(|v| v.built.as_ref().ok()?.release.clone());
                let host = self.state.sites.get(outcome.target.site).and_then(|s| s.host_uid());
                if let (true, Some(host), Some(release)) = (gate.open.is_open(at), host, release) {
                    plan.orders.push(Order::put(host, subject, Body::Release(release)));
                }
            }
        }
        self.removals(carrier, plan);
    }

    /// Rows of hosts that are no target any more. A paused deployment leaves what can still be where it is.
    fn removals(&self, carrier: &Carrier<'_, '_>, plan: &mut Plan) {
        let subject = carrier.head.subject;
        let all = self.state.rows.of_subject(subject);
        if all.is_empty() {
            return;
        }
        let sites = carrier.targets.iter().filter_map(|t| self.state.sites.get(t.site)?.host_uid());
        let hosts: HashSet<Uid> = sites.collect();
        let left = all.iter().filter(|row| row.body.is_some() && !hosts.contains(&row.host));
        let paused = carrier.head.paused();
        for row in left.filter(|row| !paused || !self.can_stay(carrier, row.host)) {
            plan.orders.push(Order::Remove { host: row.host, subject });
        }
    }

    /// Whether a host still is what the deployment goes to.
    fn can_stay(&self, carrier: &Carrier<'_, '_>, host: Uid) -> bool {
        let kind = carrier.head.kind();
        let all = self.state.sites.of_kind(kind, carrier.head.namespace).iter();
        all.filter_map(|at| self.state.sites.get(*at)).any(|site| site.host_uid() == Some(host))
    }

    fn status(
        &self,
        (number, spec): (usize, &DeploymentSpec),
        outcomes: &[Outcome],
        gate: &Gate,
        plan: &mut Plan,
    ) {
        let Some(carrier) = self.carriers.get(number) else { return };
        let Some(object) = self.state.world.index.get(carrier.head.subject) else { return };
        let clashes: Vec<String> = self
            .clashes
            .all
            .iter()
            .filter(|c| c.winner == number || c.loser == number)
            .take(10)
            .map(|c| self.told(*c))
            .collect();
        let facts =
            status::Facts { state: self.state, carrier, spec, object, outcomes, gate, clashes: &clashes };
        let status = status::of(&facts);
        if object.status.as_deref() != Some(&status) {
            plan.statuses.push((object.metadata.uid, status));
        }
    }
}
