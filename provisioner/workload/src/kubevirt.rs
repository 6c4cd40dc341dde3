//! A virtual machine as KubeVirt's objects: the `VirtualMachine`, and what it needs beside it.
//!
//! Sources: KubeVirt user guide, "Disks and Volumes", "Interfaces and Networks", "Run Strategies", "Startup Scripts"
//! (kubevirt.io/v1); CDI "DataVolumes" (cdi.kubevirt.io/v1beta1).
//!
//! | ours | theirs |
//! |---|---|
//! | disk from an image, ephemeral | `containerDisk` |
//! | disk from an image, kept | DataVolume with a `registry` source (needs CDI) |
//! | blank disk, ephemeral | `emptyDisk` |
//! | blank disk, kept | DataVolume with a `blank` source (needs CDI) |
//! | user data | `cloudInitNoCloud`: in place, or in a Secret when it is long or holds placeholders of secrets |
//! | interface without a bridge | pod network, `masquerade`; its ports become a Service |
//! | interface with a bridge | `multus` network of that name, `bridge` |
//! | `Always`, `Once`, `Halted` | runStrategy `Always`, `RerunOnFailure`, `Halted` |

use cairn_contract::{
    Digest,
    workload::{Disk, DiskSource, Nic, Registry, Run, Vm},
};
use serde_json::{Map, Value, json};

use crate::Problem;

/// Longest user data that KubeVirt takes in place, in bytes.
const MAX_INLINE_USER_DATA: usize = 2048;
/// What [`cairn_contract::workload::placeholder`] begins with.
const PLACEHOLDER: &str = "cairn-secret-";
const MIB: u64 = 1 << 20;

/// The objects of one machine, in the order in which they are applied.
///
/// # Errors
/// What KubeVirt has no place for, with the field of the Vm.
pub fn virtual_machine(
    vm: &Vm,
    name: &str,
    namespace: &str,
    registry: Option<&Registry>,
) -> Result<Vec<Value>, Problem> {
    let mut parts = Parts { name, namespace, registry, ..Parts::default() };
    for (at, disk) in vm.disks.iter().enumerate() {
        parts.disk(at, disk)?;
    }
    parts.cloud_init(vm.user_data.as_deref());
    for (at, nic) in vm.nics.iter().enumerate() {
        parts.nic(at, nic)?;
    }
    let machine = parts.machine(vm);
    let mut out = parts.beside;
    out.push(machine);
    Ok(out)
}

#[derive(Debug, Default)]
struct Parts<'a> {
    name: &'a str,
    namespace: &'a str,
    registry: Option<&'a Registry>,
    disks: Vec<Value>,
    volumes: Vec<Value>,
    data_volumes: Vec<Value>,
    interfaces: Vec<Value>,
    networks: Vec<Value>,
    /// Secret and Service.
    beside: Vec<Value>,
}

impl Parts<'_> {
    fn disk(&mut self, at: usize, disk: &Disk) -> Result<(), Problem> {
        let name = &disk.name;
        let order = at.saturating_add(1);
        self.disks.push(json!({"name": name, "bootOrder": order, "disk": {"bus": "virtio"}}));
        let no_size = |what: &str| {
            let message = format!("a disk {what} needs its size on a cluster; write sizeBytes");
            Problem::new("DiskSizeMissing", format!("vm.disks[{at}].sizeBytes"), message)
        };
        let volume = match (&disk.source, disk.ephemeral) {
            (DiskSource::Image(image), true) => json!({"containerDisk": {"image": self.image(at, image)?}}),
            (DiskSource::Blank, true) => {
                let size = disk.size_bytes.ok_or_else(|| no_size("that is blank"))?;
                json!({"emptyDisk": {"capacity": quantity(size)}})
            }
            (source, false) => {
                let source = match source {
                    DiskSource::Image(image) => {
                        json!({"registry": {"url": format!("docker://{}", self.image(at, image)?)}})
                    }
                    DiskSource::Blank => json!({"blank": {}}),
                };
                let size = disk.size_bytes.ok_or_else(|| no_size("that is kept"))?;
                self.data_volume(name, source, size)
            }
        };
        self.volumes.push(named(name, volume));
        Ok(())
    }

    fn data_volume(&mut self, disk: &str, source: Value, size: u64) -> Value {
        let name = format!("{}-{disk}", self.name);
        self.data_volumes.push(json!({
            "metadata": {"name": name},
            "spec": {"source": source, "storage": {"resources": {"requests": {"storage": quantity(size)}}}},
        }));
        json!({"dataVolume": {"name": name}})
    }

    /// A name without a registry is in the appliance's own.
    fn image(&self, at: usize, image: &str) -> Result<String, Problem> {
        if names_registry(image) {
            return Ok(image.to_owned());
        }
        match self.registry {
            Some(registry) => Ok(format!("{}/{image}", registry.address)),
            None => {
                let message = "names no registry, and the appliance has none; write registry/name:tag";
                Err(Problem::new("RegistryAbsent", format!("vm.disks[{at}].source.image"), message))
            }
        }
    }

    fn cloud_init(&mut self, user_data: Option<&str>) {
        const DISK: &str = "cairn-cloud-init";
        let Some(text) = user_data else { return };
        let volume = if text.len() > MAX_INLINE_USER_DATA || text.contains(PLACEHOLDER) {
            let name = format!("{}-cloud-init", self.name);
            self.beside.push(json!({
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": name, "namespace": self.namespace},
                "stringData": {"userdata": text},
            }));
            json!({"cloudInitNoCloud": {"secretRef": {"name": name}}})
        } else {
            json!({"cloudInitNoCloud": {"userData": text}})
        };
        self.disks.push(json!({"name": DISK, "disk": {"bus": "virtio"}}));
        self.volumes.push(named(DISK, volume));
    }

    fn nic(&mut self, at: usize, nic: &Nic) -> Result<(), Problem> {
        let mut interface = Map::from_iter([("name".to_owned(), json!(nic.name))]);
        let mac = nic.mac.clone();
        if let Some(bridge) = &nic.bridge {
            interface.insert("bridge".to_owned(), json!({}));
            interface.insert("macAddress".to_owned(), json!(mac.unwrap_or_else(|| self.made_mac(&nic.name))));
            self.networks.push(json!({"name": nic.name, "multus": {"networkName": bridge}}));
        } else {
            if self.networks.iter().any(|n| n.get("pod").is_some()) {
                let message =
                    "a machine on a cluster has one interface without a bridge; give the others a bridge";
                return Err(Problem::new("SecondPodNetwork", format!("vm.nics[{at}]"), message));
            }
            interface.insert("masquerade".to_owned(), json!({}));
            if let Some(mac) = mac {
                interface.insert("macAddress".to_owned(), json!(mac));
            }
            self.ports(nic, &mut interface);
            self.networks.push(json!({"name": nic.name, "pod": {}}));
        }
        self.interfaces.push(Value::Object(interface));
        Ok(())
    }

    /// A pod has no port of its host: the ports become those of a Service of the machine's name.
    fn ports(&mut self, nic: &Nic, interface: &mut Map<String, Value>) {
        if nic.ports.is_empty() {
            return;
        }
        let inside = nic.ports.iter().map(|p| json!({"port": p.container, "protocol": p.protocol}));
        interface.insert("ports".to_owned(), inside.collect());
        let outside = nic.ports.iter().map(|p| {
            let name = format!("p{}-{:?}", p.host, p.protocol).to_lowercase();
            json!({"name": name, "port": p.host, "targetPort": p.container, "protocol": p.protocol})
        });
        self.beside.push(json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": {"selector": {"kubevirt.io/vm": self.name}, "ports": outside.collect::<Vec<_>>()},
        }));
    }

    /// Always the same for one machine's interface; locally administered (IEEE 802 §8.2).
    fn made_mac(&self, nic: &str) -> String {
        let digest = Digest::of(format!("{}/{}/{nic}", self.namespace, self.name).as_bytes());
        let [a, b, c, d, e, ..] = digest.0;
        format!("02:{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}")
    }

    fn machine(&self, vm: &Vm) -> Value {
        let mut devices = Map::new();
        devices.insert("disks".to_owned(), json!(self.disks));
        let mut inner = Map::new();
        if vm.nics.is_empty() {
            devices.insert("autoattachPodInterface".to_owned(), json!(false));
        } else {
            devices.insert("interfaces".to_owned(), json!(self.interfaces));
            inner.insert("networks".to_owned(), json!(self.networks));
        }
        inner.insert(
            "domain".to_owned(),
            json!({
                "cpu": {"cores": vm.cpus},
                "memory": {"guest": quantity(vm.memory_bytes)},
                "devices": devices,
            }),
        );
        inner.insert("volumes".to_owned(), json!(self.volumes));
        let mut spec = Map::new();
        spec.insert("runStrategy".to_owned(), json!(strategy(vm.run)));
        if !self.data_volumes.is_empty() {
            spec.insert("dataVolumeTemplates".to_owned(), json!(self.data_volumes));
        }
        let labels = json!({"kubevirt.io/vm": self.name});
        spec.insert("template".to_owned(), json!({"metadata": {"labels": labels}, "spec": inner}));
        json!({
            "apiVersion": "kubevirt.io/v1",
            "kind": "VirtualMachine",
            "metadata": {"name": self.name, "namespace": self.namespace, "labels": labels},
            "spec": spec,
        })
    }
}

fn strategy(run: Run) -> &'static str {
    match run {
        Run::Always => "Always",
        Run::Once => "RerunOnFailure",
        Run::Halted => "Halted",
    }
}

fn named(name: &str, mut volume: Value) -> Value {
    if let Some(fields) = volume.as_object_mut() {
        fields.insert("name".to_owned(), json!(name));
    }
    volume
}

/// A quantity of Kubernetes.
fn quantity(bytes: u64) -> String {
    if bytes.is_multiple_of(MIB) { format!("{}Mi", bytes / MIB) } else { bytes.to_string() }
}

/// As image references have it: the part before the first `/` is a registry when it has a `.` or `:`, or is `localhost`.
pub(crate) fn names_registry(image: &str) -> bool {
    let first = image.split_once('/').map(|(first, _)| first);
    first.is_some_and(|f| f.contains(['.', ':']) || f == "localhost")
}
