//! `cairn backup`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `cairn backup`
#[derive(Debug, Clone, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  cairn backup                       into the data folder of the provisioner, named by the time\n  \
        cairn backup /mnt/usb/monday       on the provisioner itself: moved there\n  \
        cairn backup --name before-upgrade\n  cairn backup ls\n\n\
        A backup holds tables, images, cairn.toml and the site's KEYS: keep it as safe as the provisioner itself.\n\
        Bring it back: cairn restore FOLDER --data DIR"
)]
pub struct Backup {
    /// List them, instead of making one
    #[command(subcommand)]
    pub command: Option<BackupCommand>,
    /// New folder to put it in; only on the provisioner itself
    pub to: Option<PathBuf>,
    /// Name among the backups of the provisioner [default: the time]
    #[arg(long, conflicts_with = "to")]
    pub name: Option<String>,
}

/// `cairn backup ...`
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum BackupCommand {
    /// List the backups on the provisioner
    Ls,
}
