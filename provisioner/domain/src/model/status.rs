//! What the API shows of a host beyond its spec: computed from the lifecycle's record, never stored.

use cairn_contract::{Digest, Inventory, Mac, Timestamp, WipeProof};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Condition, Object, Truth};
use crate::{
    Host, State,
    host::{Installed, Retirement, may_decommission},
    policy::TpmClass,
};

/// What an operator may order of a host in its present state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Let it in.
    Accept,
    /// Let it go on.
    Retry,
    /// Install it again.
    Reinstall,
    /// End its connections and void its certificate; it must prove itself again and be let in.
    Deauthorise,
    /// Wipe its disk and forget it.
    Decommission,
    /// Forget it.
    Remove,
}

/// `status` of a host.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostStatus {
    /// One of the words of [`State::word`].
    pub phase: &'static str,
    /// RFC 3339; since when it is in that phase.
    pub since: Option<String>,
    /// Installations begun, where the phase counts them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// RFC 3339; when the phase moves on by itself. Shown while it lasts less than the heartbeat's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<String>,
    /// Why it waits for a person, as a sentence fragment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What to try next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// What its disk holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub installed: Option<InstalledImage>,
    /// Serial number, registered or else reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// SMBIOS UUID, registered or else reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// Addresses, registered and reported.
    #[schemars(with = "Vec<String>")]
    pub macs: Vec<Mac>,
    /// Absent: none was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tpm: Option<TpmStatus>,
    /// What it last said of itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub inventory: Option<Inventory>,
    /// The proof that its disk is wiped, in the phase `retired`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retired: Option<RetiredStatus>,
    /// What may be ordered now.
    pub actions: Vec<Action>,
    /// `Ready`, `Attested`, `Installed`.
    pub conditions: Vec<Condition>,
}

/// What a disk holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstalledImage {
    /// Image name.
    pub image: String,
    /// Image version.
    pub version: u64,
}

/// A disk that was wiped, and what proves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RetiredStatus {
    /// RFC 3339; when the proof was accepted.
    pub at: Option<String>,
    /// Kernel name of the disk, such as `nvme0n1`.
    pub disk: String,
    /// Its model.
    pub model: String,
    /// Its serial number.
    pub serial: String,
    /// How it was wiped, in words.
    pub method: &'static str,
    /// Bytes wiped.
    pub bytes: u64,
    /// Places that were read back, all of them zero.
    pub samples: u32,
    /// SHA-256 over the list of those places and what was read there.
    #[schemars(with = "String")]
    pub samples_sha256: Digest,
    /// RFC 3339, by the host's clock.
    pub started: Option<String>,
    /// RFC 3339, by the host's clock.
    pub finished: Option<String>,
    /// SHA-256 of the EK of the machine that wiped it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub ek: Option<Digest>,
    /// The signed plan, the report as it was quoted, the attestation key, quote and signature: enough to judge it again.
    #[schemars(with = "serde_json::Value")]
    pub proof: WipeProof,
}

/// What is known of a host's TPM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TpmStatus {
    /// Four-character vendor id as the host says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<String>,
    /// What its certificate makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<TpmClass>,
    /// SHA-256 of the EK that proved itself as this host.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub ek: Option<Digest>,
}

/// The status of a host; other kinds have none.
pub(super) fn of(object: &Object) -> Option<HostStatus> {
    object.host.as_deref().map(of_host)
}

/// The status of a host.
pub fn of_host(host: &Host) -> HostStatus {
    let why = host.state.why();
    let smbios = host.inventory.as_ref().map(|i| &i.smbios);
    let reported = |value: Option<&String>| value.filter(|v| !v.is_empty()).cloned();
    let nics = host.inventory.iter().flat_map(|i| i.nics.iter().map(|n| n.mac));
    let mut macs = host.spec.macs.clone();
    for mac in nics {
        if !macs.contains(&mac) {
            macs.push(mac);
        }
    }
    HostStatus {
        phase: host.state.word(),
        since: rfc3339(host.changed),
        attempt: attempt(&host.state),
        deadline: match host.state {
            State::Running { .. } => None,
            _ => host.state.deadline().and_then(rfc3339),
        },
        next: next(&host.state).map(|text| text.replace("NAME", &host.spec.name)),
        why: why.map(|w| w.to_string()),
        installed: host.installed.as_ref().map(installed),
        serial: host.spec.serial.clone().or_else(|| reported(smbios.map(|s| &s.serial))),
        uuid: host.spec.uuid.clone().or_else(|| reported(smbios.map(|s| &s.uuid))),
        macs,
        tpm: tpm(host),
        inventory: host.inventory.clone(),
        retired: retired(&host.state),
        actions: actions(host),
        conditions: conditions(host),
    }
}

/// What a person does to bring it forward, where it waits for one.
fn next(state: &State) -> Option<&'static str> {
    match state {
        State::Retiring { .. } => {
            Some("Boot it from the network: that wipes its disk. To take it back: cairn host retry NAME")
        }
        _ => state.why().map(|why| why.next()),
    }
}

fn installed(installed: &Installed) -> InstalledImage {
    InstalledImage { image: installed.image.clone(), version: installed.version }
}

fn tpm(host: &Host) -> Option<TpmStatus> {
    let said = host.inventory.as_ref().and_then(|i| i.tpm.as_ref());
    if said.is_none() && host.ek.is_none() {
        return None;
    }
    Some(TpmStatus { manufacturer: said.map(|t| t.manufacturer.clone()), class: host.meta.tpm, ek: host.ek })
}

/// Installations begun, where the state counts them.
pub fn attempt(state: &State) -> Option<u32> {
    match state {
        State::Booting { attempt, .. }
        | State::Attesting { attempt, .. }
        | State::Installing { attempt, .. }
        | State::Retiring { attempt }
        | State::Wiping { attempt, .. } => Some(*attempt),
        State::Pending
        | State::Registered
        | State::FirstBoot { .. }
        | State::Running { .. }
        | State::Silent { .. }
        | State::Quarantined { .. }
        | State::Failed { .. }
        | State::Retired { .. } => None,
    }
}

fn retired(state: &State) -> Option<RetiredStatus> {
    let State::Retired { as_of } = state else { return None };
    let Retirement { at, ek, report, proof } = as_of.as_ref();
    Some(RetiredStatus {
        at: rfc3339(*at),
        disk: report.disk.name.clone(),
        model: report.disk.model.clone(),
        serial: report.disk.serial.clone(),
        method: report.method(),
        bytes: report.bytes,
        samples: report.samples,
        samples_sha256: report.samples_sha256,
        started: rfc3339(report.started),
        finished: rfc3339(report.finished),
        ek: *ek,
        proof: proof.clone(),
    })
}

fn actions(host: &Host) -> Vec<Action> {
    let mut actions = actions_in(&host.state);
    if may_decommission(host) {
        actions.insert(actions.len().saturating_sub(1), Action::Decommission);
    }
    actions
}

/// Without [`Action::Decommission`], which depends on more than the state. `Remove` comes last.
fn actions_in(state: &State) -> Vec<Action> {
    use Action::{Accept, Deauthorise, Reinstall, Remove, Retry};
    match state {
        State::Pending => vec![Accept, Remove],
        State::Quarantined { .. } | State::Failed { .. } => vec![Retry, Reinstall, Remove],
        State::FirstBoot { .. } | State::Running { .. } | State::Silent { .. } => {
            vec![Reinstall, Deauthorise, Remove]
        }
        State::Retiring { .. } => vec![Retry, Reinstall, Remove],
        State::Registered
        | State::Booting { .. }
        | State::Attesting { .. }
        | State::Installing { .. }
        | State::Wiping { .. } => vec![Reinstall, Remove],
        State::Retired { .. } => vec![Remove],
    }
}

fn conditions(host: &Host) -> Vec<Condition> {
    let say = |r#type: &str, holds: bool, reason: &str, message: String| Condition {
        r#type: r#type.to_owned(),
        status: if holds { Truth::True } else { Truth::False },
        reason: reason.to_owned(),
        message,
        last_transition_time: (r#type == "Ready").then(|| rfc3339(host.changed)).flatten(),
    };
    let running = matches!(host.state, State::Running { .. });
    let why =
        host.state.why().map_or_else(|| format!("the host is {}", host.state.word()), |w| w.to_string());
    let ready = say("Ready", running, &camel(host.state.word()), why);
    let (reason, message) = match host.ek {
        Some(_) => ("Proven", "its TPM proved its identity".to_owned()),
        None => ("NotSeen", "no TPM has proven itself as this host yet".to_owned()),
    };
    let attested = say("Attested", host.ek.is_some(), reason, message);
    let (reason, message) = match &host.installed {
        Some(i) => ("Installed", format!("{} {} is on its disk", i.image, i.version)),
        None => ("NotInstalled", "no installation has finished yet".to_owned()),
    };
    vec![ready, attested, say("Installed", host.installed.is_some(), reason, message)]
}

/// `first boot` becomes `FirstBoot`.
fn camel(word: &str) -> String {
    let upper = |part: &str| {
        let mut chars = part.chars();
        chars.next().map(|c| c.to_ascii_uppercase()).into_iter().chain(chars).collect::<String>()
    };
    word.split(' ').map(upper).collect()
}

/// `2026-11-22T16:00:00Z`, with milliseconds where there are some; `None` outside of years that have that form.
pub fn rfc3339(at: Timestamp) -> Option<String> {
    jiff::Timestamp::from_millisecond(at.0).ok().map(|t| t.to_string())
}
