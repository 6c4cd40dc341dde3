//! The operator's commands: they speak to the REST API of a running server, over TLS with the site's CA only.
//!
//! Not here: `init` and `serve`, which the `cairn` binary adds, and any decision. Reads the connection from `client.json`.
//!
//! ```text
//! Command + Globals --> Context --> run() --> client (hyper, rustls) --> /api/v1/...
//!                          |          +-----> show (tables, words) --> stdout
//!                          +- data/client.json (url, CA, token)
//! ```
//!
//! Exit codes: 0 done; 1 failed; 2 wrong usage; 3 no such thing; 4 conflict or wrong state; 5 server not reachable;
//! 6 not permitted.

mod args;
mod client;
mod client_file;
mod clock;
mod context;
mod exit;
mod host;
mod images;
mod run;
mod show;
mod site;

pub use args::{Cli, Command, Globals, HostCommand, ImageCommand, InstallerCommand, MachineCommand};
pub use client::{CallError, Client};
pub use client_file::{ClientFile, ClientFileError};
pub use context::Context;
pub use run::run;
