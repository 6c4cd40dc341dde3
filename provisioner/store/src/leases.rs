//! DHCP records, one for each address: on the disk before they are acknowledged. What a record says is the DHCP
//! service's own affair; here it is JSON.

use std::net::Ipv4Addr;

use crate::{ReadError, Store, WriteError, db::sql, row};

impl Store {
    /// All records.
    pub async fn leases(&self) -> Result<Vec<(Ipv4Addr, String)>, ReadError> {
        let rows = sql("SELECT * FROM lease ORDER BY ip").fetch_all(self.reader()).await?;
        rows.iter().map(|r| Ok((row::parsed(r, "ip")?, row::text(r, "record")?))).collect()
    }

    /// Puts a record in place of any other of its address. Durable when it returns.
    pub async fn put_lease(&self, ip: Ipv4Addr, record: &str) -> Result<(), WriteError> {
        sql(
            "INSERT INTO lease (ip, record) VALUES ($1, $2) ON CONFLICT (ip) DO UPDATE SET record = excluded.record",
        )
        .bind(ip.to_string())
        .bind(record)
        .execute(self.writer())
        .await?;
        Ok(())
    }

    /// Forgets the record of an address. Safe to repeat.
    pub async fn delete_lease(&self, ip: Ipv4Addr) -> Result<(), WriteError> {
        sql("DELETE FROM lease WHERE ip = $1").bind(ip.to_string()).execute(self.writer()).await?;
        Ok(())
    }
}
