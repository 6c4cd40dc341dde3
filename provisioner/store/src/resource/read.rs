//! Reading resources of all kinds, hosts among them.

use std::sync::Arc;

use cairn_domain::model::{Kind, Metadata, Object, Spec, Uid};

use crate::{
    ReadError, Store,
    db::{self, Row, Sequence, Statement, Tx, sql},
    host, row,
};

/// Resources that one statement reads.
const AT_ONCE: usize = 256;

impl Store {
    /// All resources, with the newest resource version of that moment.
    pub async fn all_objects(&self) -> Result<(Vec<Object>, i64), ReadError> {
        let mut tx = self.snapshot().await?;
        let revision = tx.last(Sequence::Change).await?;
        let mut objects = Vec::new();
        for row in sql("SELECT * FROM resource").fetch_all(&mut tx).await? {
            objects.push(object_of(&row)?);
        }
        let mut after = String::new();
        loop {
            let page = sql("SELECT * FROM host WHERE id > $1 ORDER BY id LIMIT 1000").bind(&after);
            let rows = page.fetch_all(&mut tx).await?;
            let Some(last) = rows.last() else { break };
            after = row::text(last, "id")?;
            for row in &rows {
                objects.push(host::host_of(row)?.into());
            }
        }
        Ok((objects, revision))
    }

    /// The resources of these uids that exist, in no order.
    pub async fn objects(&self, uids: &[(Kind, Uid)]) -> Result<Vec<Object>, ReadError> {
        let (hosts, others): (Vec<_>, Vec<_>) = uids.iter().partition(|(kind, _)| *kind == Kind::Host);
        let mut objects = Vec::with_capacity(uids.len());
        for part in hosts.chunks(AT_ONCE) {
            for row in by_uid("SELECT * FROM host WHERE id IN", part).fetch_all(self.reader()).await? {
                objects.push(host::host_of(&row)?.into());
            }
        }
        for part in others.chunks(AT_ONCE) {
            for row in by_uid("SELECT * FROM resource WHERE uid IN", part).fetch_all(self.reader()).await? {
                objects.push(object_of(&row)?);
            }
        }
        Ok(objects)
    }
}

fn by_uid(select: &str, uids: &[(Kind, Uid)]) -> Statement {
    let text = format!("{select} ({})", db::placeholders(uids.len()));
    let query = sql(sqlx::AssertSqlSafe(text));
    db::padded(uids).fold(query, |query, (_, uid)| query.bind(uid.to_string()))
}

/// One resource that is no host.
pub(crate) async fn one(tx: &mut Tx, uid: Uid) -> Result<Option<Object>, ReadError> {
    let row = sql("SELECT * FROM resource WHERE uid = $1").bind(uid.to_string());
    row.fetch_optional(tx).await?.as_ref().map(object_of).transpose()
}

fn object_of(row: &Row) -> Result<Object, ReadError> {
    let kind: Kind = row::parsed(row, "kind")?;
    let metadata = Metadata {
        name: row::text(row, "name")?,
        namespace: row::parsed(row, "namespace")?,
        uid: row::parsed(row, "uid")?,
        labels: row::json(row, "labels")?,
        annotations: row::json(row, "annotations")?,
        generation: row::number(row, "generation")?,
        resource_version: row::number(row, "rv")?,
        created: row::time(row, "created")?,
    };
    let spec = Spec::parse(kind, row::json(row, "spec")?).map_err(|e| row::corrupt("spec", e))?;
    let status = row::maybe_json(row, "status")?.map(Arc::new);
    Ok(Object { metadata, spec, host: None, status })
}
