//! Changing resources: many in one transaction, each with its line in the log of changes and in the audit log.

use std::sync::Arc;

use cairn_contract::Timestamp;
use cairn_domain::{
    audit::{Actor, Deed, Outcome},
    model::{Kind, Object, Uid},
};
use serde_json::Value;

use super::read;
use crate::{
    CredentialWrite, ReadError, Store, Trail, WriteError, audit, bootstrap,
    changes::{self, Fate},
    credentials,
    db::{self, Tx, sql},
    host::Visible,
    idempotency, secrets,
};

/// Changes that belong together: all or none of them happen.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Who orders them.
    pub actor: Actor,
    /// Now.
    pub at: Timestamp,
    /// The resource version of the index against which they were admitted. When the tree has changed since, nothing is
    /// written: admit them again. `None`: they hold whatever else there is.
    pub premise: Option<i64>,
    /// Changes of resources, in order. The store writes an audit row for each.
    pub writes: Vec<ResourceWrite>,
    /// Changes of credentials, after those.
    pub credentials: Vec<CredentialWrite>,
    /// Further audit rows, and the answer to repeat.
    pub trail: Trail,
}

/// One change of one resource that is no host.
#[derive(Debug, Clone)]
pub enum ResourceWrite {
    /// A new one, with a new uid. Its generation and resource version are the store's affair.
    Create(Object),
    /// Another spec, labels or annotations; name, namespace and kind stay. When nothing differs, nothing is written.
    Update {
        /// As it shall be.
        object: Object,
        /// The resource version that was read; `None`: whatever it is.
        expected: Option<i64>,
    },
    /// What the provisioner found out of a cluster, deployment or secret. No audit row: nobody ordered it. Nothing is written when
    /// it is the same, or the resource is gone.
    Status {
        /// Which.
        uid: Uid,
        /// JSON of an object.
        status: Arc<Value>,
    },
    /// None any more; the credentials of a user or token go with it.
    Delete {
        /// Which.
        uid: Uid,
        /// The resource version that was read; `None`: whatever it is.
        expected: Option<i64>,
    },
}

/// What came of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The newest resource version afterwards; wait for the index to have it before reading there.
    pub revision: i64,
    /// In the order of the writes: the resource as it is now; of a deleted one as it was.
    pub objects: Vec<Object>,
}

/// Why a batch was not written. Nothing of it was.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// A resource is not what was read.
    #[error("the resource has changed meanwhile")]
    Conflict {
        /// Which of the writes.
        index: usize,
        /// Its resource version now.
        current: i64,
    },
    /// A resource does not exist.
    #[error("there is no such resource")]
    NotFound {
        /// Which of the writes.
        index: usize,
    },
    /// A resource of this kind, namespace and name exists.
    #[error("a resource of this name exists already")]
    NameTaken {
        /// Which of the writes.
        index: usize,
    },
    /// The tree has changed since the premise: admit again.
    #[error("the tree has changed meanwhile")]
    Premise,
    /// The request was answered meanwhile: give that answer.
    #[error("the request was answered already")]
    Answered,
    /// The database failed.
    #[error("cannot write the database")]
    Write(#[from] WriteError),
}

impl From<sqlx::Error> for BatchError {
    fn from(source: sqlx::Error) -> Self {
        Self::Write(source.into())
    }
}

impl From<ReadError> for BatchError {
    fn from(source: ReadError) -> Self {
        Self::Write(source.into())
    }
}

impl From<serde_json::Error> for BatchError {
    fn from(source: serde_json::Error) -> Self {
        Self::Write(source.into())
    }
}

impl Store {
    /// Writes a batch. Hosts are the driver's: see [`Store::commit`].
    pub async fn write(&self, batch: &Batch) -> Result<Written, BatchError> {
        let mut tx = self.begin().await?;
        check_premise(&mut tx, batch).await?;
        let mut objects = Vec::with_capacity(batch.writes.len());
        let mut deeds = Vec::new();
        for (index, write) in batch.writes.iter().enumerate() {
            let (object, deed) = apply(&mut tx, (index, write), batch).await?;
            objects.push(object);
            deeds.extend(deed);
        }
        for write in &batch.credentials {
            credentials::write(&mut tx, write).await?;
        }
        deeds.extend(batch.trail.deeds.iter().cloned());
        audit::append(&mut tx, batch.at, &deeds).await?;
        if let Some(answer) = &batch.trail.answer {
            let kept = idempotency::write(&mut tx, answer, batch.at).await;
            kept.map_err(|e| if db::clash(&e).is_some() { BatchError::Answered } else { e.into() })?;
        }
        let revision = tx.last(db::Sequence::Change).await?;
        self.finish(tx, Visible::No).await?;
        Ok(Written { revision, objects })
    }
}

/// A change of the tree after a revision.
pub(crate) const NEWER: &str =
    "SELECT rv FROM change WHERE rv > $1 AND kind NOT IN ('Host', 'Cluster', 'Deployment') LIMIT 1";

/// Others may have changed what these writes rely on. Hosts, and the status of what they run, change all the time; where one lies in what is deleted,
/// [`check_empty`] sees it.
async fn check_premise(tx: &mut Tx, batch: &Batch) -> Result<(), BatchError> {
    let Some(premise) = batch.premise else { return Ok(()) };
    match sql(NEWER).bind(premise).fetch_optional(tx).await? {
        Some(_) => Err(BatchError::Premise),
        None => Ok(()),
    }
}

/// A host may have come since it was decided that the node can go.
async fn check_empty(tx: &mut Tx, node: &Object) -> Result<(), BatchError> {
    let metadata = &node.metadata;
    let host = match node.kind() {
        Kind::Project => sql("SELECT id FROM host WHERE project = $1 LIMIT 1").bind(node.full_name()),
        Kind::Site => sql("SELECT id FROM host WHERE project = $1 AND site = $2 LIMIT 1")
            .bind(metadata.namespace.to_string())
            .bind(&metadata.name),
        _ => return Ok(()),
    };
    match host.fetch_optional(tx).await? {
        Some(_) => Err(BatchError::Premise),
        None => Ok(()),
    }
}

async fn apply(
    tx: &mut Tx,
    (index, write): (usize, &ResourceWrite),
    batch: &Batch,
) -> Result<(Object, Option<Deed>), BatchError> {
    match write {
        ResourceWrite::Create(object) => {
            let object = create(tx, index, object.clone()).await?;
            let deed = deed(&batch.actor, "create", None, Some(&object))?;
            Ok((object, Some(deed)))
        }
        ResourceWrite::Update { object, expected } => {
            let before = present(tx, index, (object.metadata.uid, *expected)).await?;
            let Some(after) = update(tx, &before, object).await? else { return Ok((before, None)) };
            let deed = deed(&batch.actor, "update", Some(&before), Some(&after))?;
            Ok((after, Some(deed)))
        }
        ResourceWrite::Status { uid, status } => {
            let before = present(tx, index, (*uid, None)).await?;
            Ok((set_status(tx, before, status).await?, None))
        }
        ResourceWrite::Delete { uid, expected } => {
            let before = present(tx, index, (*uid, *expected)).await?;
            if batch.premise.is_some() {
                check_empty(tx, &before).await?;
            }
            delete(tx, &before).await?;
            let deed = deed(&batch.actor, "delete", Some(&before), None)?;
            Ok((before, Some(deed)))
        }
    }
}

async fn present(
    tx: &mut Tx,
    index: usize,
    (uid, expected): (Uid, Option<i64>),
) -> Result<Object, BatchError> {
    let object = read::one(tx, uid).await?.ok_or(BatchError::NotFound { index })?;
    let current = object.metadata.resource_version;
    match expected {
        Some(expected) if expected != current => Err(BatchError::Conflict { index, current }),
        Some(_) | None => Ok(object),
    }
}

async fn create(tx: &mut Tx, index: usize, mut object: Object) -> Result<Object, BatchError> {
    let kind = object.kind();
    let meta = &mut object.metadata;
    meta.generation = 1;
    meta.resource_version = changes::log(tx, (kind, meta.uid), Fate::Put).await?;
    let taken = |e: sqlx::Error| match db::clash(&e) {
        Some(_) => BatchError::NameTaken { index },
        None => e.into(),
    };
    sql(
        "INSERT INTO resource (uid, kind, namespace, name, spec, labels, annotations, generation, rv, created) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8, $9)",
    )
    .bind(meta.uid.to_string())
    .bind(kind.name())
    .bind(meta.namespace.to_string())
    .bind(&meta.name)
    .bind(serde_json::to_string(&object.spec)?)
    .bind(serde_json::to_string(&meta.labels)?)
    .bind(serde_json::to_string(&meta.annotations)?)
    .bind(meta.resource_version)
    .bind(meta.created.0)
    .execute(tx)
    .await
    .map_err(taken)?;
    Ok(object)
}

/// `None` when nothing differs.
async fn update(tx: &mut Tx, before: &Object, wanted: &Object) -> Result<Option<Object>, BatchError> {
    let mut after = before.clone();
    after.spec = wanted.spec.clone();
    after.metadata.labels = wanted.metadata.labels.clone();
    after.metadata.annotations = wanted.metadata.annotations.clone();
    if after == *before {
        return Ok(None);
    }
    let kind = before.kind();
    let meta = &mut after.metadata;
    if after.spec != before.spec {
        meta.generation = meta.generation.saturating_add(1);
    }
    meta.resource_version = changes::log(tx, (kind, meta.uid), Fate::Put).await?;
    sql(
        "UPDATE resource SET spec = $2, labels = $3, annotations = $4, generation = $5, rv = $6 WHERE uid = $1",
    )
    .bind(meta.uid.to_string())
    .bind(serde_json::to_string(&after.spec)?)
    .bind(serde_json::to_string(&meta.labels)?)
    .bind(serde_json::to_string(&meta.annotations)?)
    .bind(meta.generation)
    .bind(meta.resource_version)
    .execute(tx)
    .await?;
    Ok(Some(after))
}

pub(crate) async fn set_status(
    tx: &mut Tx,
    mut object: Object,
    status: &Arc<Value>,
) -> Result<Object, BatchError> {
    if object.status.as_ref() == Some(status) {
        return Ok(object);
    }
    let kind = object.kind();
    let meta = &mut object.metadata;
    meta.resource_version = changes::log(tx, (kind, meta.uid), Fate::Put).await?;
    sql("UPDATE resource SET status = $2, rv = $3 WHERE uid = $1")
        .bind(meta.uid.to_string())
        .bind(serde_json::to_string(status.as_ref())?)
        .bind(meta.resource_version)
        .execute(tx)
        .await?;
    object.status = Some(Arc::clone(status));
    Ok(object)
}

async fn delete(tx: &mut Tx, before: &Object) -> Result<(), BatchError> {
    let (kind, uid) = (before.kind(), before.metadata.uid);
    changes::log(tx, (kind, uid), Fate::Deleted(Box::new(before.clone()))).await?;
    sql("DELETE FROM resource WHERE uid = $1").bind(uid.to_string()).execute(&mut *tx).await?;
    if matches!(kind, Kind::User | Kind::Token) {
        credentials::forget(tx, uid).await?;
    }
    match kind {
        Kind::Secret => secrets::forget(tx, uid).await?,
        Kind::Cluster => bootstrap::forget(tx, uid).await?,
        _ => {}
    }
    Ok(())
}

fn deed(
    actor: &Actor,
    verb: &str,
    before: Option<&Object>,
    after: Option<&Object>,
) -> Result<Deed, serde_json::Error> {
    let shown = |object: Option<&Object>| object.map(serde_json::to_value).transpose();
    let of = after.or(before);
    let metadata = of.map(|o| &o.metadata);
    Ok(Deed {
        actor: actor.clone(),
        verb: verb.to_owned(),
        kind: of.map(Object::kind),
        uid: metadata.map(|m| m.uid),
        namespace: metadata.map(|m| m.namespace.clone()).unwrap_or_default(),
        name: metadata.map(|m| m.name.clone()).unwrap_or_default(),
        outcome: Outcome::Done,
        reason: String::new(),
        before: shown(before)?,
        after: shown(after)?,
    })
}
