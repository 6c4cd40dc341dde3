//! What applications consist of: files, charts, containers, virtual machines. Not here: YAML, which is read when it is rendered.

use std::collections::BTreeSet;

use cairn_contract::{
    Digest, Mac,
    workload::{Container, Mount, Port, Vm},
};

use super::{
    package::check_label,
    policy::check_number,
    refusal::{Problems, shown},
};
use crate::model::{ApplicationSpec, Chart, Files, Source};

/// Most bytes of all texts in place of one package.
const MAX_INLINE: usize = 512 << 10;
/// Most files in place of one application.
const MAX_FILES: usize = 1000;
/// Longest name of a file, image or path.
const MAX_NAME: usize = 512;
/// Least memory of a virtual machine.
const MIN_MEMORY: u64 = 16 << 20;

pub(super) fn check_all(all: &[ApplicationSpec], problems: &mut Problems) {
    let mut bytes = 0_usize;
    let mut ports = BTreeSet::new();
    for (at, application) in all.iter().enumerate() {
        let field = format!("spec.applications[{at}].source");
        match &application.source {
            Source::Manifests(files) => {
                check_files(&format!("{field}.manifests"), files, &mut bytes, problems)
            }
            Source::Kustomize(files) => {
                check_files(&format!("{field}.kustomize"), files, &mut bytes, problems)
            }
            Source::Helm(chart) => check_chart(&format!("{field}.helm"), chart, &mut bytes, problems),
            Source::Container(container) => {
                let field = format!("{field}.container");
                check_container(&field, container, problems);
                check_ports(&format!("{field}.ports"), &container.ports, &mut ports, problems);
            }
            Source::Vm(vm) => {
                let field = format!("{field}.vm");
                check_vm(&field, vm, problems);
                bytes = bytes.saturating_add(vm.user_data.as_ref().map_or(0, String::len));
                for (at, nic) in vm.nics.iter().enumerate() {
                    check_ports(&format!("{field}.nics[{at}].ports"), &nic.ports, &mut ports, problems);
                }
            }
        }
    }
    if bytes > MAX_INLINE {
        let message = format!("files in place have {bytes} bytes together");
        problems.invalid(
            "spec.applications",
            message,
            format!("keep to {MAX_INLINE}, or push them as an artifact"),
        );
    }
}

fn check_files(field: &str, files: &Files, bytes: &mut usize, problems: &mut Problems) {
    if files.inline.is_empty() == files.artifact.is_none() {
        let message = "has files in place as well as an artifact, or neither";
        problems.invalid(field, message, "write inline or artifact");
    }
    if files.inline.len() > MAX_FILES {
        let message = format!("{} files are too many", files.inline.len());
        problems.invalid(format!("{field}.inline"), message, format!("keep to {MAX_FILES}"));
    }
    for (name, text) in files.inline.iter().take(MAX_FILES) {
        check_relative(&format!("{field}.inline"), name, problems);
        *bytes = bytes.saturating_add(text.len());
    }
    if let Some(artifact) = &files.artifact {
        check_artifact(&format!("{field}.artifact"), artifact, problems);
    }
    if let Some(path) = &files.path {
        check_relative(&format!("{field}.path"), path, problems);
    }
}

fn check_relative(field: &str, path: &str, problems: &mut Problems) {
    let part = |p: &str| !p.is_empty() && p != "." && p != "..";
    let ok = path.len() <= MAX_NAME
        && path.split('/').all(part)
        && !path.contains('\\')
        && !path.chars().any(char::is_control);
    if !ok {
        let message = format!("{:?} cannot be the name of a file in a package", shown(path));
        problems.invalid(field, message, "write a relative name without . and .., such as deploy/web.yaml");
    }
}

/// `repository@sha256:…`, as the OCI distribution specification spells both.
pub(super) fn check_artifact(field: &str, text: &str, problems: &mut Problems) {
    let repository = |r: &str| {
        let part = |p: &str| {
            !p.is_empty()
                && p.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b))
                && !p.starts_with(['.', '_', '-'])
                && !p.ends_with(['.', '_', '-'])
        };
        r.len() <= 255 && r.split('/').all(part)
    };
    let ok = text.split_once("@sha256:").is_some_and(|(name, digest)| {
        repository(name)
            && digest.parse::<Digest>().is_ok()
            && !digest.bytes().any(|b| b.is_ascii_uppercase())
    });
    if !ok {
        let message = format!("{:?} is no artifact of the registry", shown(text));
        problems.invalid(field, message, "write repository@sha256: and 64 digits, as cairn push prints it");
    }
}

fn check_chart(field: &str, chart: &Chart, bytes: &mut usize, problems: &mut Problems) {
    check_files(&format!("{field}.files"), &chart.files, bytes, problems);
    *bytes = bytes.saturating_add(chart.values.len());
    if let Some(release) = &chart.release {
        // Helm's own limit.
        if release.len() > 53 {
            problems.invalid(
                format!("{field}.release"),
                "is longer than 53 characters",
                "write a shorter one",
            );
        } else {
            check_label(&format!("{field}.release"), release, problems);
        }
    }
}

fn check_container(field: &str, container: &Container, problems: &mut Problems) {
    check_image(&format!("{field}.image"), &container.image, problems);
    for (at, line) in container.env.iter().enumerate() {
        if !line.split_once('=').is_some_and(|(name, _)| !name.is_empty() && !name.contains('\0')) {
            let message = format!("{:?} is no NAME=value", shown(line));
            problems.invalid(format!("{field}.env[{at}]"), message, "write NAME=value");
        }
    }
    for (at, volume) in container.volumes.iter().enumerate() {
        let field = format!("{field}.volumes[{at}]");
        check_absolute(&format!("{field}.path"), &volume.path, problems);
        match &volume.mount {
            Mount::Name(name) => check_label(&format!("{field}.mount.name"), name, problems),
            Mount::HostPath(path) => check_absolute(&format!("{field}.mount.hostPath"), path, problems),
            Mount::Memory(0) => {
                problems.invalid(format!("{field}.mount.memory"), "is nothing", "write bytes")
            }
            Mount::Memory(_) => {}
        }
    }
    if container.host_network && !container.ports.is_empty() {
        let message = "mean nothing in the host's network";
        problems.invalid(format!("{field}.ports"), message, "leave them out, or hostNetwork");
    }
}

fn check_image(field: &str, image: &str, problems: &mut Problems) {
    let bad = |c: char| c.is_whitespace() || c.is_control();
    if image.is_empty() || image.len() > MAX_NAME || image.contains(bad) {
        let message = format!("{:?} names no image", shown(image));
        problems.invalid(field, message, "write name:tag, or registry/name@sha256:…");
    }
}

/// Texts may hold `${parameter}`, also at their beginning.
fn check_absolute(field: &str, path: &str, problems: &mut Problems) {
    let absolute = path.starts_with('/') || path.starts_with("${");
    if !absolute || path.len() > MAX_NAME || path.split('/').any(|p| p == "..") || path.contains('\0') {
        let message = format!("{:?} is no absolute path", shown(path));
        problems.invalid(field, message, "write one that begins with / and has no ..");
    }
}

fn check_ports(field: &str, ports: &[Port], seen: &mut BTreeSet<(u16, u8)>, problems: &mut Problems) {
    for (at, port) in ports.iter().enumerate() {
        let field = format!("{field}[{at}]");
        if port.host == 0 || port.container == 0 {
            problems.invalid(&field, "0 is no port", "write 1 to 65535");
        } else if !seen.insert((port.host, port.protocol as u8)) {
            let message = format!("the package has port {}/{:?} of the host twice", port.host, port.protocol);
            problems.invalid(&field, message, "choose another one");
        }
    }
}

fn check_vm(field: &str, vm: &Vm, problems: &mut Problems) {
    check_number(&format!("{field}.cpus"), Some(vm.cpus), (1, 64), problems);
    if vm.memory_bytes < MIN_MEMORY {
        let message = format!("{} bytes are too little", vm.memory_bytes);
        problems.invalid(format!("{field}.memoryBytes"), message, format!("write {MIN_MEMORY} at least"));
    }
    let mut names = BTreeSet::new();
    for (at, disk) in vm.disks.iter().enumerate() {
        let field = format!("{field}.disks[{at}]");
        check_unique(&format!("{field}.name"), &disk.name, &mut names, problems);
        match &disk.source {
            cairn_contract::workload::DiskSource::Image(image) => {
                check_image(&format!("{field}.source.image"), image, problems);
            }
            cairn_contract::workload::DiskSource::Blank => {
                if disk.size_bytes.is_none_or(|size| size == 0) {
                    problems.invalid(
                        format!("{field}.sizeBytes"),
                        "a blank disk needs a size",
                        "write bytes",
                    );
                }
            }
        }
    }
    let mut names = BTreeSet::new();
    for (at, nic) in vm.nics.iter().enumerate() {
        let field = format!("{field}.nics[{at}]");
        check_unique(&format!("{field}.name"), &nic.name, &mut names, problems);
        if let Some(mac) = nic.mac.as_ref().filter(|m| !m.contains("${"))
            && !mac.parse::<Mac>().is_ok_and(|m| m.0[0] & 1 == 0)
        {
            let message = format!("{:?} is no address of one machine", shown(mac));
            problems.invalid(format!("{field}.mac"), message, "leave it out, or write six bytes");
        }
        if nic.bridge.is_some() && !nic.ports.is_empty() {
            let message = "mean nothing on a bridge, where the machine has an address of its own";
            problems.invalid(format!("{field}.ports"), message, "leave them out");
        }
    }
}

fn check_unique<'n>(field: &str, name: &'n str, seen: &mut BTreeSet<&'n str>, problems: &mut Problems) {
    check_label(field, name, problems);
    if !seen.insert(name) {
        problems.invalid(field, format!("{} is there twice", shown(name)), "give each a name of its own");
    }
}
