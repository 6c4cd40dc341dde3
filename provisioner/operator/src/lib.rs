//! People look and ask: REST API, live streams, console. Mounted by the server on the TLS port for whoever is no host.
//!
//! Not here: decisions and changes of state. Reads go to the store; orders go through the [`Reporter`](cairn_store::Reporter)
//! to the driver; bundles go to whoever implements [`Uploads`].
//!
//! ```text
//! request -> guard (headers, deadline) -> auth (token | session + Origin) -> handler -> Store (read)
//!                                                                               |-----> Reporter (order, note)
//!                                                                               +-----> Uploads (bundle)
//! ```

mod api;
mod app;
mod appliance;
mod audit;
mod auth;
mod backups;
mod bundles;
mod can;
mod clusters;
mod console;
mod events;
mod guard;
mod hosts;
mod images;
mod json;
mod limit;
mod lists;
mod openapi;
mod order;
mod page;
mod path;
mod people;
pub mod problem;
mod refusal;
mod replay;
mod resources;
mod respond;
mod route;
mod status;
mod stream;
mod timeline;
mod uploads;
pub mod view;
mod watch;
mod workloads;

pub use api::{router, router_with};
pub use app::{Beyond, Limits, Services};
pub use audit::{AuditLimits, prune_audit};
pub use auth::{AuthSettings, CodeFile, CodeFileError, NoteError, SessionLimits, note_code};
pub use backups::{Backup, Backups, BackupsError};
pub use clusters::{Duplex, Tunnels, Unreached};
pub use images::{ImageCaller, Images};
pub use json::MAX_JSON;
pub use page::MAX_LIMIT;
pub use problem::Problem;
pub use resources::{Affected, AffectedHost, Difference};
pub use uploads::{Added, BundleKind, Chunks, UploadError, Uploads};
pub use workloads::{
    ApplicationRow, HostWorkload, Kept, NodeRow, Preview, PreviewRow, TargetRow, WorkloadRow,
};
