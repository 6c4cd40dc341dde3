//! A host's record, its states, and what can happen to it.

use cairn_contract::{
    Digest, DiskSelector, HostId, InstallId, Inventory, Mac, Timestamp, report::FailureKind,
};
use serde::{Deserialize, Serialize};

use super::{Retirement, Why};
use crate::{
    model::{Labels, Namespace, Settings},
    policy::TpmClass,
};

/// What an operator says of a host. At least one of `serial`, `uuid`, `macs`, `ek` is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HostSpec {
    /// Unique in the site; an RFC 1123 label, and the host's name.
    pub name: String,
    /// SMBIOS serial number.
    pub serial: Option<String>,
    /// SMBIOS UUID, lower case with dashes.
    pub uuid: Option<String>,
    /// Network addresses.
    pub macs: Vec<Mac>,
    /// SHA-256 of the EK's SPKI.
    pub ek: Option<Digest>,
    /// Name of the OS image; absent: the site's default.
    pub image: Option<String>,
    /// Which disk may be erased.
    pub disk: DiskSelector,
}

/// The installation that the disk holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installed {
    /// Which.
    pub install: InstallId,
    /// Image name.
    pub image: String,
    /// Image version.
    pub version: u64,
}

/// One host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Names it for good.
    pub id: HostId,
    /// What was registered.
    pub spec: HostSpec,
    /// Where it is.
    pub state: State,
    /// EK that proved itself as this host; from then on no other is accepted.
    pub ek: Option<Digest>,
    /// What it last said of itself.
    pub inventory: Option<Inventory>,
    /// What its disk holds, as far as reported.
    pub installed: Option<Installed>,
    /// When the record was made.
    pub created: Timestamp,
    /// When `state` changed last.
    pub changed: Timestamp,
    /// Grows by one with each change; a write against another value is refused.
    pub version: i64,
    /// Where it lies in the tree, and what else people say of it.
    #[serde(default)]
    pub meta: HostMeta,
}

/// What a host has as a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HostMeta {
    /// Its project.
    pub project: Namespace,
    /// Name of its site in that project; absent: directly in the project.
    pub site: Option<String>,
    /// By which selectors find it.
    pub labels: Labels,
    /// For programs.
    pub annotations: Labels,
    /// Of this host alone.
    pub settings: Settings,
    /// Grows by one with each change of what people say of it.
    pub generation: i64,
    /// Of its last visible change.
    pub resource_version: i64,
    /// What the certificate of its proven TPM makes that.
    pub tpm: Option<TpmClass>,
}

impl Default for HostMeta {
    fn default() -> Self {
        Self {
            project: Namespace::project("default", "default"),
            site: None,
            labels: Labels::new(),
            annotations: Labels::new(),
            settings: Settings::new(),
            generation: 1,
            resource_version: 0,
            tpm: None,
        }
    }
}

/// Where a host is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// Proved an EK that nobody registered; a person decides.
    Pending,
    /// Expected; not seen since.
    Registered,
    /// Asked for an address or a boot file.
    Booting {
        /// Installations begun so far.
        attempt: u32,
        /// Deadline.
        until: Timestamp,
    },
    /// Claimed an identity; evidence is awaited.
    Attesting {
        /// Installations begun so far.
        attempt: u32,
        /// Deadline.
        until: Timestamp,
    },
    /// Has a plan.
    Installing {
        /// Installations begun so far, this one included.
        attempt: u32,
        /// This one.
        install: InstallId,
        /// Deadline of the next report.
        until: Timestamp,
    },
    /// Installed; its OS has not proven itself yet.
    FirstBoot {
        /// The finished one.
        install: InstallId,
        /// Deadline.
        until: Timestamp,
    },
    /// Its OS proved itself and its agent reports.
    Running {
        /// A heartbeat is due before.
        until: Timestamp,
    },
    /// Was running; no heartbeat since.
    Silent {
        /// Since when.
        since: Timestamp,
    },
    /// Gave evidence that does not hold.
    Quarantined {
        /// The reason.
        why: Why,
    },
    /// Cannot go on by itself.
    Failed {
        /// The reason.
        why: Why,
    },
    /// Out of service: its next boot from the network wipes its disk.
    Retiring {
        /// Wipes begun so far.
        attempt: u32,
    },
    /// Has a plan to wipe its disk.
    Wiping {
        /// Wipes begun so far, this one included.
        attempt: u32,
        /// This one.
        install: InstallId,
        /// Deadline of the next report.
        until: Timestamp,
    },
    /// Its disk is proven to be wiped. Final: the machine is nobody's, and the record can be removed.
    Retired {
        /// With what proof.
        as_of: Box<Retirement>,
    },
}

impl State {
    /// One word, as the API and the console show it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Registered => "registered",
            Self::Booting { .. } => "booting",
            Self::Attesting { .. } => "attesting",
            Self::Installing { .. } => "installing",
            Self::FirstBoot { .. } => "first boot",
            Self::Running { .. } => "running",
            Self::Silent { .. } => "silent",
            Self::Quarantined { .. } => "quarantined",
            Self::Failed { .. } => "failed",
            Self::Retiring { .. } => "retiring",
            Self::Wiping { .. } => "wiping",
            Self::Retired { .. } => "retired",
        }
    }

    /// When [`Event::Tick`] will move it, for states that do not last.
    pub fn deadline(&self) -> Option<Timestamp> {
        match self {
            Self::Booting { until, .. }
            | Self::Attesting { until, .. }
            | Self::Installing { until, .. }
            | Self::FirstBoot { until, .. }
            | Self::Wiping { until, .. }
            | Self::Running { until } => Some(*until),
            Self::Pending
            | Self::Registered
            | Self::Silent { .. }
            | Self::Quarantined { .. }
            | Self::Failed { .. }
            | Self::Retiring { .. }
            | Self::Retired { .. } => None,
        }
    }

    /// The reason of a state that waits for a person.
    pub fn why(&self) -> Option<Why> {
        match self {
            Self::Pending => Some(Why::Unknown),
            Self::Quarantined { why } | Self::Failed { why } => Some(why.clone()),
            Self::Registered
            | Self::Booting { .. }
            | Self::Attesting { .. }
            | Self::Installing { .. }
            | Self::FirstBoot { .. }
            | Self::Running { .. }
            | Self::Silent { .. }
            | Self::Retiring { .. }
            | Self::Wiping { .. }
            | Self::Retired { .. } => None,
        }
    }
}

/// What happened to a host. Facts, in the past tense; an event cannot be an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It asked for an address with a boot file, or fetched one.
    Knocked,
    /// It claimed an EK whose chain holds; a challenge went out.
    Claimed,
    /// Installer evidence held: it may have a plan under this id, which was never used before.
    InstallerProven(InstallId),
    /// Evidence did not hold.
    Refused(Why),
    /// The installer of this installation is at work.
    InstallProgressed(InstallId),
    /// The installer of this installation gave up.
    InstallFailed(InstallId, FailureKind),
    /// The disk of this installation is bootable.
    InstallFinished(InstallId),
    /// The installed OS's evidence held; it has a certificate.
    AgentProven,
    /// The agent reported.
    HeartbeatHeard,
    /// Time passed.
    Tick,
    /// A person accepted a pending host.
    Accepted,
    /// A person wants a stopped host to go on.
    Retried,
    /// A person wants it installed again.
    ReinstallOrdered,
    /// A person took its authorisation back.
    Deauthorised,
    /// A person wants its disk wiped and the host out of service.
    DecommissionOrdered,
    /// The proof of this wipe holds.
    WipeProven(InstallId, Box<Retirement>),
}

/// What to do after a step is committed. Each may run twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum Effect {
    /// End every open connection of this host and void its certificate.
    Disconnect {
        /// Whose.
        host: HostId,
    },
    /// Reports of this installation are no longer accepted.
    VoidInstall {
        /// Which.
        install: InstallId,
    },
}
