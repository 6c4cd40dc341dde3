//! One host as a row.

use crate::{
    ReadError,
    db::{Row, Statement},
    row,
};
use cairn_domain::{Host, host::HostMeta};
use serde::Serialize;

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
        meta: HostMeta::default(),
    })
}

/// Binds $1..$11: id, name, spec, word, state, deadline, ek, inventory, installed, created, changed.
pub(crate) fn bind(query: Statement, host: &Host) -> Result<Statement, serde_json::Error> {
    Ok(query
        .bind(host.id.to_string())
        .bind(host.spec.name.clone())
        .bind(serde_json::to_string(&host.spec)?)
        .bind(host.state.word())
        .bind(serde_json::to_string(&host.state)?)
        .bind(host.state.deadline().map(|d| d.0))
        .bind(host.ek.map(|e| e.to_string()))
        .bind(maybe(host.inventory.as_ref())?)
        .bind(maybe(host.installed.as_ref())?)
        .bind(host.created.0)
        .bind(host.changed.0))
}

fn maybe<T: Serialize>(value: Option<&T>) -> Result<Option<String>, serde_json::Error> {
    value.map(serde_json::to_string).transpose()
}
