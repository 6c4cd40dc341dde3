//! The operator's commands: they speak to the REST API of a running server, over TLS with the site's CA only.
//!
//! Not here: `init` and `serve`, which the `cairn` binary adds, and any decision. Reads the connection from config.yaml (contexts)
//! or from `client.json` of a data folder. Resources are plain JSON here, so that each verb works on each kind.
//!
//! ```text
//! Command + Globals --> Context --> run() --> verbs, orders, ... --> client (hyper, rustls) --> /api/v1/...
//!                          |                        +--> show (columns, words), yaml, jsonpath --> stdout
//!                          +- contexts: flags, environment, config.yaml, client.json
//! ```
//!
//! Exit codes: 0 done; 1 failed; 2 wrong usage; 3 no such thing; 4 conflict or wrong state; 5 server not reachable;
//! 6 not permitted. With `-o json`, an error is a problem document (RFC 9457) on stderr.

mod access;
pub mod args;
mod audit;
mod backup;
mod client;
mod client_file;
mod clock;
mod complete;
mod context;
mod contexts;
mod editor;
mod exit;
mod files;
mod host;
mod images;
mod import;
mod jsonpath;
mod listing;
mod login;
mod merge;
mod orders;
mod output;
mod pairs;
mod problem;
mod reach;
mod run;
mod secret;
mod show;
mod site;
mod target;
mod timeline;
mod verbs;
mod workloads;
mod yaml;

pub use args::{
    Backup as BackupArgs, BackupCommand, Cli, Command, DataDir, Globals, HostCommand, ImageCommand,
    InstallerCommand, MachineCommand,
};
pub use backup::text as backup_text;
pub use client::CallError;
pub use client_file::{ClientFile, ClientFileError};
pub use context::Context;
pub use contexts::Environment;
pub use jsonpath::{Template, TemplateError};
pub use output::Output;
pub use problem::Problem;
pub use run::run;
