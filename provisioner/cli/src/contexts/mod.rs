//! Which server a command speaks to, as whom, and in which namespace.
//!
//! The first that is there: `--context`, `--data`, CAIRN_DATA, CAIRN_URL, the current context of config.yaml, the default
//! data folder. CAIRN_TOKEN and CAIRN_NAMESPACE replace what that says; `-n` replaces both.

mod choose;
mod environment;
mod file;

pub(crate) use choose::{Chosen, choose, no_context};
pub use environment::Environment;
pub(crate) use file::{Config, ConfigError, Saved};
