//! What a deployment would do, before it is one.

use cairn_contract::{Timestamp, workload::Registry};
use cairn_domain::{
    index::Index,
    model::{DeploymentSpec, Kind, Namespace, Uid},
};
use std::collections::HashMap;

use super::carrier::{Carrier, Head, Origin};
use crate::{Problem, World, parameters::Values, state::State};

/// One target of a deployment that somebody thinks about.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    /// Cluster or Host.
    pub kind: Kind,
    /// Its uid; nil where none has the name.
    pub uid: Uid,
    /// Its name.
    pub name: String,
    /// What it gets, or why not.
    pub outcome: Result<Promise, Problem>,
}

/// What a target gets.
#[derive(Debug, Clone, PartialEq)]
pub struct Promise {
    /// Package.
    pub package: String,
    /// Its version.
    pub version: String,
    /// All parameters that have a value; of secrets the name.
    pub parameters: Values,
}

/// The targets that `spec` has in the project `namespace` now, by name, and what each would get.
pub fn preview(
    index: &Index,
    spec: &DeploymentSpec,
    namespace: &Namespace,
    registry: Option<&Registry>,
) -> Vec<Preview> {
    let rendered = HashMap::new();
    let world =
        World { index, assignments: &[], rendered: &rendered, tokens: &[], registry, now: Timestamp(0) };
    let state = State::within(&world, Some(namespace));
    let head = Head {
        subject: Uid::nil(),
        name: "preview".to_owned(),
        namespace,
        created: Timestamp(0),
        origin: Origin::Deployment(spec),
    };
    let carrier = Carrier::of(&state, head);
    let mut out: Vec<Preview> = Vec::with_capacity(carrier.targets.len());
    for target in &carrier.targets {
        let Some(site) = state.sites.get(target.site) else { continue };
        let promise = match (&carrier.package, carrier.variant(*target)) {
            (Err(problem), _) => Err(problem.clone()),
            (Ok(entry), variant) => variant.map_or(Ok(Values::new()), values).map(|parameters| Promise {
                package: entry.spec.package.clone(),
                version: entry.spec.version.clone(),
                parameters,
            }),
        };
        out.push(Preview {
            kind: site.object.kind(),
            uid: site.uid(),
            name: site.name().to_owned(),
            outcome: promise,
        });
    }
    for name in &carrier.missing {
        let message = format!("there is no {name} in project {namespace}");
        out.push(Preview {
            kind: kind(spec),
            uid: Uid::nil(),
            name: (*name).to_owned(),
            outcome: Err(Problem::new("TargetMissing", "spec.targets.names", message)),
        });
    }
    out
}

fn kind(spec: &DeploymentSpec) -> Kind {
    match spec.targets.kind {
        cairn_domain::model::TargetKind::Cluster => Kind::Cluster,
        cairn_domain::model::TargetKind::Host => Kind::Host,
    }
}

fn values(variant: &super::carrier::Variant) -> Result<Values, Problem> {
    match &variant.built {
        Ok(_) => Ok(variant.values.clone()),
        Err(problem) => Err(problem.clone()),
    }
}
