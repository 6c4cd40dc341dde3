//! Distributions, templates, clusters: what they name exists, their networks are apart.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    Check,
    metadata::{check_label_map, check_line, check_word},
    node,
    refusal::{Problems, shown},
    upwards::{check_package, existing},
};
use crate::{
    cidr::Cidr,
    model::{ClusterSpec, ClusterTemplateSpec, DistributionSpec, Kind, Object, Spec},
    name,
    package::Version,
    selector::{check_key, check_value},
};
use cairn_contract::workload::{Distribution, Steps};

/// Most hosts that a cluster names.
const MAX_HOSTS: usize = 1000;
/// Largest and smallest network of pods or services.
const LENGTHS: (u8, u8) = (8, 28);

pub(super) fn check_distribution(spec: &DistributionSpec, problems: &mut Problems) {
    check_word("spec.family", &spec.family, problems);
    check_version("spec.version", &spec.version, problems);
    let run = &spec.run;
    let mut names = BTreeSet::new();
    for (at, artifact) in run.artifacts.iter().enumerate() {
        let field = format!("spec.run.artifacts[{at}].name");
        check_word(&field, &artifact.name, problems);
        if !names.insert(artifact.name.as_str()) {
            let message = format!("{} is there twice", shown(&artifact.name));
            problems.invalid(field, message, "give each artifact a name of its own");
        }
    }
    for (field, path) in paths(run) {
        check_path(&field, path, problems);
    }
    for (at, path) in run.remove.iter().enumerate() {
        let deep = path.split('/').filter(|p| !p.is_empty()).count() >= 2;
        if !deep {
            let message = format!("{} is too much to remove", shown(path));
            problems.invalid(
                format!("spec.run.remove[{at}]"),
                message,
                "name something at least two folders deep",
            );
        }
    }
    for (part, steps) in parts(run) {
        check_steps(&format!("spec.run.{part}"), steps, problems);
    }
}

fn parts(run: &Distribution) -> [(&'static str, &Steps); 3] {
    [("common", &run.common), ("controlPlane", &run.control_plane), ("worker", &run.worker)]
}

/// Paths of the host, with their fields.
fn paths(run: &Distribution) -> Vec<(String, &str)> {
    let mut out = vec![
        ("spec.run.adminKubeconfig".to_owned(), run.admin_kubeconfig.as_str()),
        ("spec.run.caCertificate".to_owned(), run.ca_certificate.as_str()),
    ];
    if !run.node_kubeconfig.is_empty() {
        out.push(("spec.run.nodeKubeconfig".to_owned(), run.node_kubeconfig.as_str()));
    }
    let removed = run.remove.iter().enumerate();
    out.extend(removed.map(|(at, path)| (format!("spec.run.remove[{at}]"), path.as_str())));
    for (part, steps) in parts(run) {
        let files = steps.files.iter().enumerate();
        out.extend(files.map(|(at, f)| (format!("spec.run.{part}.files[{at}].path"), f.path.as_str())));
    }
    out
}

fn check_path(field: &str, path: &str, problems: &mut Problems) {
    // `{{state}}/…` is absolute once it is filled in.
    let absolute = path.starts_with('/') || path.starts_with("{{");
    if !absolute || path.split('/').any(|p| p == "..") || path.chars().any(char::is_control) {
        let message = format!("{:?} is no absolute path", shown(path));
        problems.invalid(field, message, "write one that begins with / and has no ..");
    }
}

fn check_steps(field: &str, steps: &Steps, problems: &mut Problems) {
    let commands = steps.setup.iter().map(|c| ("setup", c)).chain(steps.finish.iter().map(|c| ("finish", c)));
    for (list, command) in commands {
        if command.run.first().is_none_or(String::is_empty) {
            let message = "names no program";
            problems.invalid(format!("{field}.{list}"), message, "write the program and its arguments");
        }
    }
    for (at, unit) in steps.units.iter().enumerate() {
        if name::check(&unit.name).is_err() {
            let message = format!("{:?} cannot be the name of a unit", shown(&unit.name));
            problems.invalid(format!("{field}.units[{at}].name"), message, "write a-z, 0-9 and '-'");
        }
        if unit.run.first().is_none_or(String::is_empty) {
            let message = "names no program";
            problems.invalid(
                format!("{field}.units[{at}].run"),
                message,
                "write the program and its arguments",
            );
        }
    }
}

pub(super) fn check_version(field: &str, version: &str, problems: &mut Problems) -> Option<Version> {
    let read = version.parse::<Version>();
    if let Err(error) = &read {
        problems.invalid(field, format!("{:?} {error}", shown(version)), "write major.minor.patch");
    }
    read.ok()
}

pub(super) fn check_template(cx: &Check<'_>, spec: &ClusterTemplateSpec, problems: &mut Problems) {
    if let Some(version) = check_version("spec.version", &spec.version, problems) {
        check_raised(cx, spec, version, problems);
    }
    check_line("spec.description", &spec.description, problems);
    existing(cx, Kind::Distribution, &spec.distribution, "spec.distribution", problems);
    check_networks(spec, problems);
    check_word("spec.cni", &spec.cni, problems);
    check_label_map("spec.nodeLabels", &spec.node_labels, problems);
    for (at, taint) in spec.taints.iter().enumerate() {
        let wrong = check_key(&taint.key).err().or_else(|| check_value(&taint.value).err());
        if let Some(error) = wrong {
            problems.invalid(
                format!("spec.taints[{at}]"),
                error.to_string(),
                "write key and value as of a label",
            );
        }
    }
    for key in spec.extra.keys() {
        check_word(&format!("spec.extra.{}", shown(key)), key, problems);
    }
    let mut names = BTreeSet::new();
    for (at, addon) in spec.addons.iter().enumerate() {
        let (field, version) = (format!("spec.addons[{at}].package"), format!("spec.addons[{at}].version"));
        check_package(cx, &addon.package, addon.version.as_deref(), (&field, &version), problems);
        if !names.insert(addon.package.as_str()) {
            problems.invalid(field, format!("{} is there twice", shown(&addon.package)), "keep one of them");
        }
    }
    if spec.default {
        check_default(cx, problems);
    }
}

/// Clusters remember the version that they were made with: it must mean one thing.
fn check_raised(cx: &Check<'_>, spec: &ClusterTemplateSpec, version: Version, problems: &mut Problems) {
    let Some(Spec::ClusterTemplate(current)) = cx.current.map(|c| &c.spec) else { return };
    if **current == *spec {
        return;
    }
    if let Ok(before) = current.version.parse::<Version>()
        && version <= before
    {
        let message = format!("the template changes, and its version stays at {before}");
        let next =
            format!("write a higher one, such as {}", Version(before.0, before.1.saturating_add(1), 0));
        problems.conflict("spec.version", message, next);
    }
}

fn check_networks(spec: &ClusterTemplateSpec, problems: &mut Problems) {
    let pods = network("spec.podCidr", &spec.pod_cidr, problems);
    let services = network("spec.serviceCidr", &spec.service_cidr, problems);
    if let (Some(pods), Some(services)) = (pods, services)
        && pods.overlaps(services)
    {
        let message = format!("{services} overlaps the network of pods, {pods}");
        problems.invalid("spec.serviceCidr", message, "write two networks that have no address in common");
    }
}

fn network(field: &str, text: &str, problems: &mut Problems) -> Option<Cidr> {
    const NEXT: &str = "write a private network, such as 10.42.0.0/16";
    match text.parse::<Cidr>() {
        Ok(network) if (LENGTHS.0..=LENGTHS.1).contains(&network.length()) => Some(network),
        Ok(network) => {
            let message = format!("{network} is too large or too small for a cluster");
            problems.invalid(
                field,
                message,
                format!("write a prefix of {} to {} bits", LENGTHS.0, LENGTHS.1),
            );
            None
        }
        Err(error) => {
            problems.invalid(field, format!("{:?} {error}", shown(text)), NEXT);
            None
        }
    }
}

fn check_default(cx: &Check<'_>, problems: &mut Problems) {
    let is_default = |o: &&std::sync::Arc<Object>| {
        !cx.is_own(o) && matches!(&o.spec, Spec::ClusterTemplate(spec) if spec.default)
    };
    if let Some(other) = cx.index.in_namespace(Kind::ClusterTemplate, cx.namespace).find(is_default) {
        let message = format!("{other} is the default here already");
        problems.conflict("spec.default", message, "take it from that one first");
    }
}

pub(super) fn check(cx: &Check<'_>, spec: &ClusterSpec, problems: &mut Problems) {
    if let Some(template) = &spec.template {
        existing(cx, Kind::ClusterTemplate, template, "spec.template", problems);
    }
    if spec.hosts.len() > MAX_HOSTS {
        let message = format!("{} hosts are too many", spec.hosts.len());
        problems.invalid("spec.hosts", message, format!("keep to {MAX_HOSTS}"));
    }
    let mut names = BTreeSet::new();
    for (at, host) in spec.hosts.iter().take(MAX_HOSTS).enumerate() {
        let field = format!("spec.hosts[{at}]");
        node::existing(cx, Kind::Host, host, &field, problems);
        if !names.insert(host.as_str()) {
            problems.invalid(field, format!("{} is there twice", shown(host)), "name each host once");
        }
    }
    if let Some(Err(error)) = spec.selector.as_ref().map(crate::selector::Selector::check) {
        problems.invalid("spec.selector", error.to_string(), "write it as in Kubernetes");
    }
    if spec.hosts.is_empty() && spec.selector.is_none() {
        problems.invalid("spec.hosts", "no host can ever be in it", "name hosts, or write a selector");
    }
    check_control_plane(cx, spec, problems);
}

/// The API server stays where it is.
fn check_control_plane(cx: &Check<'_>, spec: &ClusterSpec, problems: &mut Problems) {
    const FIELD: &str = "spec.controlPlane";
    if let Some(name) = &spec.control_plane {
        let found = node::existing(cx, Kind::Host, name, FIELD, problems).is_some();
        if found && spec.selector.is_none() && !spec.hosts.contains(name) {
            let message = format!("{} is none of its hosts", shown(name));
            problems.invalid(FIELD, message, "name it in spec.hosts too");
        }
    }
    let Some(current) = cx.current else { return };
    let chosen = current.status.as_ref().and_then(|s| s.get("controlPlane")).and_then(Value::as_str);
    let before = match &current.spec {
        Spec::Cluster(before) => before.control_plane.as_deref().or(chosen),
        _ => chosen,
    };
    let Some(before) = before else { return };
    const NEXT: &str = "it stays as long as the cluster does; make another cluster for another one";
    if spec.control_plane.as_deref().is_some_and(|now| now != before) {
        problems.conflict(FIELD, format!("host {before} is the control plane"), NEXT);
    }
    let named = |s: &Spec| matches!(s, Spec::Cluster(c) if c.hosts.iter().any(|h| h == before));
    if named(&current.spec) && !spec.hosts.iter().any(|h| h == before) {
        problems.conflict("spec.hosts", format!("host {before} is the control plane and cannot leave"), NEXT);
    }
}
