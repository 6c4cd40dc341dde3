//! Two deployments that want one port of a host: the one that has it keeps it, else the older gets it.

use std::collections::HashMap;

use cairn_contract::workload::{Body as Part, Nic, Port, Protocol};
use cairn_domain::model::{TargetKind, Uid};

use super::carrier::Carrier;
use crate::{Assignment, Body, release::HostPort, state::State};

/// Which carrier cannot have a port of a host, and which one has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Clash {
    pub(crate) port: HostPort,
    pub(crate) host: Uid,
    /// Numbers of carriers.
    pub(crate) winner: usize,
    pub(crate) loser: usize,
}

/// All clashes; of one loser and host the first.
#[derive(Debug, Default)]
pub(crate) struct Clashes {
    pub(crate) all: Vec<Clash>,
    lost: HashMap<(usize, Uid), usize>,
}

impl Clashes {
    /// What keeps a carrier from a host.
    pub(crate) fn lost(&self, carrier: usize, host: Uid) -> Option<Clash> {
        self.lost.get(&(carrier, host)).and_then(|at| self.all.get(*at)).copied()
    }
}

/// `carriers` by age.
pub(crate) fn find(state: &State<'_>, carriers: &[Carrier<'_, '_>]) -> Clashes {
    let mut wanted: HashMap<(Uid, HostPort), Vec<usize>> = HashMap::new();
    for (number, carrier) in carriers.iter().enumerate().filter(|(_, c)| c.head.kind() == TargetKind::Host) {
        for target in &carrier.targets {
            let ports =
                carrier.variant(*target).and_then(|v| v.built.as_ref().ok()).map(|b| b.ports.as_slice());
            let Some(site) = state.sites.get(target.site) else { continue };
            for port in ports.unwrap_or_default() {
                let all = wanted.entry((site.uid(), *port)).or_default();
                if all.last() != Some(&number) {
                    all.push(number);
                }
            }
        }
    }
    let mut several: Vec<_> = wanted.into_iter().filter(|(_, all)| all.len() > 1).collect();
    several.sort();
    let mut out = Clashes::default();
    for ((host, port), all) in several {
        let has = |number: &&usize| {
            let row = carriers.get(**number).and_then(|c| state.rows.at(c.head.subject, host));
            row.is_some_and(|row| has_port(row, port))
        };
        let Some(winner) = all.iter().find(has).or_else(|| all.first()).copied() else { continue };
        for loser in all.into_iter().filter(|n| *n != winner) {
            let at = out.all.len();
            out.lost.entry((loser, host)).or_insert(at);
            out.all.push(Clash { port, host, winner, loser });
        }
    }
    out
}

/// Whether a host was told to give a port to it.
fn has_port(row: &Assignment, (port, protocol): HostPort) -> bool {
    let Some(Body::Release(release)) = &row.body else { return false };
    let is = |p: &Port| {
        p.host == port && matches!((p.protocol, protocol), (Protocol::TCP, "TCP") | (Protocol::UDP, "UDP"))
    };
    release.applications.iter().any(|a| match &a.body {
        Part::Container(container) => container.ports.iter().any(is),
        Part::Vm(vm) => vm.nics.iter().any(|nic: &Nic| nic.ports.iter().any(is)),
        Part::Manifests { .. } => false,
    })
}
