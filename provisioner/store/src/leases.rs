//! DHCP leases, one for each hardware address. On the disk before they are acknowledged.

use std::net::Ipv4Addr;

use cairn_contract::{Mac, Timestamp};
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;

use crate::{ReadError, Store, WriteError, row};

/// Where a lease is (RFC 2131 §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaseState {
    /// Held for the machine until `expires`.
    Offered,
    /// Acknowledged.
    Bound,
    /// Given back; the machine gets it again while it is free.
    Released,
    /// The machine found it in use by somebody else; not given out before `expires`.
    Declined,
}

/// One lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Whose.
    pub mac: Mac,
    /// The address.
    pub ip: Ipv4Addr,
    /// SMBIOS UUID that the machine told.
    pub uuid: Option<String>,
    /// Host name that the machine told or got.
    pub hostname: Option<String>,
    /// Until when.
    pub expires: Timestamp,
    /// Where it is.
    pub state: LeaseState,
}

impl Store {
    /// All leases by address.
    pub async fn leases(&self) -> Result<Vec<Lease>, ReadError> {
        let rows = sqlx::query("SELECT * FROM lease ORDER BY mac");
        rows.fetch_all(self.reader()).await?.iter().map(lease_of).collect()
    }

    /// Writes a machine's lease; durable when it returns. Another machine's lease of the same address goes.
    pub async fn put_lease(&self, lease: &Lease) -> Result<(), WriteError> {
        let mut tx = self.begin().await?;
        sqlx::query("DELETE FROM lease WHERE ip = $1 AND mac <> $2")
            .bind(lease.ip.to_string())
            .bind(lease.mac.to_string())
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "INSERT INTO lease (mac, ip, uuid, hostname, expires, state) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (mac) DO UPDATE SET ip = excluded.ip, uuid = excluded.uuid, \
             hostname = excluded.hostname, expires = excluded.expires, state = excluded.state",
        )
        .bind(lease.mac.to_string())
        .bind(lease.ip.to_string())
        .bind(&lease.uuid)
        .bind(&lease.hostname)
        .bind(lease.expires.0)
        .bind(row::as_word(&lease.state)?)
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// Forgets a machine's lease.
    pub async fn delete_lease(&self, mac: Mac) -> Result<(), WriteError> {
        let query = sqlx::query("DELETE FROM lease WHERE mac = $1").bind(mac.to_string());
        query.execute(self.writer()).await?;
        Ok(())
    }
}

fn lease_of(row: &SqliteRow) -> Result<Lease, ReadError> {
    Ok(Lease {
        mac: row::parsed(row, "mac")?,
        ip: row::parsed(row, "ip")?,
        uuid: row::maybe_text(row, "uuid")?,
        hostname: row::maybe_text(row, "hostname")?,
        expires: row::time(row, "expires")?,
        state: row::word(row, "state")?,
    })
}
