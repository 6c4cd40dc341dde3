//! One host as a row.

use cairn_domain::{Host, State, host::HostMeta};
use serde::Serialize;
use serde_json::Value;

use crate::{
    ReadError,
    db::{Row, Statement},
    row,
};

/// Reads the columns of `host`.
pub(crate) fn host_of(row: &Row) -> Result<Host, ReadError> {
    let ek = row::maybe_text(row, "ek")?;
    Ok(Host {
        id: row::parsed(row, "id")?,
        spec: row::json(row, "spec")?,
        state: row::json(row, "state")?,
        ek: ek.map(|e| e.parse()).transpose().map_err(|e| row::corrupt("ek", e))?,
        inventory: row::maybe_json(row, "inventory")?,
        installed: row::maybe_json(row, "installed")?,
        created: row::time(row, "created")?,
        changed: row::time(row, "changed")?,
        version: row::number(row, "version")?,
        meta: meta_of(row)?,
    })
}

fn meta_of(row: &Row) -> Result<HostMeta, ReadError> {
    Ok(HostMeta {
        project: row::parsed(row, "project")?,
        site: row::maybe_text(row, "site")?,
        labels: row::json(row, "labels")?,
        annotations: row::json(row, "annotations")?,
        settings: row::json(row, "settings")?,
        generation: row::number(row, "generation")?,
        resource_version: row::number(row, "rv")?,
        tpm: row::maybe_word(row, "tpm")?,
    })
}

/// All columns that a change can write, in their stored form, but for version, generation and revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Texts {
    /// What an operator says: a change of it is a new generation.
    pub(crate) said: Said,
    pub(crate) labels: String,
    pub(crate) annotations: String,
    pub(crate) word: String,
    pub(crate) state: String,
    pub(crate) deadline: Option<i64>,
    pub(crate) ek: Option<String>,
    pub(crate) tpm: Option<String>,
    pub(crate) inventory: Option<String>,
    pub(crate) installed: Option<String>,
    pub(crate) changed: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) project: String,
    pub(crate) name: String,
    pub(crate) site: Option<String>,
    pub(crate) spec: String,
    pub(crate) settings: String,
}

/// A row as it is before a change.
#[derive(Debug, Clone)]
pub(crate) struct Old {
    pub(crate) texts: Texts,
    pub(crate) version: i64,
    pub(crate) generation: i64,
    pub(crate) revision: i64,
}

/// Reads the stored forms.
pub(crate) fn old_of(row: &Row) -> Result<Old, ReadError> {
    let said = Said {
        project: row::text(row, "project")?,
        name: row::text(row, "name")?,
        site: row::maybe_text(row, "site")?,
        spec: row::text(row, "spec")?,
        settings: row::text(row, "settings")?,
    };
    let texts = Texts {
        said,
        labels: row::text(row, "labels")?,
        annotations: row::text(row, "annotations")?,
        word: row::text(row, "word")?,
        state: row::text(row, "state")?,
        deadline: row::maybe_number(row, "deadline")?,
        ek: row::maybe_text(row, "ek")?,
        tpm: row::maybe_text(row, "tpm")?,
        inventory: row::maybe_text(row, "inventory")?,
        installed: row::maybe_text(row, "installed")?,
        changed: row::number(row, "changed")?,
    };
    let (version, generation) = (row::number(row, "version")?, row::number(row, "generation")?);
    Ok(Old { texts, version, generation, revision: row::number(row, "rv")? })
}

impl Texts {
    /// The stored form of `host`.
    pub(crate) fn of(host: &Host) -> Result<Self, serde_json::Error> {
        let meta = &host.meta;
        let said = Said {
            project: meta.project.to_string(),
            name: host.spec.name.clone(),
            site: meta.site.clone(),
            spec: serde_json::to_string(&host.spec)?,
            settings: serde_json::to_string(&meta.settings)?,
        };
        Ok(Self {
            said,
            labels: serde_json::to_string(&meta.labels)?,
            annotations: serde_json::to_string(&meta.annotations)?,
            word: host.state.word().to_owned(),
            state: serde_json::to_string(&host.state)?,
            deadline: host.state.deadline().map(|d| d.0),
            ek: host.ek.map(|e| e.to_string()),
            tpm: meta.tpm.as_ref().map(row::as_word).transpose()?,
            inventory: maybe(host.inventory.as_ref())?,
            installed: maybe(host.installed.as_ref())?,
            changed: host.changed.0,
        })
    }

    /// Whether both look the same from outside: all but the deadline.
    pub(crate) fn shows_as(&self, other: &Self) -> bool {
        let lasting = |texts: &Self| Self { state: lasting(&texts.state), deadline: None, ..texts.clone() };
        self == other || lasting(self) == lasting(other)
    }

    /// Whether the host is found by the same names.
    pub(crate) fn is_found_as(&self, other: &Self) -> bool {
        (&self.said.spec, &self.ek, &self.inventory) == (&other.said.spec, &other.ek, &other.inventory)
    }

    /// Whether a boot service answers the same.
    pub(crate) fn boots_as(&self, other: &Self) -> Result<bool, ReadError> {
        if self.word != other.word || self.said.name != other.said.name {
            return Ok(false);
        }
        let why = |texts: &Self| -> Result<_, ReadError> {
            let state: State = serde_json::from_str(&texts.state).map_err(|e| row::corrupt("state", e))?;
            Ok(state.why())
        };
        Ok(self.state == other.state || why(self)? == why(other)?)
    }

    /// Binds $2..$16.
    pub(crate) fn bind(self, query: Statement) -> Statement {
        query
            .bind(self.said.project)
            .bind(self.said.name)
            .bind(self.said.site)
            .bind(self.said.spec)
            .bind(self.labels)
            .bind(self.annotations)
            .bind(self.said.settings)
            .bind(self.word)
            .bind(self.state)
            .bind(self.deadline)
            .bind(self.ek)
            .bind(self.tpm)
            .bind(self.inventory)
            .bind(self.installed)
            .bind(self.changed)
    }
}

/// A state without its deadline.
fn lasting(state: &str) -> String {
    let Ok(Value::Object(mut fields)) = serde_json::from_str(state) else { return state.to_owned() };
    fields.remove("until");
    Value::Object(fields).to_string()
}

fn maybe<T: Serialize>(value: Option<&T>) -> Result<Option<String>, serde_json::Error> {
    value.map(serde_json::to_string).transpose()
}
