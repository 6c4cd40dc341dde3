//! Machines seen on the wire that no host record names. Anybody can invent addresses, so their number is bounded.

use cairn_contract::{Mac, Timestamp};
use cairn_domain::Note;

use crate::{
    ReadError, Store, WriteError,
    db::{Tx, sql},
    history, row,
};

/// Addresses kept; the one longest silent goes first.
const MAX_MACHINES: i64 = 1024;

/// An address with history and no host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownMachine {
    /// Its address.
    pub mac: Mac,
    /// When it was seen first.
    pub first: Timestamp,
    /// When it was seen last.
    pub last: Timestamp,
    /// What was noted last.
    pub note: Note,
}

impl Store {
    /// Addresses with history that no host has, the last seen first.
    pub async fn unknown_machines(&self, limit: u32) -> Result<Vec<UnknownMachine>, ReadError> {
        let rows = sql(
            "SELECT m.mac, m.first_at, m.last_at, h.* FROM machine m JOIN history h ON h.seq = m.last_seq \
             WHERE NOT EXISTS (SELECT 1 FROM host_key k WHERE k.kind = 'mac' AND k.value = m.mac) \
             ORDER BY m.last_seq DESC LIMIT $1",
        )
        .bind(limit)
        .fetch_all(self.reader())
        .await?;
        rows.iter()
            .map(|row| {
                Ok(UnknownMachine {
                    mac: row::parsed(row, "mac")?,
                    first: row::time(row, "first_at")?,
                    last: row::time(row, "last_at")?,
                    note: history::entry_of(row)?.note,
                })
            })
            .collect()
    }
}

/// The text form under which history names an address.
pub(crate) fn subject(mac: Mac) -> String {
    format!("mac:{mac}")
}

/// Remembers that `mac` has a new line; forgets the longest silent address when there are too many.
pub(crate) async fn touch(tx: &mut Tx, mac: Mac, at: Timestamp, seq: i64) -> Result<(), WriteError> {
    sql("INSERT INTO machine (mac, first_at, last_at, last_seq) VALUES ($1, $2, $2, $3) \
         ON CONFLICT (mac) DO UPDATE SET last_at = excluded.last_at, last_seq = excluded.last_seq")
    .bind(mac.to_string())
    .bind(at.0)
    .bind(seq)
    .execute(&mut *tx)
    .await?;
    let silent = sql("DELETE FROM machine WHERE last_seq <= \
         (SELECT last_seq FROM machine ORDER BY last_seq DESC LIMIT 1 OFFSET $1) RETURNING mac")
    .bind(MAX_MACHINES)
    .fetch_all(&mut *tx)
    .await?;
    for row in &silent {
        sql("DELETE FROM history WHERE subject = $1")
            .bind(subject(row::parsed(row, "mac")?))
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}
