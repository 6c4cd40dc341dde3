//! The DHCP server's leases, kept by the store as JSON under their address.

use std::net::Ipv4Addr;

use cairn_contract::{Mac, Timestamp};
use cairn_netboot::{Lease, LeaseStore, LeaseStoreError, Record, lease::Key};
use cairn_netproto::{MachineUuid, dhcp::Class};
use cairn_store::Store;
use futures_util::{FutureExt, future::BoxFuture};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Adapter.
#[derive(Debug, Clone)]
pub(crate) struct Leases(pub(crate) Store);

#[derive(Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
enum Stored {
    Leased { mac: Mac, by_machine: bool, uuid: Option<Uuid>, class: Program, until: Timestamp },
    Quarantined { until: Timestamp },
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Program {
    Pxe,
    Http,
    Ipxe,
    Os,
    Other,
}

impl LeaseStore for Leases {
    fn load_all(&self) -> BoxFuture<'_, Result<Vec<Record>, LeaseStoreError>> {
        async {
            let rows = self.0.leases().await.map_err(failed)?;
            rows.into_iter()
                .map(|(ip, json)| Ok(record(ip, serde_json::from_str(&json).map_err(failed)?)))
                .collect()
        }
        .boxed()
    }

    fn commit(&self, lease: Lease) -> BoxFuture<'_, Result<(), LeaseStoreError>> {
        let stored = Stored::Leased {
            mac: Mac(lease.mac.0),
            by_machine: matches!(lease.key, Key::Machine(_)),
            uuid: lease.uuid.map(|u| Uuid::from_bytes(*u.as_bytes())),
            class: program(lease.class),
            until: lease.until,
        };
        self.put(lease.address, stored)
    }

    fn release(&self, address: Ipv4Addr) -> BoxFuture<'_, Result<(), LeaseStoreError>> {
        async move { self.0.delete_lease(address).await.map_err(failed) }.boxed()
    }

    fn decline(&self, address: Ipv4Addr, until: Timestamp) -> BoxFuture<'_, Result<(), LeaseStoreError>> {
        self.put(address, Stored::Quarantined { until })
    }
}

impl Leases {
    fn put(&self, address: Ipv4Addr, stored: Stored) -> BoxFuture<'_, Result<(), LeaseStoreError>> {
        async move {
            let json = serde_json::to_string(&stored).map_err(failed)?;
            self.0.put_lease(address, &json).await.map_err(failed)
        }
        .boxed()
    }
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> LeaseStoreError {
    LeaseStoreError(Box::new(error))
}

fn record(address: Ipv4Addr, stored: Stored) -> Record {
    match stored {
        Stored::Quarantined { until } => Record::Quarantined { address, until },
        Stored::Leased { mac, by_machine, uuid, class, until } => {
            let mac = cairn_netproto::Mac(mac.0);
            let uuid = uuid.map(|u| MachineUuid::from_bytes(*u.as_bytes()));
            let key = uuid.filter(|_| by_machine).map_or(Key::Hardware(mac), Key::Machine);
            Record::Leased(Lease { address, key, mac, uuid, class: class_of(class), until })
        }
    }
}

fn program(class: Class) -> Program {
    match class {
        Class::PxeClient => Program::Pxe,
        Class::HttpClient => Program::Http,
        Class::Ipxe => Program::Ipxe,
        Class::Os => Program::Os,
        Class::Other => Program::Other,
    }
}

fn class_of(program: Program) -> Class {
    match program {
        Program::Pxe => Class::PxeClient,
        Program::Http => Class::HttpClient,
        Program::Ipxe => Class::Ipxe,
        Program::Os => Class::Os,
        Program::Other => Class::Other,
    }
}
