//! What a running host asks of its work, and what it says of it: the paths of `contract/src/workload` without HTTP.
//!
//! ```text
//! host                         desk                                            store
//!  desired --wait for another revision (seat, one follower wakes)--> orders_of --> Desired
//!  observed -- checked, bounded, its own subjects only ------------> observe   --> the planner
//!  secrets  -- only of its present orders, audited ----------------> sealed values
//!  blob     -- only what its own Desired names --------------------> a file
//! ```
//! Not here: what hosts are told (`cairn-workload`, `orchestrate`), HTTP (the server crate).

mod blob;
mod desired;
mod observed;
mod pull;
mod seats;
mod secrets;

pub use blob::FoundBlob;
pub(crate) use desired::kind_of;
pub use pull::{Pulls, namespace_of};

use std::sync::Arc;

use cairn_contract::{HostId, Timestamp, workload::Registry};
use cairn_domain::{Host, State};
use cairn_store::{Catalog, Clock, ReadError, SecretError, Store, WriteError};

use seats::Seats;

/// Why a call of a host was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// The host may not do this now, or ever. Says nothing of what there is.
    #[error("this host may not do that: {0}")]
    Forbidden(&'static str),
    /// What it said makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// It may have it, but there is none: somebody has to set it.
    #[error("{0}")]
    Absent(String),
    /// Reading.
    #[error("cannot read what the host is to run")]
    Read(#[from] ReadError),
    /// Writing.
    #[error("cannot record what the host said")]
    Write(#[from] WriteError),
    /// A sealed value.
    #[error("cannot read a sealed value")]
    Secret(#[from] SecretError),
    /// A file of the artifacts.
    #[error("cannot read an artifact")]
    Blob(#[from] cairn_store::BlobError),
}

/// Answers hosts. One for each provisioner; share it in an [`Arc`].
#[derive(Debug)]
pub struct Desk {
    store: Store,
    catalog: Catalog,
    clock: Arc<dyn Clock>,
    registry: Option<Registry>,
    seats: Seats,
    refusals: std::sync::Mutex<secrets::Refusals>,
}

impl Desk {
    /// `registry`: where hosts pull from. Run [`follow`](Self::follow) too.
    pub fn new(
        (store, catalog): (Store, Catalog),
        clock: Arc<dyn Clock>,
        registry: Option<Registry>,
    ) -> Self {
        let seats = Seats::default();
        Self { store, catalog, clock, registry, seats, refusals: std::sync::Mutex::default() }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A certificate lives for a day; the host's state decides each call. From memory: at most as old as the follower is behind.
    fn admit(&self, host: HostId) -> Result<(), DeskError> {
        let index = self.catalog.index();
        let host = index.get(host.into()).and_then(|object| object.host.as_deref());
        standing(host).map(drop)
    }

    /// The same from the database: for what must not be given away a moment too long.
    async fn admit_now(&self, host: HostId) -> Result<Host, DeskError> {
        let host = self.store.host(host).await?;
        standing(host.as_ref())?;
        host.ok_or(REMOVED)
    }
}

const REMOVED: DeskError = DeskError::Forbidden("the host was removed");

fn standing(host: Option<&Host>) -> Result<&Host, DeskError> {
    let host = host.ok_or(REMOVED)?;
    match host.state {
        State::Running { .. } | State::Silent { .. } => Ok(host),
        _ => Err(DeskError::Forbidden("the host is not running")),
    }
}
