//! Packages: complete, bounded, and never changed. That what they depend on exists is a matter of each deployment.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Check,
    cluster::check_version,
    metadata::check_line,
    parameter,
    refusal::{Problems, shown},
    source,
};
use crate::{
    model::{ApplicationSpec, Kind, Object, PackageSpec, Spec},
    name,
};

/// Most applications of a package.
const MAX_APPLICATIONS: usize = 64;
/// Most dependencies.
const MAX_DEPENDENCIES: usize = 64;
/// Seconds of an application's patience.
const PATIENCE: (u32, u32) = (10, 86_400);

pub(super) fn check(cx: &Check<'_>, spec: &PackageSpec, problems: &mut Problems) {
    if let Some(Spec::Package(current)) = cx.current.map(|c| &c.spec)
        && **current != *spec
    {
        let message =
            format!("{} {} is out, and what is out does not change", current.package, current.version);
        problems.conflict("spec", message, "make another version");
        return;
    }
    check_label("spec.package", &spec.package, problems);
    check_version("spec.version", &spec.version, problems);
    check_line("spec.description", &spec.description, problems);
    check_twin(cx, spec, problems);
    check_applications(&spec.applications, problems);
    parameter::check(spec, problems);
    check_dependencies(spec, problems);
    if let Some(artifact) = &spec.artifact {
        source::check_artifact("spec.artifact", artifact, problems);
    }
}

/// An RFC 1123 label.
pub(super) fn check_label(field: &str, text: &str, problems: &mut Problems) {
    if name::check(text).is_err() {
        let message = format!("{:?} is no name", shown(text));
        problems.invalid(
            field,
            message,
            "write 1 to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit",
        );
    }
}

/// Two resources that are one version.
fn check_twin(cx: &Check<'_>, spec: &PackageSpec, problems: &mut Problems) {
    let same = |o: &&std::sync::Arc<Object>| match &o.spec {
        Spec::Package(other) => {
            !cx.is_own(o) && other.package == spec.package && other.version == spec.version
        }
        _ => false,
    };
    if let Some(other) = cx.index.in_namespace(Kind::Package, cx.namespace).find(same) {
        let message = format!("{other} is {} {} already", shown(&spec.package), shown(&spec.version));
        problems.conflict("spec.version", message, "make another version");
    }
}

fn check_applications(all: &[ApplicationSpec], problems: &mut Problems) {
    const FIELD: &str = "spec.applications";
    if all.is_empty() || all.len() > MAX_APPLICATIONS {
        let message = format!("{} applications", all.len());
        problems.invalid(FIELD, message, format!("write 1 to {MAX_APPLICATIONS}"));
        return;
    }
    let mut names = BTreeSet::new();
    for (at, application) in all.iter().enumerate() {
        let field = format!("{FIELD}[{at}]");
        check_label(&format!("{field}.name"), &application.name, problems);
        if !names.insert(application.name.as_str()) {
            let message = format!("{} is there twice", shown(&application.name));
            problems.invalid(format!("{field}.name"), message, "give each application a name of its own");
        }
        if let Some(namespace) = application.namespace.as_deref().filter(|n| !n.contains("${")) {
            check_label(&format!("{field}.namespace"), namespace, problems);
        }
        let patience = application.patience_seconds;
        super::policy::check_number(&format!("{field}.patienceSeconds"), patience, PATIENCE, problems);
    }
    check_order(all, problems);
    source::check_all(all, problems);
}

/// What each waits for exists, and nothing waits for itself.
fn check_order(all: &[ApplicationSpec], problems: &mut Problems) {
    let known: BTreeMap<&str, &ApplicationSpec> = all.iter().map(|a| (a.name.as_str(), a)).collect();
    for (at, application) in all.iter().enumerate() {
        for name in application.depends_on.iter().filter(|name| !known.contains_key(name.as_str())) {
            let message = format!("the package has no application {}", shown(name));
            problems.not_found(
                format!("spec.applications[{at}].dependsOn"),
                message,
                "name one of spec.applications",
            );
        }
    }
    let mut done: BTreeSet<&str> = BTreeSet::new();
    loop {
        let waits = |name: &String| known.contains_key(name.as_str()) && !done.contains(name.as_str());
        let free: Vec<&str> = known
            .iter()
            .filter(|(name, a)| !done.contains(**name) && !a.depends_on.iter().any(waits))
            .map(|(name, _)| *name)
            .collect();
        if free.is_empty() {
            break;
        }
        done.extend(free);
    }
    let left: Vec<&str> = known.keys().filter(|name| !done.contains(**name)).copied().collect();
    if !left.is_empty() {
        let message = format!("applications wait for each other: {}", left.join(", "));
        problems.invalid("spec.applications", message, "let dependsOn name no circle");
    }
}

fn check_dependencies(spec: &PackageSpec, problems: &mut Problems) {
    const FIELD: &str = "spec.dependencies";
    if spec.dependencies.len() > MAX_DEPENDENCIES {
        let message = format!("{} dependencies are too many", spec.dependencies.len());
        problems.invalid(FIELD, message, format!("keep to {MAX_DEPENDENCIES}"));
    }
    let mut names = BTreeSet::new();
    for (at, dependency) in spec.dependencies.iter().take(MAX_DEPENDENCIES).enumerate() {
        let field = format!("{FIELD}[{at}].package");
        check_label(&field, &dependency.package, problems);
        if dependency.package == spec.package {
            problems.invalid(&field, "the package needs itself", "leave it out");
        }
        if !names.insert(dependency.package.as_str()) {
            problems.invalid(
                &field,
                format!("{} is there twice", shown(&dependency.package)),
                "keep one of them",
            );
        }
        if let Some(least) = &dependency.at_least {
            check_version(&format!("{FIELD}[{at}].atLeast"), least, problems);
        }
    }
}
