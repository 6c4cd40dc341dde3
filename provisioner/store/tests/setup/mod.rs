//! Values that the store's tests put in.

#![allow(dead_code, reason = "each test uses some")]
#![allow(clippy::unwrap_used, reason = "only tests use this")]

pub(crate) mod engines;

use cairn_contract::{
    Digest, HostId, ImageManifest, Inventory, Mac, Signed, Smbios, Timestamp, inventory::NicInfo,
};
use cairn_domain::{
    Host, HostSpec, Level, Note, State,
    audit::{Actor, ActorKind},
    model::{Kind, Labels, Metadata, Namespace, Object, Spec, Uid},
};
use cairn_store::{
    Batch, Change, Image, Installer, InstallerStanding, Line, ResourceWrite, Store, Trail, Whose,
};
use ed25519_dalek::SigningKey;
use uuid::Uuid;

pub(crate) const NOW: Timestamp = Timestamp(1_800_000_000_000);

pub(crate) fn host(name: &str) -> Host {
    Host {
        id: HostId(Uuid::new_v4()),
        spec: HostSpec { name: name.into(), ..HostSpec::default() },
        state: State::Registered,
        ek: None,
        inventory: None,
        installed: None,
        created: NOW,
        changed: NOW,
        version: 0,
        meta: Default::default(),
    }
}

pub(crate) fn mac(last: u8) -> Mac {
    Mac([0x52, 0x54, 0, 0, 0, last])
}

pub(crate) fn ek(seed: &str) -> Digest {
    Digest::of(seed.as_bytes())
}

/// An inventory with these names.
pub(crate) fn inventory(serial: &str, uuid: &str, macs: &[Mac]) -> Inventory {
    let nic = |mac: &Mac| NicInfo {
        name: "eth0".into(),
        mac: *mac,
        driver: String::new(),
        speed_mbps: None,
        carrier: true,
    };
    Inventory {
        smbios: Smbios { serial: serial.into(), uuid: uuid.into(), ..Smbios::default() },
        nics: macs.iter().map(nic).collect(),
        ..Inventory::default()
    }
}

/// Commits `host` as a new one and returns it as it is stored.
pub(crate) async fn insert(store: &Store, mut host: Host) -> Host {
    store.commit(Change::insert(host.clone(), NOW)).await.unwrap();
    host = store.host(host.id).await.unwrap().unwrap();
    host
}

pub(crate) fn line(whose: Whose, text: &str) -> Line {
    Line { whose, at: NOW, note: Note::new(Level::Info, "test", text), state: None }
}

/// Signed by the key of 32 sevens.
pub(crate) fn image(version: u64) -> Image {
    let manifest = ImageManifest {
        name: "tiny".into(),
        version,
        os_version: "1".into(),
        created: NOW,
        expires: NOW.after_seconds(60),
        blob: ek("blob"),
        blob_size: 4,
        partitions: Vec::new(),
    };
    let key = SigningKey::from_bytes(&[7; 32]);
    Image {
        name: "tiny".into(),
        version,
        os_version: "1".into(),
        created: NOW,
        expires: NOW.after_seconds(60),
        manifest: Signed::sign(&key, &manifest).unwrap(),
        reference: "{}".into(),
        blob: ek("blob"),
        size: 4,
    }
}

pub(crate) fn installer(version: &str, standing: InstallerStanding) -> Installer {
    Installer {
        flavour: "lab".into(),
        version: version.into(),
        created: NOW,
        reference: "{}".into(),
        uki: ek(version),
        kernel: ek("kernel"),
        initrd: ek("initrd"),
        standing,
    }
}

pub(crate) fn alice() -> Actor {
    Actor { kind: ActorKind::User, name: "alice".into(), origin: "[::1]:4711".into() }
}

/// Ordered by Alice.
pub(crate) fn batch(writes: Vec<ResourceWrite>) -> Batch {
    let trail = Trail::default();
    Batch { actor: alice(), at: NOW, premise: None, writes, credentials: Vec::new(), trail }
}

pub(crate) fn resource(kind: Kind, namespace: &Namespace, name: &str, spec: serde_json::Value) -> Object {
    let metadata = Metadata {
        name: name.into(),
        namespace: namespace.clone(),
        uid: Uid(Uuid::new_v4()),
        labels: Labels::new(),
        annotations: Labels::new(),
        generation: 0,
        resource_version: 0,
        created: NOW,
    };
    Object { metadata, spec: Spec::parse(kind, spec).unwrap(), host: None, status: None }
}
