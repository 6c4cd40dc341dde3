//! What one host fetches: its part of a cluster, and its releases in the order in which they need each other.

use std::collections::{BTreeMap, BTreeSet};

use cairn_contract::workload::{Desired, Registry, Release};
use cairn_domain::{
    index::Index,
    model::{Dependency, Kind, Namespace, Spec, Uid},
    package::Version,
};

use crate::{Assignment, Body, cluster::upwards};

/// Of the rows of one host. Rows without an order are not in it: what it does not name, the host removes.
pub fn desired(index: &Index, rows: &[Assignment], registry: Option<&Registry>) -> Desired {
    let bodies = || rows.iter().filter_map(|row| Some((row.subject, row.body.as_ref()?)));
    let node = bodies().find_map(|(_, body)| body.node().cloned());
    let mut releases: Vec<(Uid, &Release)> = bodies()
        .filter_map(|(subject, body)| match body {
            Body::Release(release) => Some((subject, release.as_ref())),
            Body::Node(_) => None,
        })
        .collect();
    releases.sort_by(|(a, x), (b, y)| x.name.cmp(&y.name).then(a.cmp(b)));
    let cluster = node.as_ref().map(|n| Uid(n.cluster));
    let releases = in_order(index, cluster, &releases).into_iter().cloned().collect();
    Desired::new(registry.cloned(), node, releases)
}

/// Each after those whose packages its own needs; else by name. A circle (it is refused when planned) keeps the order of names.
fn in_order<'r>(index: &Index, cluster: Option<Uid>, all: &[(Uid, &'r Release)]) -> Vec<&'r Release> {
    let packages: Vec<Option<Deployed<'_>>> =
        all.iter().map(|(subject, _)| deployed(index, cluster, *subject)).collect();
    let mut carriers: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, package) in packages.iter().enumerate() {
        if let Some(package) = package {
            carriers.entry(package.name).or_default().push(at);
        }
    }
    let needs = |at: usize| {
        let dependencies = packages.get(at).and_then(Option::as_ref).map_or(&[][..], |p| p.dependencies);
        let found = dependencies.iter().filter_map(|d| carriers.get(d.package.as_str())).flatten().copied();
        found.filter(|need| *need != at).collect::<Vec<_>>()
    };
    let needs: Vec<Vec<usize>> = (0..all.len()).map(needs).collect();
    let mut left: BTreeSet<usize> = (0..all.len()).collect();
    let mut out = Vec::with_capacity(all.len());
    while let Some(first) = left.first().copied() {
        let free = |at: &&usize| needs.get(**at).is_none_or(|n| n.iter().all(|need| !left.contains(need)));
        let next = left.iter().find(free).copied().unwrap_or(first);
        left.remove(&next);
        out.extend(all.get(next).map(|(_, release)| *release));
    }
    out
}

struct Deployed<'a> {
    name: &'a str,
    dependencies: &'a [Dependency],
}

fn deployed<'a>(index: &'a Index, cluster: Option<Uid>, subject: Uid) -> Option<Deployed<'a>> {
    if let Some(object) = index.get(subject) {
        let Spec::Deployment(spec) = &object.spec else { return None };
        return package(index, &object.metadata.namespace, &spec.package, spec.version.as_deref());
    }
    let cluster = index.get(cluster?)?;
    let addons = crate::deployment::addons_of(index, cluster);
    let addon = addons.iter().find(|a| crate::addon_uid(cluster.metadata.uid, &a.package) == subject)?;
    package(index, &cluster.metadata.namespace, &addon.package, addon.version.as_deref())
}

/// The pinned or newest version of the nearest namespace that has the package.
fn package<'a>(index: &'a Index, from: &Namespace, name: &str, pin: Option<&str>) -> Option<Deployed<'a>> {
    let found = upwards(from).find_map(|n| {
        let all = index.in_namespace(Kind::Package, &n).filter_map(|o| match &o.spec {
            Spec::Package(spec) if spec.package == name => Some(spec.as_ref()),
            _ => None,
        });
        let fits = all.filter(|spec| pin.is_none_or(|pin| spec.version == pin));
        fits.max_by_key(|spec| spec.version.parse::<Version>().ok())
    })?;
    Some(Deployed { name: &found.package, dependencies: &found.dependencies })
}
