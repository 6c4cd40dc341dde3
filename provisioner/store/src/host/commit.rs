//! The one transaction of the driver: host, history, effects and installs together, or nothing.

use cairn_contract::{HostId, Mac, Timestamp};
use cairn_domain::{Effect, Host, State};

use super::{key, record};
use crate::{
    InstallWrite, Line, ReadError, Store, WriteError,
    db::{self, Tx, sql},
    history, installs, outbox, row,
};

/// Whether the record exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// It does not yet; its version becomes 1.
    Insert,
    /// It does, with exactly `host.version`.
    Update,
}

/// Everything that one step changes.
#[derive(Debug, Clone)]
pub struct Change {
    /// The record as it shall be; `version` as it was read.
    pub host: Host,
    /// New or not.
    pub write: Write,
    /// The interface by which a proven host reached us.
    pub boot_mac: Option<Mac>,
    /// Lines of timelines, in order.
    pub lines: Vec<Line>,
    /// Effects to run after the commit, in order.
    pub effects: Vec<Effect>,
    /// Changes of install rows.
    pub installs: Vec<InstallWrite>,
    /// Now: effects are due from then on.
    pub at: Timestamp,
}

impl Change {
    /// A new host and nothing else.
    pub fn insert(host: Host, at: Timestamp) -> Self {
        Self { write: Write::Insert, ..Self::update(host, at) }
    }

    /// A changed host and nothing else.
    pub fn update(host: Host, at: Timestamp) -> Self {
        let (write, boot_mac) = (Write::Update, None);
        Self { host, write, boot_mac, lines: Vec::new(), effects: Vec::new(), installs: Vec::new(), at }
    }
}

/// Why a change was not committed. Nothing of it was.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The record is no longer the one that was read: read it again and decide again.
    #[error("the host has changed meanwhile")]
    Stale,
    /// Another host has the name.
    #[error("another host has this name")]
    NameTaken,
    /// Another host has the EK.
    #[error("another host has this EK")]
    EkTaken,
    /// The database failed.
    #[error("cannot write the database")]
    Write(#[from] WriteError),
}

impl From<sqlx::Error> for CommitError {
    fn from(source: sqlx::Error) -> Self {
        let names =
            |what: [&str; 2]| db::clash(&source).is_some_and(|clash| what.iter().any(|w| clash.contains(w)));
        match () {
            () if names(["host.name", "host_name_key"]) => Self::NameTaken,
            () if names(["host.ek", "host_ek_key"]) => Self::EkTaken,
            () if names(["host.id", "host_pkey"]) => Self::Stale,
            () => Self::Write(source.into()),
        }
    }
}

impl From<serde_json::Error> for CommitError {
    fn from(source: serde_json::Error) -> Self {
        Self::Write(source.into())
    }
}

impl From<ReadError> for CommitError {
    fn from(source: ReadError) -> Self {
        Self::Write(source.into())
    }
}

impl Store {
    /// Commits a step and returns the record's new version. Only the driver calls it.
    pub async fn commit(&self, change: Change) -> Result<i64, CommitError> {
        let mut tx = self.begin().await?;
        let (version, visible) = write_host(&mut tx, &change).await?;
        let seq = history::write(&mut tx, &change.lines).await?;
        outbox::write(&mut tx, &change.effects, change.at).await?;
        for write in &change.installs {
            installs::write(&mut tx, write).await?;
        }
        tx.commit().await?;
        self.announce(seq, visible);
        Ok(version)
    }

    /// Forgets a host that still has the version of `host`; its history and installs stay, the open ones void.
    /// Only the driver calls it.
    pub async fn remove_host(
        &self,
        host: &Host,
        lines: &[Line],
        effects: &[Effect],
        at: Timestamp,
    ) -> Result<(), CommitError> {
        let mut tx = self.begin().await?;
        let id = host.id.to_string();
        let gone = sql("DELETE FROM host WHERE id = $1 AND version = $2")
            .bind(&id)
            .bind(host.version)
            .execute(&mut tx)
            .await?;
        if gone == 0 {
            return Err(CommitError::Stale);
        }
        installs::void_all(&mut tx, host.id, at).await?;
        let seq = history::write(&mut tx, lines).await?;
        outbox::write(&mut tx, effects, at).await?;
        tx.commit().await?;
        self.announce(seq, Visible::Yes);
        Ok(())
    }
}

/// Whether a boot service could answer otherwise after the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Visible {
    Yes,
    No,
}

async fn write_host(tx: &mut Tx, change: &Change) -> Result<(i64, Visible), CommitError> {
    let host = &change.host;
    let (version, mut visible) = match change.write {
        Write::Insert => (insert(tx, host).await?, Visible::Yes),
        Write::Update => update(tx, host).await?,
    };
    let changed = key::store(tx, &host.id.to_string(), key::keys_of(host), change.boot_mac).await?;
    if changed == key::Changed::Yes {
        visible = Visible::Yes;
    }
    Ok((version, visible))
}

async fn insert(tx: &mut Tx, host: &Host) -> Result<i64, CommitError> {
    let query = sql(
        "INSERT INTO host (id, name, spec, word, state, deadline, ek, inventory, installed, created, changed, version) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 1)",
    );
    record::bind(query, host)?.execute(tx).await?;
    Ok(1)
}

async fn update(tx: &mut Tx, host: &Host) -> Result<(i64, Visible), CommitError> {
    let visible = visible(tx, host).await?;
    let version = host.version.saturating_add(1);
    let query = sql(
        "UPDATE host SET name = $2, spec = $3, word = $4, state = $5, deadline = $6, ek = $7, inventory = $8, \
         installed = $9, created = $10, changed = $11, version = $12 WHERE id = $1 AND version = $13",
    );
    let query = record::bind(query, host)?.bind(version).bind(host.version);
    match query.execute(tx).await? {
        0 => Err(CommitError::Stale),
        _ => Ok((version, visible)),
    }
}

/// A deadline that moved on is not visible; another state, reason or name is.
async fn visible(tx: &mut Tx, host: &Host) -> Result<Visible, ReadError> {
    let row = sql("SELECT name, state FROM host WHERE id = $1")
        .bind(host.id.to_string())
        .fetch_optional(tx)
        .await?;
    let Some(row) = row else { return Ok(Visible::Yes) };
    let old: State = row::json(&row, "state")?;
    let same = old.word() == host.state.word()
        && old.why() == host.state.why()
        && row::text(&row, "name")? == host.spec.name;
    Ok(if same { Visible::No } else { Visible::Yes })
}

/// The text form under which all tables name a host.
pub(crate) fn subject(id: HostId) -> String {
    format!("host:{id}")
}
