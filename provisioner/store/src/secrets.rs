//! Values of Secrets: sealed in the tables, opened only for a host that proved itself and runs what needs them.
//!
//! Not here: who may set or get them (`cairn-operator`, `cairn-fleet`).

use std::collections::BTreeMap;

use cairn_contract::Timestamp;
use cairn_domain::{
    audit::Deed,
    model::{Kind, Object, Uid},
};
use serde_json::json;

use crate::{
    DataKey, ReadError, SealError, SecretText, Store, WriteError, audit,
    db::{Sequence, Tx, clash, sql},
    host::Visible,
    resource, row,
};

/// Values of one Secret at most.
pub const MAX_SECRET_KEYS: usize = 256;
/// Bytes of one value at most.
pub const MAX_SECRET_VALUE: usize = 256 << 10;

/// A change of a Secret's values, with who is to be told.
#[derive(Debug, Clone)]
pub struct SecretWrite {
    /// Uid of the Secret.
    pub owner: Uid,
    /// Now.
    pub at: Timestamp,
    /// New ones, and others in the place of old ones, by key.
    pub set: BTreeMap<String, SecretText>,
    /// Keys that go; those that there are not are passed over.
    pub remove: Vec<String>,
    /// Rows of the audit log; without the values.
    pub deeds: Vec<Deed>,
}

/// Why values were not written or read. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// There is no such Secret.
    #[error("there is no such secret")]
    NotFound,
    /// What a key or value may be.
    #[error("{0}")]
    Invalid(String),
    /// Sealing or opening.
    #[error("cannot seal or open a value")]
    Seal(#[from] SealError),
    /// Reading.
    #[error("cannot read the database")]
    Read(#[from] ReadError),
    /// Writing.
    #[error("cannot write the database")]
    Write(#[from] WriteError),
}

impl From<sqlx::Error> for SecretError {
    fn from(source: sqlx::Error) -> Self {
        Self::Write(source.into())
    }
}

impl Store {
    /// Sets and removes values; `status.keys` of the Secret names all there are then, and `status.changed` grows. Gives the
    /// newest resource version: wait for the catalog to have it.
    pub async fn write_secrets(&self, write: &SecretWrite) -> Result<i64, SecretError> {
        check(write)?;
        let key = self.data_key()?;
        let mut tx = self.begin().await?;
        let owner = resource::one(&mut tx, write.owner).await?;
        let owner = owner.filter(|o| o.kind() == Kind::Secret).ok_or(SecretError::NotFound)?;
        for (name, value) in &write.set {
            let sealed = key.seal(&purpose(write.owner, name), value.expose())?;
            set(&mut tx, (write.owner, name), &sealed, write.at).await?;
        }
        for name in &write.remove {
            let gone = sql("DELETE FROM secret_value WHERE owner = $1 AND name = $2");
            gone.bind(write.owner.to_string()).bind(name).execute(&mut tx).await?;
        }
        tell(&mut tx, owner).await?;
        audit::append(&mut tx, write.at, &write.deeds).await?;
        let revision = tx.last(Sequence::Change).await?;
        self.finish(tx, Visible::No).await?;
        Ok(revision)
    }

    /// The keys of a Secret, with when each was set last.
    pub async fn secret_keys(&self, owner: Uid) -> Result<Vec<(String, Timestamp)>, ReadError> {
        let rows = sql(KEYS).bind(owner.to_string()).fetch_all(self.reader()).await?;
        rows.iter().map(|row| Ok((row::text(row, "name")?, row::time(row, "changed")?))).collect()
    }

    /// One value, for a host that may have it.
    pub async fn secret_value(&self, owner: Uid, name: &str) -> Result<Option<SecretText>, SecretError> {
        let key = self.data_key()?;
        let found = sql("SELECT sealed FROM secret_value WHERE owner = $1 AND name = $2");
        let found = found.bind(owner.to_string()).bind(name).fetch_optional(self.reader()).await;
        let Some(row) = found.map_err(ReadError::from)? else { return Ok(None) };
        Ok(Some(key.open(&purpose(owner, name), &row::text(&row, "sealed")?)?))
    }

    /// Makes sure that the data key is the one under which this site's values are sealed: the first that a site's database
    /// sees is. Call it once at the start.
    pub async fn check_data_key(&self) -> Result<(), SecretError> {
        let key = self.data_key()?;
        let sealed = key.seal(&purpose_of_check(), CHECK)?;
        let first = sql("INSERT INTO secret_value (owner, name, sealed, changed) VALUES ($1, $2, $3, 0)");
        match first.bind(SITE).bind(CHECK).bind(&sealed).execute(self.writer()).await {
            Ok(_) => return Ok(()),
            Err(error) if clash(&error).is_some() => {}
            Err(error) => return Err(error.into()),
        }
        let found = sql("SELECT sealed FROM secret_value WHERE owner = $1 AND name = $2");
        let found = found.bind(SITE).bind(CHECK).fetch_one(self.reader()).await.map_err(ReadError::from)?;
        key.open(&purpose_of_check(), &row::text(&found, "sealed")?)?;
        Ok(())
    }
}

pub(crate) const KEYS: &str = "SELECT name, changed FROM secret_value WHERE owner = $1 ORDER BY name";
/// Owner and name of the row that tells the right key; no uid looks so.
const SITE: &str = "site";
const CHECK: &str = "check";

fn purpose(owner: Uid, name: &str) -> String {
    format!("secret value\0{owner}\0{name}")
}

fn purpose_of_check() -> String {
    format!("secret value\0{SITE}\0{CHECK}")
}

fn check(write: &SecretWrite) -> Result<(), SecretError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    for (name, value) in &write.set {
        if name.is_empty() || name.len() > 253 || !name.chars().all(allowed) {
            let why = format!("{name:?} is no key: letters, digits, '.', '-' and '_', 253 at most");
            return Err(SecretError::Invalid(why));
        }
        if value.expose().len() > MAX_SECRET_VALUE {
            let why = format!("the value of {name} is larger than {} KiB", MAX_SECRET_VALUE >> 10);
            return Err(SecretError::Invalid(why));
        }
        if value.expose().contains('\0') {
            return Err(SecretError::Invalid(format!("the value of {name} holds a NUL character")));
        }
    }
    Ok(())
}

async fn set(tx: &mut Tx, (owner, name): (Uid, &str), sealed: &str, at: Timestamp) -> Result<(), WriteError> {
    sql("INSERT INTO secret_value (owner, name, sealed, changed) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (owner, name) DO UPDATE SET sealed = excluded.sealed, changed = excluded.changed")
    .bind(owner.to_string())
    .bind(name)
    .bind(sealed)
    .bind(at.0)
    .execute(tx)
    .await?;
    Ok(())
}

/// Says in the resource which keys there are. `changed` is another one each time, so that releases with these values are too.
async fn tell(tx: &mut Tx, owner: Object) -> Result<(), SecretError> {
    let rows = sql(KEYS).bind(owner.metadata.uid.to_string()).fetch_all(&mut *tx).await?;
    let keys: Vec<String> = rows.iter().map(|row| row::text(row, "name")).collect::<Result<_, _>>()?;
    if keys.len() > MAX_SECRET_KEYS {
        return Err(SecretError::Invalid(format!("a secret has at most {MAX_SECRET_KEYS} keys")));
    }
    let changed = owner.status.as_ref().and_then(|s| s.get("changed")?.as_i64()).unwrap_or_default();
    let status = json!({ "keys": keys, "changed": changed.saturating_add(1) });
    resource::set_status(tx, owner, &status.into()).await.map(drop).map_err(|error| match error {
        resource::BatchError::Write(error) => SecretError::Write(error),
        _ => SecretError::NotFound,
    })
}

/// Forgets the values of a Secret that is deleted.
pub(crate) async fn forget(tx: &mut Tx, owner: Uid) -> Result<(), WriteError> {
    sql("DELETE FROM secret_value WHERE owner = $1").bind(owner.to_string()).execute(tx).await?;
    Ok(())
}

impl Store {
    /// With the site's data key: secrets can be written and read.
    #[must_use]
    pub fn with_data_key(mut self, key: DataKey) -> Self {
        self.data_key = Some(key);
        self
    }

    pub(crate) fn data_key(&self) -> Result<&DataKey, SealError> {
        self.data_key.as_ref().ok_or(SealError::NoKey)
    }
}
