//! `cairn admin`: what only whoever is root on the machine may do. It works with and without a running server.

use std::path::Path;

use cairn_contract::Timestamp;
use clap::Subcommand;

use crate::{config::Config, first_login};

/// `cairn admin ...`
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print a one-time code that makes an administrator, or gives one a new password (lost passwords)
    #[command(
        after_help = "The code works once and for 24 hours; a new one makes the earlier void. Its making and its use are in the audit log."
    )]
    Code,
}

/// Does it; gives what to print.
pub(crate) fn run(dir: &Path, command: &Command, now: Timestamp) -> anyhow::Result<String> {
    match command {
        Command::Code => {
            let config = Config::load(dir)?;
            let login = first_login::command(dir, &first_login::url(config.address, config.listen.tls), now)?;
            Ok(format!(
                "Within 24 hours, once, with the server running:\n\n  {login}\n\n\
                        `--user NAME` chooses the administrator; one who exists gets the new password."
            ))
        }
    }
}
