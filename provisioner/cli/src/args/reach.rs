//! Into what runs: `cairn cluster kubeconfig`, `cairn kubectl`, `cairn logs`, `cairn exec`, `cairn vm console`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::complete;

/// `cairn cluster kubeconfig`
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "It works through this site, as who you are, until it runs out. Keep it private: whoever has it is you there.\n\n\
        Examples:\n  cairn cluster kubeconfig shop --out shop.kubeconfig && kubectl --kubeconfig shop.kubeconfig get pods\n  \
        cairn cluster kubeconfig shop --merge && kubectl get pods\n  cairn cluster kubeconfig shop --revoke"
)]
pub struct Kubeconfig {
    /// Name of the cluster
    #[arg(add = complete::clusters())]
    pub name: String,
    /// Write it to a file that only you can read [default: print it]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Put it into ~/.kube/config (or the first file of $KUBECONFIG), and make it the current context
    #[arg(long, conflicts_with = "out")]
    pub merge: bool,
    /// Seconds that it works, 60 to 28800 [default: 3600]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(60..=28800))]
    pub seconds: Option<u32>,
    /// Make all that you got for this cluster void instead
    #[arg(long, conflicts_with_all = ["out", "merge", "seconds"])]
    pub revoke: bool,
}

/// `cairn kubectl`
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  cairn kubectl -- get pods -A                       the one cluster that you see\n  \
        cairn kubectl --cluster shop -- logs deploy/web -f"
)]
pub struct Kubectl {
    /// Name of the cluster [default: the only one]
    #[arg(long, value_name = "CLUSTER", add = complete::clusters())]
    pub cluster: Option<String>,
    /// What kubectl gets
    #[arg(last = true, required = true, value_name = "ARGS")]
    pub args: Vec<String>,
}

/// An application that a host runs itself.
#[derive(Debug, Clone, Args)]
pub struct Place {
    /// Name of the host
    #[arg(add = complete::hosts())]
    pub host: String,
    /// Deployment, or DEPLOYMENT/APPLICATION where it has several
    #[arg(value_name = "DEPLOYMENT[/APPLICATION]")]
    pub of: String,
}

/// `cairn logs`
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  cairn logs till-7 shop\n  cairn logs till-7 shop/web -f --tail 20\n\n\
    What runs in a cluster: cairn kubectl --cluster NAME -- logs POD")]
pub struct Logs {
    /// Which.
    #[command(flatten)]
    pub place: Place,
    /// Go on with what comes
    #[arg(short, long)]
    pub follow: bool,
    /// Last lines
    #[arg(long, value_name = "LINES", default_value_t = 100)]
    pub tail: u32,
}

/// `cairn exec`
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  cairn exec till-7 shop/web -- cat /etc/hostname\n  cairn exec till-7 shop/web -t -- /bin/sh"
)]
pub struct Exec {
    /// Which.
    #[command(flatten)]
    pub place: Place,
    /// With a terminal
    #[arg(short, long)]
    pub tty: bool,
    /// Program and arguments
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    pub run: Vec<String>,
}

/// `cairn vm ...`
#[derive(Debug, Clone, Subcommand)]
pub enum VmCommand {
    /// The serial console of a virtual machine; end it with Ctrl-]
    Console(Place),
}
