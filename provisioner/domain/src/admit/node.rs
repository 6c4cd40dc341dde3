//! Regions and sites: the tree stays a tree.

use super::{
    Check,
    metadata::{check_line, described},
    refusal::{Problems, no_node},
};
use crate::{
    model::{Kind, Object, RegionSpec, SiteSpec, Spec},
    nearest::nearest,
    window::Zone,
};

/// Most regions from a project down to a site.
const MAX_DEPTH: usize = 16;

pub(super) fn check_region(cx: &Check<'_>, spec: &RegionSpec, problems: &mut Problems) {
    check_line("spec.displayName", &spec.display_name, problems);
    let Some(parent) = spec.parent.as_deref() else { return };
    if parent == cx.name {
        let message = format!("region {parent} cannot lie in itself");
        problems.invalid("spec.parent", message, "name another region, or leave it out");
        return;
    }
    let Some(parent) = existing(cx, Kind::Region, parent, "spec.parent", problems) else { return };
    let above: Vec<&Object> = regions_above(cx, parent);
    if above.iter().any(|o| cx.is_own(o)) {
        let names = above.iter().map(|o| o.metadata.name.as_str());
        let circle: Vec<&str> = std::iter::once(cx.name).chain(names).collect();
        let message = format!("regions would lie in each other: {}", circle.join(" -> "));
        problems.invalid("spec.parent", message, "name a region that does not lie in this one");
        return;
    }
    let depth = above.len().saturating_add(cx.current.map_or(1, |o| height(cx, o)));
    if depth > MAX_DEPTH {
        let message = format!("regions would lie {depth} deep");
        problems.invalid("spec.parent", message, format!("keep to {MAX_DEPTH}, one in the other"));
    }
}

/// `from` and the regions above it, the nearest first; ends at the region that is written.
fn regions_above<'a>(cx: &Check<'a>, from: &'a Object) -> Vec<&'a Object> {
    let mut line = Vec::new();
    for object in cx.index.upwards(Some(from.metadata.uid)).filter(|o| o.kind() == Kind::Region) {
        line.push(object.as_ref());
        if cx.is_own(object) {
            break;
        }
    }
    line
}

/// How many regions lie one in the other, from this one down.
fn height(cx: &Check<'_>, region: &Object) -> usize {
    let (mut level, mut height) = (vec![region.metadata.uid], 0_usize);
    while !level.is_empty() && height <= MAX_DEPTH {
        height = height.saturating_add(1);
        let next = level.iter().flat_map(|uid| cx.index.children(*uid));
        level = next.filter(|o| o.kind() == Kind::Region).map(|o| o.metadata.uid).collect();
    }
    height
}

pub(super) fn check_site(cx: &Check<'_>, spec: &SiteSpec, problems: &mut Problems) {
    check_line("spec.displayName", &spec.display_name, problems);
    if let Some(region) = spec.region.as_deref() {
        existing(cx, Kind::Region, region, "spec.region", problems);
    }
    if let Some(Err(error)) = spec.timezone.as_deref().map(Zone::named) {
        problems.invalid("spec.timezone", error.to_string(), "leave it out for UTC");
    }
}

/// What lies in the namespace of the write under this name; else the nearest name is told.
pub(super) fn existing<'a>(
    cx: &Check<'a>,
    kind: Kind,
    name: &str,
    field: &str,
    problems: &mut Problems,
) -> Option<&'a Object> {
    if let Some(found) = cx.index.named(kind, cx.namespace, name) {
        return Some(found);
    }
    let names: Vec<&str> =
        cx.index.in_namespace(kind, cx.namespace).map(|o| o.metadata.name.as_str()).collect();
    let next = match nearest(name, &names) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("make it first, or name another of {}", described(cx.namespace)),
    };
    problems.not_found(field, no_node(kind, name, cx.namespace), next);
    None
}

/// The name of the region or site that a resource says it lies in.
pub(super) fn parent_name(spec: &Spec) -> Option<(Kind, &str)> {
    match spec {
        Spec::Region(s) => s.parent.as_deref().map(|p| (Kind::Region, p)),
        Spec::Site(s) => s.region.as_deref().map(|p| (Kind::Region, p)),
        Spec::Host(s) => s.site.as_deref().map(|p| (Kind::Site, p)),
        _ => None,
    }
}
