//! What an operator says of a host: checked, in normal spelling, and free of what belongs to others.

use cairn_contract::HostId;
use cairn_domain::{Host, HostSpec, State, name};
use cairn_store::{KeyKind, OrderError, ReadError};
use uuid::Uuid;

use crate::Driver;

/// Addresses that one host can have registered.
const MAX_MACS: usize = 32;
/// Bytes of a serial number (SMBIOS strings are at most 64 in practice).
const MAX_SERIAL: usize = 128;

/// `spec` in normal spelling. A host that has proven an EK needs no other name to be recognised by.
pub(crate) fn check(mut spec: HostSpec, proven: Option<&Host>) -> Result<HostSpec, OrderError> {
    check_name(&spec.name)?;
    spec.serial = spec.serial.map(|s| s.trim().to_owned()).filter(|s| !s.is_empty());
    if let Some(serial) = &spec.serial
        && (serial.len() > MAX_SERIAL || serial.chars().any(char::is_control))
    {
        return Err(OrderError::Value { what: "serial number", value: serial.clone() });
    }
    spec.uuid = spec.uuid.filter(|u| !u.trim().is_empty()).map(uuid).transpose()?;
    spec.macs.sort_unstable();
    spec.macs.dedup();
    // The group bit: nobody's own address (IEEE 802 §8.2).
    if let Some(mac) = spec.macs.iter().find(|m| m.0[0] & 1 == 1 || m.0 == [0; 6]) {
        return Err(OrderError::Value { what: "host's address", value: mac.to_string() });
    }
    if spec.macs.len() > MAX_MACS {
        let value = spec.macs.len().to_string();
        return Err(OrderError::Value { what: "number of addresses that one host has", value });
    }
    match proven.and_then(|h| Some((h, h.ek?))) {
        Some((host, ek)) if spec.ek.is_some_and(|wanted| wanted != ek) => {
            Err(OrderError::OtherEk { host: host.spec.name.clone() })
        }
        None if keys(&spec).is_empty() => Err(OrderError::Nameless),
        Some(_) | None => Ok(spec),
    }
}

pub(crate) fn check_name(name: &str) -> Result<(), OrderError> {
    name::check(name).map_err(|source| OrderError::Name { name: name.to_owned(), source })
}

fn uuid(text: String) -> Result<String, OrderError> {
    match Uuid::try_parse(text.trim()) {
        Ok(uuid) if !is_placeholder(&uuid.to_string()) => Ok(uuid.hyphenated().to_string()),
        Ok(_) | Err(_) => Err(OrderError::Value { what: "UUID", value: text }),
    }
}

fn keys(spec: &HostSpec) -> Vec<(KeyKind, String)> {
    let mut keys = Vec::new();
    keys.extend(spec.ek.map(|e| (KeyKind::Ek, e.to_string())));
    keys.extend(spec.serial.as_ref().map(|s| (KeyKind::Serial, s.to_ascii_lowercase())));
    keys.extend(spec.uuid.as_ref().map(|u| (KeyKind::Uuid, u.to_ascii_lowercase())));
    keys.extend(spec.macs.iter().map(|m| (KeyKind::Mac, m.to_string())));
    keys
}

impl Driver {
    /// Makes sure that nothing in `spec` belongs to a host other than `own`. Pending hosts that have it are returned:
    /// they may be the machine that is meant.
    pub(crate) async fn check_free(
        &self,
        spec: &HostSpec,
        own: Option<HostId>,
    ) -> Result<Vec<(KeyKind, String, Host)>, OrderError> {
        let mut pending: Vec<(KeyKind, String, Host)> = Vec::new();
        for (kind, value) in keys(spec) {
            for (host, _) in self.store.hosts_with(kind, &value).await? {
                if Some(host.id) == own || pending.iter().any(|(_, _, p)| p.id == host.id) {
                    continue;
                }
                if !matches!(host.state, State::Pending) {
                    return Err(taken(kind, value, &host));
                }
                // The operator names the EK: a machine with another is not the one that is meant.
                if spec.ek.is_none_or(|ek| host.ek == Some(ek)) {
                    pending.push((kind, value.clone(), host));
                }
            }
        }
        Ok(pending)
    }

    /// For a pending host that is let in: registers what it says of itself where that names only this machine, so that
    /// another machine which says the same is a conflict from now on.
    pub(crate) async fn register_names(&self, host: &mut Host) -> Result<(), ReadError> {
        let Some(inventory) = &host.inventory else { return Ok(()) };
        let (serial, uuid) = (inventory.smbios.serial.trim(), inventory.smbios.uuid.trim());
        if host.spec.serial.is_none() && self.is_own(KeyKind::Serial, serial, host.id).await? {
            host.spec.serial = Some(serial.to_owned());
        }
        if host.spec.uuid.is_none() && self.is_own(KeyKind::Uuid, uuid, host.id).await? {
            host.spec.uuid = Some(uuid.to_ascii_lowercase());
        }
        Ok(())
    }

    async fn is_own(&self, kind: KeyKind, value: &str, own: HostId) -> Result<bool, ReadError> {
        let value = value.to_ascii_lowercase();
        if is_placeholder(&value) || value.len() > MAX_SERIAL {
            return Ok(false);
        }
        Ok(self.store.hosts_with(kind, &value).await?.iter().all(|(host, _)| host.id == own))
    }
}

pub(crate) fn taken(kind: KeyKind, value: String, host: &Host) -> OrderError {
    let what = match kind {
        KeyKind::Ek => "EK",
        KeyKind::Serial => "serial number",
        KeyKind::Uuid => "UUID",
        KeyKind::Mac => "address",
    };
    OrderError::Taken { what, value, host: host.spec.name.clone(), id: host.id }
}

/// What board makers leave in the field for a serial number or UUID: it names no single machine.
fn is_placeholder(value: &str) -> bool {
    const TEXTS: [&str; 12] = [
        "",
        "none",
        "unknown",
        "default string",
        "not specified",
        "not applicable",
        "system serial number",
        "chassis serial number",
        "to be filled by o.e.m.",
        "0123456789",
        "123456789",
        "03000200-0400-0500-0006-000700080009",
    ];
    let same = |c: char| value.chars().all(|d| d == c || d == '-');
    TEXTS.contains(&value) || same('0') || same('f') || same('x')
}
