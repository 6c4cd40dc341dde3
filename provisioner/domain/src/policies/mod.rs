//! Which policy of many applies to a host, field by field.
//!
//! Best first: (1) enforced policies, the highest in the tree first; (2) the deepest node, host > site > region > project >
//! organisation > appliance, where at one node a selector beats a plain binding, and a host's own `spec.image` beats any
//! policy at the host; (3) the higher priority; (4) the older; (5) the name. Below them all: `cairn.toml`, then the
//! program's own defaults. A field that no section names is left to the next policy.

mod fields;
mod rank;

pub use fields::{Origin, Resolved};

use cairn_contract::Timestamp;

use crate::{
    Policy,
    index::Index,
    model::{
        ClusterMode, FirmwareProfileSpec, Kind, MaintenanceWindow, Network, Object, PolicySpec, Spec, Uid,
    },
    window::{self, Windows},
};
use rank::Ranked;

/// What the appliance says where no policy does.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Defaults {
    /// `[policy]` of `cairn.toml`.
    pub policy: Policy,
    /// `default_image` of `cairn.toml`.
    pub image: Option<String>,
}

/// Everything that applies to one host.
#[derive(Debug, Clone, PartialEq)]
pub struct HostPolicy {
    /// Deadlines, limits and what it must prove.
    pub policy: Policy,
    /// What it is installed with; `None`: nobody said.
    pub image: Option<String>,
    /// Whether it gets a boot file.
    pub network: Network,
    /// Whether a new installation must wait for a window.
    pub only_in_window: bool,
    /// In the time zone of its site; empty: always.
    pub windows: Vec<MaintenanceWindow>,
    /// The site's time zone.
    pub timezone: Option<String>,
}

/// Which cluster a host gets when no cluster names it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterPolicy {
    /// Whether it gets one.
    pub mode: ClusterMode,
    /// From which template; `None`: the default one.
    pub template: Option<String>,
}

/// What policies say of a host's cluster.
pub fn cluster(index: &Index, host: Uid) -> ClusterPolicy {
    let ranked = Ranked::of(index, host);
    ClusterPolicy {
        mode: ranked.best(fields::cluster_mode).copied().unwrap_or_default(),
        template: ranked.best(fields::cluster_template).cloned(),
    }
}

/// What applies to a host, or would to one at this node. Where there is none of this uid: what applies to machines that
/// nobody knows.
pub fn effective(index: &Index, host: Uid, defaults: &Defaults) -> HostPolicy {
    let ranked = Ranked::of(index, host);
    let base = &defaults.policy;
    let own = index.get(host).and_then(|o| own_image(o));
    let slow = firmware(index, host).and_then(|p| p.quirks.slow_start_seconds).unwrap_or(0);
    let boot = |s: u32| s.saturating_add(slow);
    HostPolicy {
        policy: Policy {
            boot_s: boot(*ranked.best(fields::patience).unwrap_or(&base.boot_s)),
            evidence_s: *ranked.best(fields::evidence).unwrap_or(&base.evidence_s),
            install_silence_s: *ranked.best(fields::silence).unwrap_or(&base.install_silence_s),
            first_boot_s: boot(*ranked.best(fields::first_boot).unwrap_or(&base.first_boot_s)),
            heartbeat_loss_s: *ranked.best(fields::silent_after).unwrap_or(&base.heartbeat_loss_s),
            max_attempts: *ranked.best(fields::max_attempts).unwrap_or(&base.max_attempts),
            tpm_classes: ranked.best(fields::tpm_classes).unwrap_or(&base.tpm_classes).clone(),
            mode: *ranked.best(fields::mode).unwrap_or(&base.mode),
        },
        image: ranked.image(own).cloned().or_else(|| defaults.image.clone()),
        network: *ranked.best(fields::network).unwrap_or(&Network::Allow),
        only_in_window: *ranked.best(fields::only_in_window).unwrap_or(&false),
        windows: ranked.best(fields::windows).cloned().unwrap_or_default(),
        timezone: timezone(index, host),
    }
}

/// Each field that applies to a host, with the policy that says so and those that it overrides.
pub fn explain(index: &Index, host: Uid, defaults: &Defaults) -> Vec<Resolved> {
    let ranked = Ranked::of(index, host);
    let own = index.get(host).filter(|o| own_image(o).is_some());
    fields::explain(&ranked, own.map(AsRef::as_ref), defaults)
}

/// The firmware profile that fits a host by what it said of itself; the deepest namespace's, then by name.
pub fn firmware(index: &Index, host: Uid) -> Option<&FirmwareProfileSpec> {
    let smbios = &index.get(host)?.host.as_ref()?.inventory.as_ref()?.smbios;
    let fits = |spec: &FirmwareProfileSpec| {
        let part = |pattern: &Option<String>, value: &str| {
            pattern.as_deref().is_none_or(|p| crate::glob::matches(p, value))
        };
        part(&spec.r#match.manufacturer, &smbios.vendor) && part(&spec.r#match.product, &smbios.product)
    };
    let namespaces = std::iter::successors(Some(index.get(host)?.metadata.namespace.clone()), |n| n.parent());
    let found = namespaces.flat_map(|n| {
        let all = index.in_namespace(Kind::FirmwareProfile, &n);
        all.collect::<Vec<_>>()
    });
    found
        .filter_map(|object| match &object.spec {
            Spec::FirmwareProfile(spec) => Some(spec),
            _ => None,
        })
        .find(|spec| fits(spec))
}

/// Of the site that a host is in.
pub fn timezone(index: &Index, host: Uid) -> Option<String> {
    index.upwards(Some(host)).find_map(|object| match &object.spec {
        Spec::Site(site) => site.timezone.clone(),
        _ => None,
    })
}

fn own_image(object: &Object) -> Option<&String> {
    match &object.spec {
        Spec::Host(spec) => spec.image.as_ref(),
        _ => None,
    }
}

/// The spec of a policy.
fn spec_of(object: &Object) -> Option<&PolicySpec> {
    match &object.spec {
        Spec::Policy(spec) => Some(spec),
        _ => None,
    }
}

/// Whether a host may be disturbed now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disturb {
    /// It may.
    Now,
    /// Not before this; `None`: never, as its windows are.
    NotBefore(Option<Timestamp>),
}

impl HostPolicy {
    /// Whether `update.onlyInWindow` lets a new installation begin. Without windows, or with ones that cannot be read (a
    /// write of such is refused), nothing is held back.
    pub fn disturb(&self, now: Timestamp) -> Disturb {
        if !self.only_in_window || self.windows.is_empty() {
            return Disturb::Now;
        }
        let zone = self.timezone.as_deref().unwrap_or("UTC");
        let windows = self.windows.iter().map(|w| (w.start.as_str(), w.minutes));
        match Windows::read(zone, windows).map(|w| w.state(now)) {
            Ok(window::State::Closed { next }) => Disturb::NotBefore(next),
            Ok(window::State::Open { .. }) | Err(_) => Disturb::Now,
        }
    }
}
