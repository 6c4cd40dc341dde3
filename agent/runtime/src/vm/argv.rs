//! QEMU's command line for one machine. Pure: the same machine has the same line, and so is not started anew.

use std::path::{Path, PathBuf};

use cairn_contract::Digest;
use cairn_contract::workload::{Nic, Port, Protocol, Vm};
use uuid::Uuid;

/// How instructions are carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accelerator {
    /// By the processor.
    Kvm,
    /// One by one.
    Tcg,
}

/// A disk as QEMU opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DiskFile {
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) ephemeral: bool,
}

/// What a command line is made of.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    pub(super) program: &'a Path,
    pub(super) id: &'a str,
    pub(super) deployment: Uuid,
    pub(super) order: &'a Vm,
    pub(super) disks: &'a [DiskFile],
    pub(super) seed: Option<&'a Path>,
    /// Of sockets.
    pub(super) run: &'a Path,
    pub(super) serial_log: &'a Path,
    pub(super) accelerator: Accelerator,
}

/// Program and arguments.
pub(super) fn argv(parts: &Parts<'_>) -> Vec<String> {
    let mut argv = vec![parts.program.display().to_string()];
    let mut add = |option: &str, value: String| argv.extend([option.to_owned(), value]);
    let (accelerator, cpu) = match parts.accelerator {
        Accelerator::Kvm => ("kvm", "host"),
        Accelerator::Tcg => ("tcg", "max"),
    };
    let digest = Digest::of(parts.id.as_bytes());
    let uuid = Uuid::from_slice(digest.0.get(..16).unwrap_or_default()).unwrap_or_default();
    add("-name", format!("guest={}", comma(parts.id)));
    add("-uuid", uuid.to_string());
    add("-machine", "q35,usb=off,vmport=off".to_owned());
    add("-accel", accelerator.to_owned());
    add("-cpu", cpu.to_owned());
    add("-smp", parts.order.cpus.to_string());
    add("-m", format!("{}M", (parts.order.memory_bytes >> 20).max(1)));
    add("-display", "none".to_owned());
    add("-vga", "none".to_owned());
    add("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny".to_owned());
    serial(parts, &mut add);
    disks(parts, &mut add);
    for (number, nic) in parts.order.nics.iter().enumerate() {
        network(parts, number, nic, &mut add);
    }
    add("-device", "virtio-rng-pci".to_owned());
    argv.extend(["-nodefaults", "-no-user-config"].map(str::to_owned));
    argv
}

fn serial(parts: &Parts<'_>, add: &mut impl FnMut(&str, String)) {
    let socket = |name: &str| comma(&parts.run.join(name).display().to_string());
    let log = comma(&parts.serial_log.display().to_string());
    let console = socket("console");
    add(
        "-chardev",
        format!("socket,id=console,path={console},server=on,wait=off,logfile={log},logappend=on"),
    );
    add("-serial", "chardev:console".to_owned());
    add("-chardev", format!("socket,id=qmp,path={},server=on,wait=off", socket("qmp")));
    add("-mon", "chardev=qmp,mode=control".to_owned());
}

fn disks(parts: &Parts<'_>, add: &mut impl FnMut(&str, String)) {
    for (number, disk) in parts.disks.iter().enumerate() {
        let path = comma(&disk.path.display().to_string());
        let snapshot = if disk.ephemeral { "on" } else { "off" };
        add(
            "-drive",
            format!("if=none,id=disk{number},file={path},format=qcow2,snapshot={snapshot},discard=unmap"),
        );
        let serial: String = disk.name.chars().take(20).collect();
        add("-device", format!("virtio-blk-pci,drive=disk{number},bootindex={},serial={serial}", number + 1));
    }
    if let Some(seed) = parts.seed {
        let path = comma(&seed.display().to_string());
        add("-drive", format!("if=none,id=seed,file={path},format=raw,readonly=on"));
        add("-device", "virtio-blk-pci,drive=seed,serial=cidata".to_owned());
    }
}

fn network(parts: &Parts<'_>, number: usize, nic: &Nic, add: &mut impl FnMut(&str, String)) {
    let backend = match &nic.bridge {
        Some(_) => {
            format!("tap,id=net{number},ifname={},script=no,downscript=no", tap_name(parts.id, &nic.name))
        }
        None => {
            let forwards: String = nic.ports.iter().map(forward).collect();
            format!("user,id=net{number}{forwards}")
        }
    };
    add("-netdev", backend);
    let mac = nic.mac.clone().unwrap_or_else(|| mac(parts.deployment, parts.id, &nic.name));
    add("-device", format!("virtio-net-pci,netdev=net{number},mac={mac},romfile="));
}

fn forward(port: &Port) -> String {
    let protocol = match port.protocol {
        Protocol::TCP => "tcp",
        Protocol::UDP => "udp",
    };
    format!(",hostfwd={protocol}::{}-:{}", port.host, port.container)
}

/// Always the same for the same interface of the same machine; locally administered, QEMU's own prefix.
fn mac(deployment: Uuid, id: &str, nic: &str) -> String {
    let digest = Digest::of(format!("{deployment}/{id}/{nic}").as_bytes());
    let tail: String = digest.0.iter().take(3).map(|b| format!(":{b:02x}")).collect();
    format!("52:54:00{tail}")
}

/// At most 15 characters, as the kernel wants it.
pub(super) fn tap_name(id: &str, nic: &str) -> String {
    let digest = Digest::of(format!("{id}/{nic}").as_bytes()).to_string();
    format!("cvm{}", digest.get(..10).unwrap_or_default())
}

/// In QEMU's options a comma is written twice.
fn comma(text: &str) -> String {
    text.replace(',', ",,")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_command_line_is_what_the_order_says_and_always_the_same() {
        let order: Vm = serde_json::from_value(json!({
            "cpus": 2, "memoryBytes": 64 << 20, "disks": [],
            "nics": [{"name": "a", "ports": [{"host": 8080, "container": 80}]}, {"name": "b", "bridge": "br0", "mac": "52:54:00:00:00:01"}],
        }))
        .unwrap();
        let disks = [DiskFile { name: "root".into(), path: "/s/a,b.qcow2".into(), ephemeral: true }];
        let line = |accelerator| {
            argv(&Parts {
                program: Path::new("/usr/bin/qemu-system-x86_64"),
                id: "web-1",
                deployment: Uuid::nil(),
                order: &order,
                disks: &disks,
                seed: Some(Path::new("/run/seed.img")),
                run: Path::new("/run/vm"),
                serial_log: Path::new("/s/serial.log"),
                accelerator,
            })
            .join(" ")
        };
        let text = line(Accelerator::Tcg);
        assert_eq!(text, line(Accelerator::Tcg));
        for wanted in [
            "-accel tcg -cpu max -smp 2 -m 64M",
            "-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
            "file=/s/a,,b.qcow2,format=qcow2,snapshot=on",
            "user,id=net0,hostfwd=tcp::8080-:80",
            "mac=52:54:00:00:00:01",
            "file=/run/seed.img,format=raw,readonly=on",
            "logfile=/s/serial.log,logappend=on",
        ] {
            assert!(text.contains(wanted), "{wanted} is not in {text}");
        }
        assert!(line(Accelerator::Kvm).contains("-accel kvm -cpu host"));
        assert_eq!(tap_name("web-1", "b").len(), 13);
    }
}
