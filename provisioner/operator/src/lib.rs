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
mod auth;
mod bundles;
mod console;
mod guard;
mod hosts;
mod json;
mod lists;
mod order;
mod page;
pub mod problem;
mod status;
mod timeline;
mod uploads;
pub mod view;
mod watch;

pub use api::router;
pub use app::Limits;
pub use json::MAX_JSON;
pub use page::MAX_LIMIT;
pub use problem::Problem;
pub use uploads::{Added, BundleKind, Chunks, UploadError, Uploads};
