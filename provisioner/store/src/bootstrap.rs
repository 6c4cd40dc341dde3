//! Bootstrap tokens: a host's way into a cluster, once, for minutes. The secret half is sealed.
//!
//! Not here: who gets one (`cairn-workload`), and who is shown its secret half (`cairn-fleet`).

use cairn_contract::{HostId, Timestamp};
use cairn_domain::model::Uid;

use crate::{
    ReadError, SecretError, SecretText, Store, WriteError,
    db::{Row, Tx, sql},
    row,
};

/// One token, without its secret half.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootstrapToken {
    /// Six characters of a-z0-9.
    pub id: String,
    /// Uid of the Cluster.
    pub cluster: Uid,
    /// Who may join with it.
    pub host: HostId,
    /// Under this name only.
    pub node: String,
    /// Void from then on.
    pub expires: Timestamp,
    /// Used or void since.
    pub spent: Option<Timestamp>,
}

/// Whose view of a cluster's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenView {
    /// The control plane's: all that it is to let in.
    All,
    /// A joining host's: its own.
    Own(HostId),
}

impl Store {
    /// Keeps a new token.
    pub async fn make_token(&self, token: &BootstrapToken, secret: &SecretText) -> Result<(), SecretError> {
        let sealed = self.data_key()?.seal(&purpose(token), secret.expose())?;
        sql("INSERT INTO bootstrap_token (id, cluster, host, node, sealed, expires, spent) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)")
        .bind(&token.id)
        .bind(token.cluster.to_string())
        .bind(token.host.to_string())
        .bind(&token.node)
        .bind(sealed)
        .bind(token.expires.0)
        .bind(token.spent.map(|t| t.0))
        .execute(self.writer())
        .await?;
        Ok(())
    }

    /// All tokens, spent ones and those that ran out too.
    pub async fn all_tokens(&self) -> Result<Vec<BootstrapToken>, ReadError> {
        let rows = sql("SELECT * FROM bootstrap_token ORDER BY id").fetch_all(self.reader()).await?;
        rows.iter().map(token_of).collect()
    }

    /// The secret halves of a cluster's tokens that are good now, by id.
    pub async fn token_secrets(
        &self,
        cluster: Uid,
        view: TokenView,
        now: Timestamp,
    ) -> Result<Vec<(String, SecretText)>, SecretError> {
        let key = self.data_key()?;
        let rows = sql(GOOD).bind(cluster.to_string()).bind(now.0).fetch_all(self.reader()).await;
        let mut secrets = Vec::new();
        for row in &rows.map_err(ReadError::from)? {
            let token = token_of(row)?;
            if matches!(view, TokenView::Own(host) if host != token.host) {
                continue;
            }
            let secret = key.open(&purpose(&token), &row::text(row, "sealed")?)?;
            secrets.push((token.id, secret));
        }
        Ok(secrets)
    }

    /// They were used, or are void. Safe to repeat; ids of other clusters are passed over.
    pub async fn spend_tokens(&self, cluster: Uid, ids: &[String], at: Timestamp) -> Result<u64, WriteError> {
        let mut spent = 0;
        for id in ids {
            let one =
                sql("UPDATE bootstrap_token SET spent = $3 WHERE id = $1 AND cluster = $2 AND spent IS NULL");
            let one = one.bind(id).bind(cluster.to_string()).bind(at.0).execute(self.writer()).await?;
            spent += one;
        }
        Ok(spent)
    }

    /// Forgets tokens that ran out before `before`; how many.
    pub async fn forget_tokens(&self, before: Timestamp) -> Result<u64, WriteError> {
        Ok(sql("DELETE FROM bootstrap_token WHERE expires < $1")
            .bind(before.0)
            .execute(self.writer())
            .await?)
    }
}

pub(crate) const GOOD: &str =
    "SELECT * FROM bootstrap_token WHERE cluster = $1 AND expires > $2 AND spent IS NULL ORDER BY id";

fn purpose(token: &BootstrapToken) -> String {
    let BootstrapToken { id, cluster, host, node, .. } = token;
    format!("bootstrap token\0{cluster}\0{host}\0{node}\0{id}")
}

/// Forgets those of a cluster or of a host that is deleted.
pub(crate) async fn forget(tx: &mut Tx, whose: Uid) -> Result<(), WriteError> {
    sql("DELETE FROM bootstrap_token WHERE cluster = $1 OR host = $1")
        .bind(whose.to_string())
        .execute(tx)
        .await?;
    Ok(())
}

fn token_of(row: &Row) -> Result<BootstrapToken, ReadError> {
    Ok(BootstrapToken {
        id: row::text(row, "id")?,
        cluster: row::parsed(row, "cluster")?,
        host: row::parsed(row, "host")?,
        node: row::text(row, "node")?,
        expires: row::time(row, "expires")?,
        spent: row::maybe_time(row, "spent")?,
    })
}
