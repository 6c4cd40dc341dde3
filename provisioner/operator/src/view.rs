//! What the API shows: stable JSON, also read by `cairn-cli`. Made from records of the store, never stored.

use cairn_contract::{Digest, HostId, Inventory, Mac, Timestamp};
use cairn_domain::{Host, HostSpec, State, host::Installed};
pub use cairn_store::InstallerStanding;
use cairn_store::{Image, Installer, UnknownMachine};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Page<T> {
    /// At most `limit` items, in the list's order.
    pub items: Vec<T>,
    /// `after` of the next page; absent on the last.
    pub next: Option<String>,
}

/// What an operator may do with a host in its present state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Let it in.
    Accept,
    /// Let it go on.
    Retry,
    /// Install it again.
    Reinstall,
    /// Forget it.
    Remove,
}

/// What is known of a host's TPM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tpm {
    /// Four-character vendor id as the host says.
    pub manufacturer: Option<String>,
    /// Its EK proved itself as this host.
    pub proven: Proven,
}

/// Whether an EK was proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Proven {
    /// It was.
    Yes,
    /// Not yet.
    No,
}

/// One host in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostRow {
    /// Names it for good.
    pub id: HostId,
    /// Unique in the site.
    pub name: String,
    /// One of the words of [`State::word`].
    pub state: String,
    /// When the state changed last.
    pub since: Timestamp,
    /// Installations begun, where the state counts them.
    pub attempt: Option<u32>,
    /// When the state moves on by itself.
    pub deadline: Option<Timestamp>,
    /// Why it waits for a person, as a sentence fragment.
    pub why: Option<String>,
    /// What to try next.
    pub next: Option<String>,
    /// Image that it was registered with; absent: the site's default.
    pub image: Option<String>,
    /// What its disk holds.
    pub installed: Option<Installed>,
    /// Serial number, registered or else reported.
    pub serial: Option<String>,
    /// SMBIOS UUID, registered or else reported.
    pub uuid: Option<String>,
    /// Addresses, registered and reported.
    pub macs: Vec<Mac>,
    /// Absent: none was seen.
    pub tpm: Option<Tpm>,
    /// What may be ordered now.
    pub actions: Vec<Action>,
}

/// All about one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostDetail {
    /// As in a list.
    #[serde(flatten)]
    pub row: HostRow,
    /// What was registered.
    pub spec: HostSpec,
    /// EK that proved itself.
    pub ek: Option<Digest>,
    /// What it last said of itself.
    pub inventory: Option<Inventory>,
    /// When the record was made.
    pub created: Timestamp,
    /// Grows with each change.
    pub version: i64,
}

/// A machine that knocked and is no host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Machine {
    /// Its address.
    #[schemars(with = "String")]
    pub mac: Mac,
    /// When it was first heard.
    #[schemars(with = "i64")]
    pub first: Timestamp,
    /// When it was last heard.
    #[schemars(with = "i64")]
    pub at: Timestamp,
    /// Its last step.
    pub text: String,
}

/// An OS image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ImageRow {
    /// Name.
    pub name: String,
    /// Version.
    pub version: u64,
    /// For people.
    pub os_version: String,
    /// Bytes of the blob.
    pub size: u64,
    /// SHA-256 of the blob.
    #[schemars(with = "String")]
    pub sha256: Digest,
    /// When the site signed it.
    #[schemars(with = "i64")]
    pub created: Timestamp,
    /// Installers refuse it from then on.
    #[schemars(with = "i64")]
    pub expires: Timestamp,
}

/// An installer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InstallerRow {
    /// Flavour, such as `metal` or `lab`.
    pub name: String,
    /// Version.
    pub version: String,
    /// What it is used for.
    #[schemars(with = "String")]
    pub standing: InstallerStanding,
    /// SHA-256 of the UKI.
    #[schemars(with = "String")]
    pub sha256: Digest,
    /// When it was composed.
    #[schemars(with = "i64")]
    pub created: Timestamp,
}

/// Something about the site that a person should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Warning {
    /// What.
    pub text: String,
    /// What to try; may be empty.
    pub next: String,
}

/// How many hosts are in one state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Count {
    /// The state's word.
    pub state: String,
    /// Hosts in it.
    pub hosts: u64,
}

/// The site at a glance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// Version of the server.
    pub version: String,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// Time of the server.
    #[schemars(with = "i64")]
    pub now: Timestamp,
    /// Last line of the timeline: where a watch begins.
    pub seq: i64,
    /// Hosts in all.
    pub hosts: u64,
    /// States that have hosts, in the order of the lifecycle.
    pub counts: Vec<Count>,
    /// Machines that knocked and are no host.
    pub machines: u64,
    /// What to look at.
    pub warnings: Vec<Warning>,
}

impl From<&Host> for HostRow {
    fn from(host: &Host) -> Self {
        let smbios = host.inventory.as_ref().map(|i| &i.smbios);
        let said = |text: Option<&String>| text.filter(|t| !t.is_empty()).cloned();
        let why = host.state.why();
        Self {
            id: host.id,
            name: host.spec.name.clone(),
            state: host.state.word().to_owned(),
            since: host.changed,
            attempt: attempt(&host.state),
            deadline: host.state.deadline(),
            next: why.as_ref().map(|w| w.next().replace("NAME", &host.spec.name)),
            why: why.map(|w| w.to_string()),
            image: host.spec.image.clone(),
            installed: host.installed.clone(),
            serial: host.spec.serial.clone().or_else(|| said(smbios.map(|s| &s.serial))),
            uuid: host.spec.uuid.clone().or_else(|| said(smbios.map(|s| &s.uuid))),
            macs: macs(host),
            tpm: tpm(host),
            actions: actions(&host.state),
        }
    }
}

impl From<Host> for HostDetail {
    fn from(host: Host) -> Self {
        let row = HostRow::from(&host);
        let Host { spec, ek, inventory, created, version, .. } = host;
        Self { row, spec, ek, inventory, created, version }
    }
}

pub(crate) fn attempt(state: &State) -> Option<u32> {
    match state {
        State::Booting { attempt, .. }
        | State::Attesting { attempt, .. }
        | State::Installing { attempt, .. } => Some(*attempt).filter(|n| *n > 0),
        State::Pending
        | State::Registered
        | State::FirstBoot { .. }
        | State::Running { .. }
        | State::Silent { .. }
        | State::Quarantined { .. }
        | State::Failed { .. } => None,
    }
}

fn actions(state: &State) -> Vec<Action> {
    match state {
        State::Pending => vec![Action::Accept, Action::Remove],
        State::Quarantined { .. } | State::Failed { .. } => {
            vec![Action::Retry, Action::Reinstall, Action::Remove]
        }
        State::Registered
        | State::Booting { .. }
        | State::Attesting { .. }
        | State::Installing { .. }
        | State::FirstBoot { .. }
        | State::Running { .. }
        | State::Silent { .. } => vec![Action::Reinstall, Action::Remove],
    }
}

fn macs(host: &Host) -> Vec<Mac> {
    let mut all = host.spec.macs.clone();
    for mac in host.inventory.iter().flat_map(|i| &i.nics).map(|n| n.mac) {
        if !all.contains(&mac) {
            all.push(mac);
        }
    }
    all
}

fn tpm(host: &Host) -> Option<Tpm> {
    let manufacturer = host.inventory.as_ref().and_then(|i| i.tpm.as_ref()).map(|t| t.manufacturer.clone());
    let proven = if host.ek.is_some() { Proven::Yes } else { Proven::No };
    (manufacturer.is_some() || proven == Proven::Yes).then_some(Tpm { manufacturer, proven })
}

impl From<UnknownMachine> for Machine {
    fn from(m: UnknownMachine) -> Self {
        Self { mac: m.mac, first: m.first, at: m.last, text: m.note.text }
    }
}

impl From<Image> for ImageRow {
    fn from(i: Image) -> Self {
        let Image { name, version, os_version, created, expires, blob, size, .. } = i;
        Self { name, version, os_version, size, sha256: blob, created, expires }
    }
}

impl From<Installer> for InstallerRow {
    fn from(i: Installer) -> Self {
        let Installer { flavour, version, created, uki, standing, .. } = i;
        Self { name: flavour, version, standing, sha256: uki, created }
    }
}
