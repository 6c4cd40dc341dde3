//! What a name means from a namespace: the resource of that namespace, or of the nearest one above that has it.

use super::{
    Check,
    refusal::{Problems, shown, some_of},
};
use crate::{
    index::Index,
    model::{Kind, Namespace, Object, PackageSpec, Spec},
    nearest::nearest,
    package::Version,
};

/// A namespace and those above it.
pub(super) fn upwards(namespace: &Namespace) -> impl Iterator<Item = Namespace> {
    std::iter::successors(Some(namespace.clone()), Namespace::parent)
}

pub(super) fn find<'a>(
    index: &'a Index,
    kind: Kind,
    namespace: &Namespace,
    name: &str,
) -> Option<&'a Object> {
    upwards(namespace).find_map(|n| index.named(kind, &n, name)).map(AsRef::as_ref)
}

/// As [`find`], and tells the nearest name where there is none.
pub(super) fn existing<'a>(
    cx: &Check<'a>,
    kind: Kind,
    name: &str,
    field: &str,
    problems: &mut Problems,
) -> Option<&'a Object> {
    if let Some(found) = find(cx.index, kind, cx.namespace, name) {
        return Some(found);
    }
    let all = upwards(cx.namespace).flat_map(|n| {
        let names = cx.index.in_namespace(kind, &n).map(|o| o.metadata.name.clone());
        names.collect::<Vec<_>>()
    });
    let all: Vec<String> = all.collect();
    missing(cx, &format!("{kind} {}", shown(name)), (field, name), &all, problems);
    None
}

pub(super) fn missing(
    cx: &Check<'_>,
    what: &str,
    (field, name): (&str, &str),
    all: &[String],
    problems: &mut Problems,
) {
    let names: Vec<&str> = all.iter().map(String::as_str).collect();
    let next = match nearest(name, &names) {
        Some(near) => format!("did you mean {near}?"),
        None if all.is_empty() => "make it first".to_owned(),
        None => format!("there are {}", some_of(all)),
    };
    let place = super::metadata::described(cx.namespace);
    problems.not_found(field, format!("there is no {what} in {place} or above"), next);
}

/// Versions of a package, of the nearest namespace that has some.
pub(super) fn versions<'a>(
    index: &'a Index,
    namespace: &Namespace,
    package: &str,
) -> Vec<(&'a Object, &'a PackageSpec)> {
    let here = |n: &Namespace| {
        let all = index.in_namespace(Kind::Package, n).filter_map(|object| match &object.spec {
            Spec::Package(spec) if spec.package == package => Some((object.as_ref(), spec.as_ref())),
            _ => None,
        });
        all.collect::<Vec<_>>()
    };
    upwards(namespace).map(|n| here(&n)).find(|all| !all.is_empty()).unwrap_or_default()
}

/// The version that a deployment gets: the pinned one, wherever upwards it is, or the newest of the nearest namespace.
pub(super) fn resolved<'a>(
    index: &'a Index,
    namespace: &Namespace,
    package: &str,
    pin: Option<&str>,
) -> Option<&'a Object> {
    let Some(pin) = pin else {
        let all = versions(index, namespace, package).into_iter();
        return all.max_by_key(|(_, spec)| spec.version.parse::<Version>().ok()).map(|(object, _)| object);
    };
    upwards(namespace).find_map(|n| {
        let mut all = index.in_namespace(Kind::Package, &n);
        let is = |o: &&std::sync::Arc<Object>| {
            matches!(&o.spec, Spec::Package(spec) if spec.package == package && spec.version == pin)
        };
        all.find(is).map(AsRef::as_ref)
    })
}

/// That a package exists, at this version if one is named.
pub(super) fn check_package(
    cx: &Check<'_>,
    package: &str,
    pin: Option<&str>,
    (field, version_field): (&str, &str),
    problems: &mut Problems,
) {
    let all = versions(cx.index, cx.namespace, package);
    if all.is_empty() {
        let names = cx.index.of_kind(Kind::Package).filter(|o| cx.namespace.is_within(&o.metadata.namespace));
        let names = names.filter_map(|o| match &o.spec {
            Spec::Package(spec) => Some(spec.package.clone()),
            _ => None,
        });
        let names: std::collections::BTreeSet<String> = names.collect();
        let names: Vec<String> = names.into_iter().collect();
        missing(cx, &format!("package {}", shown(package)), (field, package), &names, problems);
        return;
    }
    let Some(pin) = pin else { return };
    if resolved(cx.index, cx.namespace, package, Some(pin)).is_none() {
        let there: Vec<String> = all.iter().map(|(_, spec)| spec.version.clone()).collect();
        let message = format!("package {package} has no version {}", shown(pin));
        problems.not_found(version_field, message, format!("there is {}", some_of(&there)));
    }
}
