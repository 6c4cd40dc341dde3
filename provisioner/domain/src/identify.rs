//! Which record a proven machine is (attestation.md rule 3): the EK decides, names only introduce.

use cairn_contract::{Digest, Mac};

use crate::{
    fact::Claim,
    host::{Host, Why},
};

/// Who a proven claim is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// `candidates[i]`, whose EK this is already, or which had none until now.
    Known(usize),
    /// Nobody: a pending host with a record of its own.
    Unknown,
    /// It presents names of others: a quarantined record of its own, never merged. `also` are the records to warn.
    Conflict {
        /// The reason.
        why: Why,
        /// Indices into `candidates`.
        also: Vec<usize>,
    },
}

/// Decides among `candidates`: all records that share the claim's EK, serial number, UUID or an address.
pub fn identify(claim: &Claim, candidates: &[Host]) -> Identity {
    let smbios = &claim.inventory.smbios;
    let macs: Vec<Mac> = claim.inventory.nics.iter().map(|n| n.mac).chain([claim.boot_mac]).collect();
    // A retired record owns neither EK nor names.
    let live =
        || (0..candidates.len()).filter(|i| !matches!(candidates[*i].state, crate::State::Retired { .. }));
    let named: Vec<usize> =
        live().filter(|i| is_named(&candidates[*i], &smbios.serial, &smbios.uuid, &macs)).collect();
    let by_ek = live().find(|i| eks(&candidates[*i]).any(|ek| ek == claim.ek));
    let owner = match (by_ek, named.as_slice()) {
        (Some(mine), _) => mine,
        (None, []) => return Identity::Unknown,
        (None, [one]) => *one,
        (None, many) => return conflict(Why::Ambiguous(names(candidates, many)), many.to_vec()),
    };
    if eks(&candidates[owner]).any(|ek| ek != claim.ek) {
        return conflict(Why::OtherTpm(candidates[owner].spec.name.clone()), vec![owner]);
    }
    let others: Vec<usize> = named.into_iter().filter(|i| *i != owner).collect();
    // A record of its own, in conflict already, is not a reason to make another.
    if others.is_empty() || matches!(candidates[owner].state, crate::State::Quarantined { .. }) {
        return Identity::Known(owner);
    }
    conflict(Why::Ambiguous(names(candidates, &others)), others)
}

fn eks(host: &Host) -> impl Iterator<Item = Digest> + '_ {
    host.ek.into_iter().chain(host.spec.ek)
}

fn is_named(host: &Host, serial: &str, uuid: &str, macs: &[Mac]) -> bool {
    let same = |a: &Option<String>, b: &str| {
        a.as_deref().is_some_and(|a| !a.is_empty() && a.eq_ignore_ascii_case(b))
    };
    same(&host.spec.serial, serial)
        || same(&host.spec.uuid, uuid)
        || host.spec.macs.iter().any(|m| macs.contains(m))
}

fn names(candidates: &[Host], of: &[usize]) -> String {
    of.iter().map(|i| candidates[*i].spec.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn conflict(why: Why, also: Vec<usize>) -> Identity {
    Identity::Conflict { why, also }
}
