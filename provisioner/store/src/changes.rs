//! The log of changes: which resource has which resource version. Watchers and other provisioners follow it.

use cairn_contract::{HostId, Timestamp};
use cairn_domain::{
    Host,
    model::{Kind, Labels, Metadata, Namespace, Object, Spec, Uid},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    ReadError, Store, WriteError,
    db::{Row, Sequence, Tx, sql},
    row,
};

/// Changes kept; a watcher that is further behind lists anew.
pub(crate) const KEPT: i64 = 100_000;
/// The log is cut when a number divisible by this comes by.
const CUT_EVERY: i64 = 1024;

/// A page of the log.
pub(crate) const AFTER: &str = "SELECT * FROM change WHERE rv > $1 ORDER BY rv LIMIT $2";

/// One change.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    /// The resource version that it made.
    pub revision: i64,
    /// Of which kind.
    pub kind: Kind,
    /// Of which resource.
    pub uid: Uid,
    /// What it was, when the change is that it was deleted.
    pub deleted: Option<Box<Object>>,
}

impl Store {
    /// Changes after the resource version `after`, in order.
    pub async fn changes_after(&self, after: i64, limit: u32) -> Result<Vec<Changed>, ReadError> {
        let rows = sql(AFTER).bind(after).bind(limit);
        rows.fetch_all(self.reader()).await?.iter().map(changed_of).collect()
    }

    /// The oldest resource version after which every change is still in the log.
    pub async fn oldest_revision(&self) -> Result<i64, ReadError> {
        let mut tx = self.snapshot().await?;
        let first = sql("SELECT rv FROM change ORDER BY rv LIMIT 1").fetch_optional(&mut tx).await?;
        match first {
            Some(first) => Ok(row::number(&first, "rv")?.saturating_sub(1)),
            None => tx.last(Sequence::Change).await,
        }
    }

    /// The newest resource version.
    pub async fn newest_revision(&self) -> Result<i64, ReadError> {
        self.snapshot().await?.last(Sequence::Change).await
    }
}

/// What happened to a resource.
#[derive(Debug)]
pub(crate) enum Fate {
    Put,
    Deleted(Box<Object>),
}

/// Takes the next resource version and logs what it stands for.
pub(crate) async fn log(tx: &mut Tx, (kind, uid): (Kind, Uid), fate: Fate) -> Result<i64, WriteError> {
    let revision = tx.take(Sequence::Change, 1).await?;
    let (verb, body) = match fate {
        Fate::Put => ("put", None),
        Fate::Deleted(object) => ("delete", Some(serde_json::to_string(&Body::of(*object)?)?)),
    };
    sql("INSERT INTO change (rv, kind, uid, verb, body) VALUES ($1, $2, $3, $4, $5)")
        .bind(revision)
        .bind(kind.name())
        .bind(uid.to_string())
        .bind(verb)
        .bind(body)
        .execute(&mut *tx)
        .await?;
    if revision % CUT_EVERY == 0 {
        let cut = sql("DELETE FROM change WHERE rv <= $1").bind(revision.saturating_sub(KEPT));
        cut.execute(tx).await?;
    }
    Ok(revision)
}

fn changed_of(row: &Row) -> Result<Changed, ReadError> {
    let revision = row::number(row, "rv")?;
    let body: Option<Body> = row::maybe_json(row, "body")?;
    let deleted = body.map(|b| b.object(revision).map(Box::new)).transpose();
    Ok(Changed {
        revision,
        kind: row::parsed(row, "kind")?,
        uid: row::parsed(row, "uid")?,
        deleted: deleted.map_err(|e| row::corrupt("body", e))?,
    })
}

/// A deleted resource, as the log keeps it.
#[derive(Debug, Serialize, Deserialize)]
struct Body {
    kind: Kind,
    namespace: Namespace,
    name: String,
    uid: Uid,
    labels: Labels,
    annotations: Labels,
    generation: i64,
    created: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spec: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    host: Option<Host>,
}

impl Body {
    fn of(object: Object) -> Result<Self, serde_json::Error> {
        let kind = object.kind();
        let Metadata { name, namespace, uid, labels, annotations, generation, created, .. } = object.metadata;
        let host = object.host.map(|host| Host::clone(&host));
        let spec = if host.is_some() { None } else { Some(serde_json::to_value(&object.spec)?) };
        Ok(Self { kind, namespace, name, uid, labels, annotations, generation, created, spec, host })
    }

    fn object(self, revision: i64) -> Result<Object, cairn_domain::model::SpecError> {
        if let Some(mut host) = self.host {
            host.meta.resource_version = revision;
            return Ok(host.into());
        }
        let metadata = Metadata {
            name: self.name,
            namespace: self.namespace,
            uid: self.uid,
            labels: self.labels,
            annotations: self.annotations,
            generation: self.generation,
            resource_version: revision,
            created: self.created,
        };
        let spec = Spec::parse(self.kind, self.spec.unwrap_or_default())?;
        Ok(Object { metadata, spec, host: None, status: None })
    }
}

/// A host's entry in the log.
pub(crate) fn host(id: HostId) -> (Kind, Uid) {
    (Kind::Host, id.into())
}
