//! One deployment (or add-on of a cluster) with its package, its targets, and what each of them gets.

use std::collections::HashMap;

use cairn_contract::{Digest, Timestamp};
use cairn_domain::model::{Addon, DeploymentSpec, Namespace, Object, Override, TargetKind, Uid};

use crate::{
    Problem,
    catalog::Entry,
    parameters::{self, Given, Values},
    release::{Built, For, build, knows_version},
    rows,
    sites::Site,
    state::State,
};

use super::targets;

/// Where something comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Origin<'a> {
    /// A Deployment of the index, or one that somebody thinks about.
    Deployment(&'a DeploymentSpec),
    /// A package that comes with the cluster.
    Addon(&'a Addon, &'a Object),
}

/// Who brings what where.
#[derive(Debug, Clone)]
pub(crate) struct Head<'a> {
    /// Of the rows.
    pub(crate) subject: Uid,
    /// Full name.
    pub(crate) name: String,
    pub(crate) namespace: &'a Namespace,
    pub(crate) created: Timestamp,
    pub(crate) origin: Origin<'a>,
}

impl<'a> Head<'a> {
    pub(crate) fn of_deployment(object: &'a Object, spec: &'a DeploymentSpec) -> Self {
        Self {
            subject: object.metadata.uid,
            name: object.full_name(),
            namespace: &object.metadata.namespace,
            created: object.metadata.created,
            origin: Origin::Deployment(spec),
        }
    }

    pub(crate) fn of_addon(cluster: &'a Object, addon: &'a Addon) -> Self {
        Self {
            subject: super::addon_uid(cluster.metadata.uid, &addon.package),
            name: format!("{}.{}", addon.package, cluster.full_name()),
            namespace: &cluster.metadata.namespace,
            created: cluster.metadata.created,
            origin: Origin::Addon(addon, cluster),
        }
    }

    pub(crate) fn kind(&self) -> TargetKind {
        match self.origin {
            Origin::Deployment(spec) => spec.targets.kind,
            Origin::Addon(..) => TargetKind::Cluster,
        }
    }

    pub(crate) fn package(&self) -> &'a str {
        match self.origin {
            Origin::Deployment(spec) => &spec.package,
            Origin::Addon(addon, _) => &addon.package,
        }
    }

    fn version(&self) -> Option<&'a str> {
        match self.origin {
            Origin::Deployment(spec) => spec.version.as_deref(),
            Origin::Addon(addon, _) => addon.version.as_deref(),
        }
    }

    fn profile(&self) -> Option<&'a str> {
        match self.origin {
            Origin::Deployment(spec) => spec.profile.as_deref(),
            Origin::Addon(..) => None,
        }
    }

    fn parameters(&self) -> &'a Values {
        match self.origin {
            Origin::Deployment(spec) => &spec.parameters,
            Origin::Addon(addon, _) => &addon.parameters,
        }
    }

    fn overrides(&self) -> &'a [Override] {
        match self.origin {
            Origin::Deployment(spec) => &spec.overrides,
            Origin::Addon(..) => &[],
        }
    }

    pub(crate) fn paused(&self) -> bool {
        matches!(self.origin, Origin::Deployment(spec) if spec.paused)
    }
}

/// One target: numbers of its site and of what it gets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub(crate) site: u32,
    pub(crate) variant: u32,
}

/// What some targets get.
#[derive(Debug)]
pub(crate) struct Variant {
    /// By name; empty where they cannot be had.
    pub(crate) values: Values,
    pub(crate) built: Result<Built, Problem>,
}

impl Variant {
    /// The revision that its targets shall have, once it is known.
    pub(crate) fn revision(&self) -> Option<Digest> {
        self.built.as_ref().ok()?.release.as_ref().map(|r| r.revision)
    }
}

/// Everything of one deployment.
#[derive(Debug)]
pub(crate) struct Carrier<'a, 's> {
    pub(crate) head: Head<'s>,
    pub(crate) package: Result<&'s Entry<'a>, Problem>,
    pub(crate) targets: Vec<Target>,
    /// Names that nothing has.
    pub(crate) missing: Vec<&'s str>,
    pub(crate) variants: Vec<Variant>,
}

impl<'a, 's> Carrier<'a, 's> {
    pub(crate) fn of(state: &'s State<'a>, head: Head<'s>) -> Self {
        let package = state.catalog.find(head.namespace, head.package(), head.version());
        let package = package.and_then(|entry| {
            state.catalog.check_dependencies(head.namespace, entry)?;
            Ok(entry)
        });
        let targets::Found { sites, missing } = targets::find(state, &head);
        let mut carrier = Self { head, package, targets: Vec::new(), missing, variants: Vec::new() };
        let Ok(entry) = carrier.package.as_ref().copied() else {
            carrier.targets = sites.into_iter().map(|site| Target { site, variant: 0 }).collect();
            return carrier;
        };
        let mut maker = Maker { state, entry, known: HashMap::new(), version: knows_version(entry) };
        carrier.targets = sites
            .into_iter()
            .map(|site| Target { site, variant: maker.variant(&carrier.head, site, &mut carrier.variants) })
            .collect();
        carrier
    }

    pub(crate) fn variant(&self, target: Target) -> Option<&Variant> {
        self.variants.get(target.variant as usize)
    }

    /// Changes when targets may get something else.
    pub(crate) fn revision(&self) -> Option<String> {
        let entry = self.package.as_ref().ok()?;
        let head = &self.head;
        let all = (
            entry.object.metadata.uid,
            &entry.spec.version,
            head.profile(),
            head.parameters(),
            head.overrides(),
        );
        let digest = Digest::of(&serde_json::to_vec(&all).ok()?);
        Some(digest.to_string().chars().take(12).collect())
    }
}

/// Makes each variant once.
struct Maker<'a, 's> {
    state: &'s State<'a>,
    entry: &'s Entry<'a>,
    /// Numbers of overrides, and the Kubernetes version where it matters -> number of the variant.
    known: HashMap<(Vec<usize>, String), u32>,
    version: bool,
}

impl Maker<'_, '_> {
    fn variant(&mut self, head: &Head<'_>, site: u32, variants: &mut Vec<Variant>) -> u32 {
        let Some(site) = self.state.sites.get(site) else { return 0 };
        let fitting = fitting(head.overrides(), site);
        let kubernetes = if self.version { site.kubernetes.clone() } else { String::new() };
        let key = (fitting, kubernetes);
        if let Some(number) = self.known.get(&key) {
            return *number;
        }
        let number = u32::try_from(variants.len()).unwrap_or(u32::MAX);
        variants.push(self.make(head, &key.0, &key.1));
        self.known.insert(key, number);
        number
    }

    fn make(&self, head: &Head<'_>, overrides: &[usize], kubernetes: &str) -> Variant {
        let values = match values(self.entry, head, overrides) {
            Ok(values) => values,
            Err(problem) => return Variant { values: Values::new(), built: Err(problem) },
        };
        let who = For {
            subject: head.subject,
            name: &head.name,
            kind: head.kind(),
            kubernetes,
            registry: self.state.world.registry,
            rendered: self.state.world.rendered,
        };
        let built = super::secret::check(self.state, self.entry, head.namespace, &values)
            .and_then(|()| build(self.entry, &values, &who));
        Variant { values, built }
    }
}

/// Parameters of the targets that these overrides fit.
fn values(entry: &Entry<'_>, head: &Head<'_>, overrides: &[usize]) -> Result<Values, Problem> {
    let fields: Vec<String> = overrides.iter().map(|at| format!("spec.overrides[{at}].parameters")).collect();
    let mut given = vec![Given { field: "spec.parameters", values: head.parameters() }];
    for (at, field) in overrides.iter().zip(&fields) {
        given.extend(head.overrides().get(*at).map(|o| Given { field, values: &o.parameters }));
    }
    parameters::resolve(entry, head.profile(), &given)
}

/// Numbers of the overrides that fit a site. One that says nothing of whom it is for fits all.
fn fitting(overrides: &[Override], site: &Site<'_>) -> Vec<usize> {
    let fits = |o: &Override| {
        let named = o.names.iter().any(|n| n == site.name());
        let selected = o.selector.as_ref().is_some_and(|s| s.matches(|key| site.labels.get(key)));
        named || selected || (o.names.is_empty() && o.selector.is_none())
    };
    overrides.iter().enumerate().filter(|(_, o)| fits(o)).map(|(at, _)| at).collect()
}

/// The row of a target.
pub(crate) fn row_of<'a>(rows: &[&'a crate::Assignment], site: &Site<'_>) -> Option<&'a crate::Assignment> {
    rows::find(rows, site.host_uid()?)
}
