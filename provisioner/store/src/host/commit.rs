//! The one transaction of the driver: hosts, history, effects, installs, audit rows and changes together, or nothing.

use cairn_contract::{HostId, Mac, Timestamp};
use cairn_domain::{Effect, Host};

use super::write;
use crate::{InstallWrite, Line, ReadError, Store, Trail, WriteError, db};

/// Whether the record exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// It does not yet; its version becomes 1.
    Insert,
    /// It does, with exactly `host.version`.
    Update,
    /// It does, with exactly `host.version`, and shall not. Its history and installs stay, the open ones void.
    Remove,
}

/// Everything that one step changes.
#[derive(Debug, Clone)]
pub struct Change {
    /// The record as it shall be; `version` as it was read. Its generation and resource version are the store's affair.
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
    /// Audit rows, and the answer to repeat.
    pub trail: Trail,
    /// Now: effects are due from then on.
    pub at: Timestamp,
}

impl Change {
    /// A new host and nothing else.
    pub fn insert(host: Host, at: Timestamp) -> Self {
        Self { write: Write::Insert, ..Self::update(host, at) }
    }

    /// A host less and nothing else.
    pub fn remove(host: Host, at: Timestamp) -> Self {
        Self { write: Write::Remove, ..Self::update(host, at) }
    }

    /// A changed host and nothing else.
    pub fn update(host: Host, at: Timestamp) -> Self {
        let (write, boot_mac, trail) = (Write::Update, None, Trail::default());
        Self {
            host,
            write,
            boot_mac,
            lines: Vec::new(),
            effects: Vec::new(),
            installs: Vec::new(),
            trail,
            at,
        }
    }
}

/// Why a change was not committed. Nothing of it was.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The record is no longer the one that was read: read it again and decide again.
    #[error("the host has changed meanwhile")]
    Stale,
    /// Another host of the project has the name.
    #[error("another host has this name")]
    NameTaken,
    /// Another host has the EK.
    #[error("another host has this EK")]
    EkTaken,
    /// There is no such project, or no such site in it.
    #[error("there is no {0} to put the host in")]
    NoSuchPlace(String),
    /// The request was answered meanwhile: give that answer.
    #[error("the request was answered already")]
    Answered,
    /// The database failed.
    #[error("cannot write the database")]
    Write(#[from] WriteError),
}

impl From<sqlx::Error> for CommitError {
    fn from(source: sqlx::Error) -> Self {
        let clash = db::clash(&source).unwrap_or_default();
        let names = |words: &[&str]| words.iter().any(|word| clash.contains(word));
        match () {
            () if names(&["host.name", "host_name_once"]) => Self::NameTaken,
            () if names(&["host.ek", "host_ek_once"]) => Self::EkTaken,
            () if names(&["host.id", "host_id_once"]) => Self::Stale,
            () if names(&["idempotency.", "idempotency_once"]) => Self::Answered,
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
        self.commit_all(&[change]).await.map(|versions| versions.first().copied().unwrap_or_default())
    }

    /// Commits many steps in one transaction. One that is stale or clashes is left out, and the others are committed.
    /// The results are in the order of `changes`. Only the driver calls it.
    pub async fn commit_many(&self, changes: &[Change]) -> Vec<Result<i64, CommitError>> {
        match self.commit_all(changes).await {
            Ok(versions) => versions.into_iter().map(Ok).collect(),
            Err(error) if changes.len() == 1 => vec![Err(error)],
            // One of them spoils it: again, each as a part that can be undone by itself.
            Err(_) => self.commit_apart(changes).await.unwrap_or_else(|error| {
                let shared = std::sync::Arc::new(error);
                changes.iter().map(|_| Err(WriteError::Together(shared.clone()).into())).collect()
            }),
        }
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
        let mut change = Change::remove(host.clone(), at);
        change.lines = lines.to_vec();
        change.effects = effects.to_vec();
        self.commit(change).await.map(|_| ())
    }

    async fn commit_all(&self, changes: &[Change]) -> Result<Vec<i64>, CommitError> {
        let mut tx = self.begin().await?;
        let mut rows = write::Rows::load(&mut tx, changes).await?;
        let mut versions = Vec::with_capacity(changes.len());
        let mut visible = Visible::No;
        for change in changes {
            let written = write::change(&mut tx, &mut rows, change).await?;
            visible = visible.or(written.visible);
            versions.push(written.version);
        }
        self.finish(tx, visible).await?;
        Ok(versions)
    }

    async fn commit_apart(&self, changes: &[Change]) -> Result<Vec<Result<i64, CommitError>>, sqlx::Error> {
        let mut tx = self.begin().await?;
        let mut results = Vec::with_capacity(changes.len());
        let mut visible = Visible::No;
        for change in changes {
            tx.savepoint().await?;
            let written = async {
                let mut rows = write::Rows::load(&mut tx, std::slice::from_ref(change)).await?;
                write::change(&mut tx, &mut rows, change).await
            };
            match written.await {
                Ok(written) => {
                    tx.release().await?;
                    visible = visible.or(written.visible);
                    results.push(Ok(written.version));
                }
                Err(error) => {
                    tx.undo_part().await?;
                    results.push(Err(error));
                }
            }
        }
        self.finish(tx, visible).await?;
        Ok(results)
    }
}

/// Whether a boot service could answer otherwise after the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Visible {
    Yes,
    No,
}

impl Visible {
    pub(crate) fn or(self, other: Self) -> Self {
        if self == Self::Yes { Self::Yes } else { other }
    }
}

/// The text form under which all tables name a host.
pub(crate) fn subject(id: HostId) -> String {
    format!("host:{id}")
}
