//! Finding hosts.

use std::collections::BTreeMap;

use cairn_contract::{Digest, HostId, Mac, Timestamp};
use cairn_domain::{Host, State, fact::Claim, model::Namespace};

use super::{
    key::{KeyKind, KeySource, key_of},
    record::host_of,
};
use crate::{
    ReadError, Store,
    db::{Row, sql},
    row,
};

/// Candidates that one claim can have; more than a few are a mistake of somebody.
const MAX_CANDIDATES: usize = 64;
/// Addresses of one claim that are looked up.
const MAX_CLAIMED: usize = 32;

/// Hosts past their deadline.
pub(crate) const DUE: &str = "SELECT * FROM host WHERE deadline <= $1 ORDER BY deadline LIMIT $2";
/// Hosts that have a key.
pub(crate) const BY_KEY: &str = "SELECT host.*, k.kind, k.value, k.source FROM host_key k JOIN host ON host.id = k.host \
     WHERE k.kind = $1 AND k.value = $2 ORDER BY host.created, host.id LIMIT 64";

/// What boot services need of one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Whose.
    pub id: HostId,
    /// Its name.
    pub name: String,
    /// Where it is.
    pub state: State,
    /// Registered addresses first, then learned ones.
    pub macs: Vec<(Mac, KeySource)>,
    /// Registered and learned SMBIOS UUIDs, lower case.
    pub uuids: Vec<(String, KeySource)>,
}

impl Store {
    /// The host of this id.
    pub async fn host(&self, id: HostId) -> Result<Option<Host>, ReadError> {
        let row = sql("SELECT * FROM host WHERE id = $1").bind(id.to_string());
        row.fetch_optional(self.reader()).await?.as_ref().map(host_of).transpose()
    }

    /// The host of this name; the oldest, where several projects have one.
    pub async fn host_by_name(&self, name: &str) -> Result<Option<Host>, ReadError> {
        let row = sql("SELECT * FROM host WHERE name = $1 ORDER BY created, id LIMIT 1").bind(name);
        row.fetch_optional(self.reader()).await?.as_ref().map(host_of).transpose()
    }

    /// The host of this name in a project.
    pub async fn host_named(&self, project: &Namespace, name: &str) -> Result<Option<Host>, ReadError> {
        let row =
            sql("SELECT * FROM host WHERE project = $1 AND name = $2").bind(project.to_string()).bind(name);
        row.fetch_optional(self.reader()).await?.as_ref().map(host_of).transpose()
    }

    /// The host that has proven this EK.
    pub async fn host_by_ek(&self, ek: &Digest) -> Result<Option<Host>, ReadError> {
        let row = sql("SELECT * FROM host WHERE ek = $1").bind(ek.to_string());
        row.fetch_optional(self.reader()).await?.as_ref().map(host_of).transpose()
    }

    /// A page of hosts by name, after the name `after`.
    pub async fn hosts(&self, after: Option<&str>, limit: u32) -> Result<Vec<Host>, ReadError> {
        let rows = sql("SELECT * FROM host WHERE name > $1 ORDER BY name, id LIMIT $2")
            .bind(after.unwrap_or_default())
            .bind(limit)
            .fetch_all(self.reader())
            .await?;
        rows.iter().map(host_of).collect()
    }

    /// Hosts whose deadline is reached, the most overdue first.
    pub async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<Host>, ReadError> {
        let rows = sql(DUE).bind(now.0).bind(limit).fetch_all(self.reader()).await?;
        rows.iter().map(host_of).collect()
    }

    /// The host that a machine on the wire is, as far as it says. The address decides before the UUID, what was registered
    /// before what was learned, and a host in quarantine comes last: it may only pretend.
    pub async fn find_machine(&self, mac: Mac, uuid: Option<&str>) -> Result<Option<Host>, ReadError> {
        if let Some(host) = self.best(KeyKind::Mac, &mac.to_string()).await? {
            return Ok(Some(host));
        }
        match uuid {
            Some(uuid) => self.best(KeyKind::Uuid, &uuid.to_ascii_lowercase()).await,
            None => Ok(None),
        }
    }

    /// All hosts that share the claim's EK, or have its serial number, UUID or an address registered: what
    /// `domain::identify` decides among.
    pub async fn candidates(&self, claim: &Claim) -> Result<Vec<Host>, ReadError> {
        let smbios = &claim.inventory.smbios;
        let nics = claim.inventory.nics.iter().take(MAX_CLAIMED).map(|n| n.mac);
        let mut asked = vec![
            (KeyKind::Ek, claim.ek.to_string()),
            (KeyKind::Serial, smbios.serial.to_ascii_lowercase()),
            (KeyKind::Uuid, smbios.uuid.to_ascii_lowercase()),
        ];
        asked.extend([claim.boot_mac].into_iter().chain(nics).map(|m| (KeyKind::Mac, m.to_string())));
        let mut found = BTreeMap::new();
        for (kind, value) in asked.iter().filter(|(_, value)| !value.is_empty()) {
            for (host, source) in self.hosts_with(*kind, value).await? {
                if *kind == KeyKind::Ek || source == KeySource::Spec {
                    found.insert(host.id, host);
                }
            }
            if found.len() >= MAX_CANDIDATES {
                break;
            }
        }
        Ok(found.into_values().collect())
    }

    /// Every host that has this key (in its normal spelling: lower case), with where the key is from; oldest first.
    pub async fn hosts_with(&self, kind: KeyKind, value: &str) -> Result<Vec<(Host, KeySource)>, ReadError> {
        let rows = sql(BY_KEY).bind(kind.word()).bind(value).fetch_all(self.reader()).await?;
        rows.iter().map(|row| Ok((host_of(row)?, key_of(row)?.source))).collect()
    }

    /// All hosts with their states and keys, oldest first: the boot services' snapshot.
    pub async fn all_states(&self) -> Result<Vec<Standing>, ReadError> {
        let mut tx = self.snapshot().await?;
        let hosts = sql("SELECT id, name, state FROM host ORDER BY created, id").fetch_all(&mut tx).await?;
        let keys = sql("SELECT host, kind, value, source FROM host_key WHERE kind IN ('mac', 'uuid') \
             ORDER BY host, source DESC, value")
        .fetch_all(&mut tx)
        .await?;
        tx.commit().await?;
        let mut by_host: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
        for key in &keys {
            by_host.entry(row::text(key, "host")?).or_default().push(key);
        }
        let none = Vec::new();
        hosts
            .iter()
            .map(|host| standing(host, by_host.get(&row::text(host, "id")?).unwrap_or(&none)))
            .collect()
    }

    async fn best(&self, kind: KeyKind, value: &str) -> Result<Option<Host>, ReadError> {
        let found = self.hosts_with(kind, value).await?.into_iter();
        Ok(found.min_by_key(|(host, source)| source.rank(&host.state)).map(|(host, _)| host))
    }
}

fn standing(host: &Row, keys: &[&Row]) -> Result<Standing, ReadError> {
    let mut out = Standing {
        id: row::parsed(host, "id")?,
        name: row::text(host, "name")?,
        state: row::json(host, "state")?,
        macs: Vec::new(),
        uuids: Vec::new(),
    };
    for key in keys {
        let found = key_of(key)?;
        match found.kind {
            KeyKind::Mac => {
                let mac = found.value.parse().map_err(|e| row::corrupt("value", e))?;
                out.macs.push((mac, found.source));
            }
            KeyKind::Uuid => out.uuids.push((found.value, found.source)),
            KeyKind::Ek | KeyKind::Serial => {}
        }
    }
    Ok(out)
}
