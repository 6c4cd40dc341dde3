//! What a cluster is made from: its template and distribution as they were when it was made.

use cairn_contract::workload::NodeDesired;
use cairn_domain::{
    index::Index,
    model::{Addon, ClusterSpec, ClusterTemplateSpec, DistributionSpec, Kind, Namespace, Object, Spec},
};
use serde::{Deserialize, Serialize};

use super::members::Cluster;
use crate::{Assignment, Problem};

/// What `status.madeFrom` keeps, so that a later change of the template changes nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MadeFrom {
    /// Full name of the template.
    pub(crate) template: String,
    /// Its version then.
    pub(crate) version: String,
    /// Its packages then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) addons: Vec<Addon>,
}

/// What nodes are made from.
#[derive(Debug)]
pub(crate) enum Recipe<'a> {
    /// As the nodes that there are.
    Kept(&'a NodeDesired),
    /// As the template says now.
    Fresh(&'a ClusterTemplateSpec, &'a DistributionSpec),
}

impl Recipe<'_> {
    /// Kubernetes version.
    pub(crate) fn version(&self) -> &str {
        match self {
            Self::Kept(node) => &node.version,
            Self::Fresh(_, distribution) => &distribution.version,
        }
    }
}

/// What a cluster is made from.
#[derive(Debug)]
pub(crate) struct Made<'a> {
    pub(crate) from: Option<MadeFrom>,
    pub(crate) recipe: Result<Recipe<'a>, Problem>,
}

impl<'a> Made<'a> {
    pub(crate) fn of(index: &'a Index, cluster: &Cluster<'a>) -> Self {
        let rows = cluster.members.iter().filter_map(|m| m.row).chain(cluster.departing.iter().copied());
        let kept = rows.filter_map(Assignment::node).next();
        let template = template(index, &cluster.object.metadata.namespace, cluster.spec.template.as_deref());
        let from = kept.and_then(|_| recorded(cluster.object));
        let from = from.or_else(|| template.as_ref().ok().map(|(object, spec)| made_from(object, spec)));
        let fresh = || {
            let (object, spec) = template?;
            let distribution = distribution(index, object, spec)?;
            Ok(Recipe::Fresh(spec, distribution))
        };
        Self { from, recipe: kept.map(Recipe::Kept).map_or_else(fresh, Ok) }
    }

    /// Packages that came with it, as its status has them; else as its template says now.
    pub(crate) fn recorded_addons(index: &Index, cluster: &Object, spec: &ClusterSpec) -> Vec<Addon> {
        if let Some(from) = recorded(cluster) {
            return from.addons;
        }
        let template = template(index, &cluster.metadata.namespace, spec.template.as_deref());
        template.map(|(_, spec)| spec.addons.clone()).unwrap_or_default()
    }

    /// Packages that come with it.
    pub(crate) fn addons(&self) -> &[Addon] {
        self.from.as_ref().map_or(&[], |from| from.addons.as_slice())
    }

    /// Kubernetes version, where it is known.
    pub(crate) fn version(&self) -> Option<&str> {
        self.recipe.as_ref().ok().map(Recipe::version)
    }
}

fn made_from(object: &Object, spec: &ClusterTemplateSpec) -> MadeFrom {
    MadeFrom { template: object.full_name(), version: spec.version.clone(), addons: spec.addons.clone() }
}

/// What an earlier plan wrote into the status.
fn recorded(cluster: &Object) -> Option<MadeFrom> {
    let recorded = cluster.status.as_ref()?.get("madeFrom")?;
    MadeFrom::deserialize(recorded).ok()
}

/// A namespace and those above it, the nearest first.
pub(crate) fn upwards(namespace: &Namespace) -> impl Iterator<Item = Namespace> {
    std::iter::successors(Some(namespace.clone()), Namespace::parent)
}

fn template<'a>(
    index: &'a Index,
    namespace: &Namespace,
    name: Option<&str>,
) -> Result<(&'a Object, &'a ClusterTemplateSpec), Problem> {
    let spec_of = |object: &'a Object| match &object.spec {
        Spec::ClusterTemplate(spec) => Some((object, spec.as_ref())),
        _ => None,
    };
    let found = match name {
        Some(name) => upwards(namespace)
            .find_map(|n| index.named(Kind::ClusterTemplate, &n, name))
            .and_then(|o| spec_of(o)),
        None => upwards(namespace).find_map(|n| {
            let all: Vec<_> =
                index.in_namespace(Kind::ClusterTemplate, &n).filter_map(|o| spec_of(o)).collect();
            all.into_iter().find(|(_, spec)| spec.default)
        }),
    };
    found.ok_or_else(|| match name {
        Some(name) => Problem::new(
            "TemplateMissing",
            "spec.template",
            format!("there is no ClusterTemplate {name} in {namespace} or above; make it, or name another"),
        ),
        None => Problem::new(
            "NoDefaultTemplate",
            "spec.template",
            format!("no ClusterTemplate of {namespace} or above is the default; name one, or set spec.default of one"),
        ),
    })
}

/// Looked for from the template's namespace upwards.
fn distribution<'a>(
    index: &'a Index,
    template: &Object,
    spec: &ClusterTemplateSpec,
) -> Result<&'a DistributionSpec, Problem> {
    let found = upwards(&template.metadata.namespace)
        .find_map(|n| index.named(Kind::Distribution, &n, &spec.distribution))
        .and_then(|object| match &object.spec {
            Spec::Distribution(spec) => Some(spec.as_ref()),
            _ => None,
        });
    found.ok_or_else(|| {
        let message = format!(
            "ClusterTemplate {} names the Distribution {}, which does not exist; make it",
            template.full_name(),
            spec.distribution
        );
        Problem::new("DistributionMissing", "spec.template", message)
    })
}
