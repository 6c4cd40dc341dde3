//! Who gets which address. [`decide`] is the only judge and is pure; [`Table`] remembers; [`LeaseStore`] makes durable.
//!
//! ```text
//!           DISCOVER              REQUEST (ours)          time
//!   free ------------> held --------------------> leased ------> expired (kept for its holder until the room is needed)
//!     ^                 |  REQUEST (other server)   | RELEASE
//!     +-----------------+---------------------------+          DECLINE: quarantined until a time
//! ```

mod decide;
mod plan;
mod table;

pub use decide::{Ask, Decision, IgnoreWhy, NakWhy, Reserved, decide};
pub use plan::{KeyBy, Plan, PlanError, Subnet, Terms};
pub use table::Table;

use std::error::Error;
use std::fmt;
use std::net::Ipv4Addr;

use cairn_contract::Timestamp;
use cairn_netproto::dhcp::Class;
use cairn_netproto::{Mac, MachineUuid};
use futures_util::future::BoxFuture;

/// To whom a lease belongs: never the client-id, because ROM, iPXE and OS each send another (netboot.md rule 20).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// The hardware address.
    Hardware(Mac),
    /// The machine, by option 97.
    Machine(MachineUuid),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hardware(mac) => mac.fmt(f),
            Self::Machine(uuid) => uuid.fmt(f),
        }
    }
}

/// An address given to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The address.
    pub address: Ipv4Addr,
    /// Whose it is.
    pub key: Key,
    /// The hardware address that asked.
    pub mac: Mac,
    /// Option 97, when it was sent.
    pub uuid: Option<MachineUuid>,
    /// Which program asked last.
    pub class: Class,
    /// When it ends.
    pub until: Timestamp,
}

/// What a store holds for an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// It is leased, or was.
    Leased(Lease),
    /// A client found another machine there.
    Quarantined {
        /// The address.
        address: Ipv4Addr,
        /// Until then it is given to nobody.
        until: Timestamp,
    },
}

/// The store failed; the cause is the store's own error.
#[derive(Debug, thiserror::Error)]
#[error("the lease store failed")]
pub struct LeaseStoreError(#[source] pub Box<dyn Error + Send + Sync>);

/// Keeps leases over `kill -9` (rule 21). Each call returns when the change is durable; each may be repeated.
pub trait LeaseStore: Send + Sync {
    /// All records, at start.
    fn load_all(&self) -> BoxFuture<'_, Result<Vec<Record>, LeaseStoreError>>;
    /// Stores a lease, in place of any record of its address.
    fn commit(&self, lease: Lease) -> BoxFuture<'_, Result<(), LeaseStoreError>>;
    /// Forgets the record of an address.
    fn release(&self, address: Ipv4Addr) -> BoxFuture<'_, Result<(), LeaseStoreError>>;
    /// Sets an address aside.
    fn decline(&self, address: Ipv4Addr, until: Timestamp) -> BoxFuture<'_, Result<(), LeaseStoreError>>;
}
