//! One change of a host inside a transaction.

use std::collections::HashMap;

use cairn_domain::{Host, model::Namespace};

use super::{
    commit::{Change, CommitError, Visible, Write},
    key,
    record::{self, Old, Texts},
};
use crate::{
    audit, bootstrap,
    changes::{self, Fate},
    db::{self, Tx, sql},
    history, idempotency, installs, outbox, row,
};

/// Hosts that one statement reads.
const AT_ONCE: usize = 128;

/// The rows of a transaction's hosts, as they are.
#[derive(Debug, Default)]
pub(super) struct Rows(HashMap<String, Old>);

/// What a change led to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    pub(super) version: i64,
    pub(super) visible: Visible,
}

impl Rows {
    pub(super) async fn load(tx: &mut Tx, changes: &[Change]) -> Result<Self, CommitError> {
        let ids: Vec<String> = changes.iter().map(|c| c.host.id.to_string()).collect();
        let mut rows = HashMap::with_capacity(ids.len());
        for ids in ids.chunks(AT_ONCE) {
            let text = format!("SELECT * FROM host WHERE id IN ({})", db::placeholders(ids.len()));
            let query = db::padded(ids).fold(sql(sqlx::AssertSqlSafe(text)), db::Statement::bind);
            for row in query.fetch_all(&mut *tx).await? {
                rows.insert(row::text(&row, "id")?, record::old_of(&row)?);
            }
        }
        Ok(Self(rows))
    }
}

/// Writes all of it.
pub(super) async fn change(tx: &mut Tx, rows: &mut Rows, change: &Change) -> Result<Written, CommitError> {
    let written = match change.write {
        Write::Insert => insert(tx, rows, change).await?,
        Write::Update => update(tx, rows, change).await?,
        Write::Remove => remove(tx, rows, change).await?,
    };
    history::write(tx, &change.lines).await?;
    outbox::write(tx, &change.effects, change.at).await?;
    for write in &change.installs {
        installs::write(tx, write).await?;
    }
    audit::append(tx, change.at, &change.trail.deeds).await?;
    if let Some(answer) = &change.trail.answer {
        idempotency::write(tx, answer, change.at).await?;
    }
    Ok(written)
}

async fn insert(tx: &mut Tx, rows: &mut Rows, change: &Change) -> Result<Written, CommitError> {
    let host = &change.host;
    let id = host.id.to_string();
    if rows.0.contains_key(&id) {
        return Err(CommitError::Stale);
    }
    let texts = Texts::of(host)?;
    check_place(tx, host).await?;
    let revision = changes::log(tx, changes::host(host.id), Fate::Put).await?;
    let query = sql(
        "INSERT INTO host (id, project, name, site, spec, labels, annotations, settings, word, state, deadline, ek, \
         tpm, inventory, installed, changed, created, rv, generation, version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, \
         $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, 1, 1)",
    );
    let query = texts.clone().bind(query.bind(&id)).bind(host.created.0).bind(revision);
    query.execute(&mut *tx).await?;
    key::store(tx, &id, key::keys_of(host), change.boot_mac).await?;
    rows.0.insert(id, Old { texts, version: 1, generation: 1, revision });
    Ok(Written { version: 1, visible: Visible::Yes })
}

async fn update(tx: &mut Tx, rows: &mut Rows, change: &Change) -> Result<Written, CommitError> {
    let host = &change.host;
    let id = host.id.to_string();
    let old = rows.0.get(&id).filter(|old| old.version == host.version).ok_or(CommitError::Stale)?;
    let texts = Texts::of(host)?;
    let said_same = texts.said == old.texts.said;
    if (&texts.said.project, &texts.said.site) != (&old.texts.said.project, &old.texts.said.site) {
        check_place(tx, host).await?;
    }
    let revision = match texts.shows_as(&old.texts) {
        true => old.revision,
        false => changes::log(tx, changes::host(host.id), Fate::Put).await?,
    };
    let mut visible = if texts.boots_as(&old.texts)? { Visible::No } else { Visible::Yes };
    if (change.boot_mac.is_some() || !texts.is_found_as(&old.texts))
        && key::store(tx, &id, key::keys_of(host), change.boot_mac).await? == key::Changed::Yes
    {
        visible = Visible::Yes;
    }
    let generation = if said_same { old.generation } else { old.generation.saturating_add(1) };
    let new = Old { texts, version: host.version.saturating_add(1), generation, revision };
    match revision == old.revision {
        true => put_off(tx, &id, &new).await?,
        false => replace(tx, &id, &new).await?,
    }
    let version = new.version;
    rows.0.insert(id, new);
    Ok(Written { version, visible })
}

/// Only the deadline moved.
async fn put_off(tx: &mut Tx, id: &str, new: &Old) -> Result<(), CommitError> {
    sql("UPDATE host SET state = $2, deadline = $3, version = $4 WHERE id = $1")
        .bind(id)
        .bind(&new.texts.state)
        .bind(new.texts.deadline)
        .bind(new.version)
        .execute(tx)
        .await?;
    Ok(())
}

async fn replace(tx: &mut Tx, id: &str, new: &Old) -> Result<(), CommitError> {
    let query = sql(
        "UPDATE host SET project = $2, name = $3, site = $4, spec = $5, labels = $6, annotations = $7, settings = $8, \
         word = $9, state = $10, deadline = $11, ek = $12, tpm = $13, inventory = $14, installed = $15, changed = $16, \
         rv = $17, generation = $18, version = $19 WHERE id = $1",
    );
    let query = new.texts.clone().bind(query.bind(id));
    query.bind(new.revision).bind(new.generation).bind(new.version).execute(tx).await?;
    Ok(())
}

async fn remove(tx: &mut Tx, rows: &mut Rows, change: &Change) -> Result<Written, CommitError> {
    let id = change.host.id.to_string();
    let row = sql("SELECT * FROM host WHERE id = $1 AND version = $2").bind(&id).bind(change.host.version);
    let row = row.fetch_optional(&mut *tx).await?.ok_or(CommitError::Stale)?;
    let gone = Box::new(record::host_of(&row)?.into());
    sql("DELETE FROM host WHERE id = $1").bind(&id).execute(&mut *tx).await?;
    changes::log(tx, changes::host(change.host.id), Fate::Deleted(gone)).await?;
    installs::void_all(tx, change.host.id, change.at).await?;
    bootstrap::forget(tx, change.host.id.into()).await?;
    rows.0.remove(&id);
    Ok(Written { version: change.host.version, visible: Visible::Yes })
}

/// A project or site may have been deleted since somebody decided to put the host there.
async fn check_place(tx: &mut Tx, host: &Host) -> Result<(), CommitError> {
    let Namespace::Project { project, organisation } = &host.meta.project else {
        return Err(CommitError::NoSuchPlace("project".to_owned()));
    };
    if !exists(tx, ["Project", organisation, project]).await? {
        return Err(CommitError::NoSuchPlace(format!("project {}", host.meta.project)));
    }
    match &host.meta.site {
        Some(site) if !exists(tx, ["Site", &host.meta.project.to_string(), site]).await? => {
            Err(CommitError::NoSuchPlace(format!("site {site}.{}", host.meta.project)))
        }
        Some(_) | None => Ok(()),
    }
}

async fn exists(tx: &mut Tx, [kind, namespace, name]: [&str; 3]) -> Result<bool, sqlx::Error> {
    let query = sql("SELECT uid FROM resource WHERE kind = $1 AND namespace = $2 AND name = $3");
    Ok(query.bind(kind).bind(namespace).bind(name).fetch_optional(tx).await?.is_some())
}
