//! State, history, outbox, leases and artifacts of one site: SQLite or PostgreSQL, and a folder of blobs.
//!
//! Not here: decisions (`cairn-domain`) and the loop that changes hosts (`cairn-driver`, the only caller of
//! [`Store::commit`] and [`Store::remove_host`]). Leaf crates read, keep their own tables (leases, images, installs),
//! and hand facts to a [`Reporter`].
//!
//! ```text
//!  leaf crates -- Fact, Order --> dyn Reporter (driver) -- Change --> commit: host + history + effects + installs
//!       ^                                                                 |  one transaction, version checked
//!       +---- changes() / hosts_changed(): a wake-up without data <-------+
//! ```

mod assignments;
mod audit;
mod backup;
mod blobs;
mod bootstrap;
mod catalog;
mod changes;
mod clock;
mod credentials;
mod database;
mod db;
mod duty;
mod error;
mod follow;
mod history;
mod host;
mod idempotency;
mod images;
mod installers;
mod installs;
mod leases;
mod machines;
mod news;
mod open;
mod outbox;
#[cfg(test)]
mod query_plans;
mod reporter;
mod resource;
mod row;
mod schema;
mod seal;
mod secrets;
mod sessions;
mod ticket;
mod trail;

pub use assignments::{
    AssignedKind, Assignment, FullAssignment, KeptOrder, OrderWrite, Progress, Said, UnknownAssignment,
};
pub use audit::{AuditFilter, AuditFlaw, Verified, digest as audit_digest};
pub use backup::{BackupError, RestoreError, Saved};
pub use blobs::{BlobError, BlobWriter, Blobs};
pub use bootstrap::{BootstrapToken, TokenView};
pub use catalog::{Catalog, Feed, Gone};
pub use changes::Changed;
pub use clock::{Clock, ManualClock, SystemClock};
pub use credentials::{CredentialWrite, Password, ServiceToken};
pub use database::{Database, Sharing};
pub use duty::{Duty, Taken};
pub use error::{ReadError, Trouble, WriteError, trouble};
pub use history::{Line, Whose};
pub use host::{Change, CommitError, HostKey, KeyKind, KeySource, Standing, Write};
pub use idempotency::Answer;
pub use images::{AddImageError, Image};
pub use installers::{Installer, RetireError, Standing as InstallerStanding};
pub use installs::{Install, InstallWrite, NewInstall};
pub use machines::UnknownMachine;
pub use open::{OpenError, Store};
pub use outbox::PendingEffect;
pub use reporter::{
    Admission, By, Order, OrderError, Outcome, Recognition, Registration, ReportError, Reporter, Run, Windows,
};
pub use resource::{Batch, BatchError, ResourceWrite, Written};
pub use seal::{DataKey, SealError, SecretText};
pub use secrets::{MAX_SECRET_KEYS, MAX_SECRET_VALUE, SecretError, SecretWrite};
pub use sessions::Session;
pub use trail::Trail;
