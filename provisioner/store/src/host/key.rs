//! By what a host is found: values of its spec and of its proven inventory, normalised.

use std::{collections::BTreeSet, fmt};

use cairn_contract::{Digest, Mac};
use cairn_domain::{Host, State};

use crate::{
    ReadError,
    db::{Row, Tx, sql},
    row,
};

/// Values taken from one inventory; a host that names more is cut here.
const MAX_LEARNED: usize = 32;

/// What kind of value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyKind {
    /// SHA-256 of the EK's SPKI.
    Ek,
    /// SMBIOS serial number, lower case.
    Serial,
    /// SMBIOS UUID, lower case.
    Uuid,
    /// Hardware address.
    Mac,
}

/// Who says that the value belongs to the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeySource {
    /// The operator.
    Spec,
    /// The host, after its EK was proven.
    Inventory,
    /// The host was reached by it; kept until the next.
    Boot,
}

/// One value by which a host is found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostKey {
    /// Its kind.
    pub kind: KeyKind,
    /// In its one normal spelling.
    pub value: String,
    /// Where it is from.
    pub source: KeySource,
}

impl KeyKind {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Ek => "ek",
            Self::Serial => "serial",
            Self::Uuid => "uuid",
            Self::Mac => "mac",
        }
    }

    fn of(word: &str) -> Option<Self> {
        [Self::Ek, Self::Serial, Self::Uuid, Self::Mac].into_iter().find(|k| k.word() == word)
    }
}

/// For people.
impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ek => "EK",
            Self::Serial => "serial number",
            Self::Uuid => "UUID",
            Self::Mac => "address",
        })
    }
}

impl KeySource {
    /// Which of several hosts with one key is meant: the smallest. What was registered counts before what was learned, and
    /// a host in quarantine comes last: it may only pretend.
    pub fn rank(self, state: &State) -> (bool, bool, Self) {
        (self != Self::Spec, matches!(state, State::Quarantined { .. }), self)
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Spec => "spec",
            Self::Inventory => "inventory",
            Self::Boot => "boot",
        }
    }

    fn of(word: &str) -> Option<Self> {
        [Self::Spec, Self::Inventory, Self::Boot].into_iter().find(|s| s.word() == word)
    }
}

/// All keys of a host record; a retired one is found by none. The boot address is not in the record: see `Change::boot_mac`.
pub(crate) fn keys_of(host: &Host) -> BTreeSet<HostKey> {
    let mut keys = BTreeSet::new();
    if matches!(host.state, State::Retired { .. }) {
        return keys;
    }
    let mut add = |kind, value: String, source| {
        if !value.is_empty() {
            keys.insert(HostKey { kind, value, source });
        }
    };
    let spec = &host.spec;
    let text = |value: &Option<String>| value.as_deref().unwrap_or_default().to_ascii_lowercase();
    let ek = |value: Option<Digest>| value.map(|d| d.to_string()).unwrap_or_default();
    add(KeyKind::Ek, ek(spec.ek), KeySource::Spec);
    add(KeyKind::Serial, text(&spec.serial), KeySource::Spec);
    add(KeyKind::Uuid, text(&spec.uuid), KeySource::Spec);
    for mac in &spec.macs {
        add(KeyKind::Mac, mac.to_string(), KeySource::Spec);
    }
    add(KeyKind::Ek, ek(host.ek), KeySource::Inventory);
    if let Some(inventory) = &host.inventory {
        add(KeyKind::Serial, inventory.smbios.serial.to_ascii_lowercase(), KeySource::Inventory);
        add(KeyKind::Uuid, inventory.smbios.uuid.to_ascii_lowercase(), KeySource::Inventory);
        for nic in inventory.nics.iter().take(MAX_LEARNED) {
            add(KeyKind::Mac, nic.mac.to_string(), KeySource::Inventory);
        }
    }
    keys
}

/// Brings the key rows of a host to `keys` (and `boot_mac`, if given). Says whether something changed.
pub(crate) async fn store(
    tx: &mut Tx,
    id: &str,
    mut keys: BTreeSet<HostKey>,
    boot_mac: Option<Mac>,
) -> Result<Changed, ReadError> {
    let stored = load(tx, id).await?;
    match boot_mac {
        Some(mac) => {
            let value = mac.to_string();
            keys.insert(HostKey { kind: KeyKind::Mac, value, source: KeySource::Boot });
        }
        // Nothing at all: it is retired, and the address is free as well.
        None if keys.is_empty() => {}
        None => keys.extend(stored.iter().filter(|k| k.source == KeySource::Boot).cloned()),
    }
    for key in stored.difference(&keys) {
        sql("DELETE FROM host_key WHERE kind = $1 AND value = $2 AND source = $3 AND host = $4")
            .bind(key.kind.word())
            .bind(&key.value)
            .bind(key.source.word())
            .bind(id)
            .execute(&mut *tx)
            .await?;
    }
    for key in keys.difference(&stored) {
        sql("INSERT INTO host_key (kind, value, source, host) VALUES ($1, $2, $3, $4)")
            .bind(key.kind.word())
            .bind(&key.value)
            .bind(key.source.word())
            .bind(id)
            .execute(&mut *tx)
            .await?;
    }
    Ok(if stored == keys { Changed::No } else { Changed::Yes })
}

/// Whether key rows differ from before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Changed {
    Yes,
    No,
}

async fn load(tx: &mut Tx, id: &str) -> Result<BTreeSet<HostKey>, ReadError> {
    let rows = sql("SELECT kind, value, source FROM host_key WHERE host = $1").bind(id).fetch_all(tx).await?;
    rows.iter().map(key_of).collect()
}

pub(crate) fn key_of(row: &Row) -> Result<HostKey, ReadError> {
    let unknown = |column| row::corrupt(column, std::io::Error::other("unknown word"));
    Ok(HostKey {
        kind: KeyKind::of(&row::text(row, "kind")?).ok_or_else(|| unknown("kind"))?,
        value: row::text(row, "value")?,
        source: KeySource::of(&row::text(row, "source")?).ok_or_else(|| unknown("source"))?,
    })
}
