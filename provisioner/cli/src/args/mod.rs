//! The command line, as clap reads it.

mod access;
mod backup;
mod globals;
mod host;
mod reach;
mod verbs;
mod workloads;

pub use access::{AuditCommand, Can, ContextCommand, Login, Passwd, TokenCommand, TokenCreate};
pub use backup::{Backup, BackupCommand};
pub use globals::{DataDir, Globals};
pub use host::{HostCommand, ImageCommand, InstallerCommand, MachineCommand, Register};
pub use reach::{Exec, Kubeconfig, Kubectl, Logs, Place, VmCommand};
pub use verbs::{
    Apply, Complete, Delete, Describe, Edit, Events, Explain, Files, Get, Hosts, Import, Mark, Move, Shell,
    Timeline,
};

pub use workloads::{
    ClusterCommand, ClusterCreate, Deploy, DeploymentCommand, DistributionCommand, PackageCommand,
    SecretCommand, TargetWord,
};

use clap::{Parser, Subcommand};

/// Operator commands alone; the `cairn` binary flattens [`Globals`] and [`Command`] beside `init` and `serve`.
#[derive(Debug, Parser)]
#[command(name = "cairn", about = "Brings bare machines to a proven, running state")]
pub struct Cli {
    /// For all commands.
    #[command(flatten)]
    pub globals: Globals,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Operator commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Log in to a site and remember it as a context
    Login(Login),
    /// End the session of the current context and forget its token
    Logout,
    /// Who the server takes you for, and what you may do
    Whoami,
    /// Contexts: which server, as whom, in which namespace
    #[command(subcommand, visible_alias = "ctx")]
    Context(ContextCommand),
    /// Show resources: as a table, JSON, YAML, or as they change
    Get(Box<Get>),
    /// Show one resource with everything known of it
    Describe(Describe),
    /// Create or change resources from files
    Apply(Apply),
    /// What `apply` would change
    Diff(Files),
    /// Change one resource in your editor
    Edit(Edit),
    /// Delete resources, by name or by file
    Delete(Delete),
    /// Set or remove labels
    Label(Mark),
    /// Set or remove annotations
    Annotate(Mark),
    /// Where a host's values come from; without a name, which fields a kind has
    Explain(Explain),
    /// What happens on all hosts that you may see
    Events(Events),
    /// What happened to a host, step by step
    Timeline(Timeline),
    /// Move a host to another site or project
    Move(Move),
    /// Cut a host off at once: its certificate is void, its connection ends
    #[command(visible_alias = "deauthorize")]
    Deauthorise(Hosts),
    /// Take a host out of service for good
    Decommission(Hosts),
    /// Register hosts from a table
    #[command(subcommand)]
    Import(Import),
    /// Bring a package to clusters or hosts
    Deploy(Box<Deploy>),
    /// Deployments: how far they are, pause, resume
    #[command(subcommand)]
    Deployment(DeploymentCommand),
    /// Packages: what can be deployed
    #[command(subcommand, visible_alias = "pkg")]
    Package(PackageCommand),
    /// Secrets: values that only proven hosts get
    #[command(subcommand)]
    Secret(SecretCommand),
    /// Kubernetes clusters of hosts
    #[command(subcommand)]
    Cluster(ClusterCommand),
    /// Run your kubectl on a cluster, through this site
    Kubectl(Kubectl),
    /// The log of a container or virtual machine that a host runs itself
    Logs(Logs),
    /// Run a program in a container that a host runs itself
    Exec(Exec),
    /// Virtual machines that hosts run themselves
    #[command(subcommand)]
    Vm(VmCommand),
    /// Kubernetes distributions: what clusters are made of
    #[command(subcommand)]
    Distribution(DistributionCommand),
    /// Service tokens
    #[command(subcommand)]
    Token(TokenCommand),
    /// Set a user's password
    Passwd(Passwd),
    /// Whether you may do something
    Can(Can),
    /// The audit log
    #[command(subcommand)]
    Audit(AuditCommand),
    /// All kinds of resources with their short names
    ApiResources,
    /// Print a script that completes commands, kinds and names
    #[command(after_help = "Examples:\n  cairn completion bash > /etc/bash_completion.d/cairn\n  \
        cairn completion zsh > \"${fpath[1]}/_cairn\"\n  cairn completion fish > ~/.config/fish/completions/cairn.fish")]
    Completion {
        /// For which shell
        shell: Shell,
    },
    /// What could follow a beginning; the completion scripts call it
    #[command(name = "__complete", hide = true)]
    Complete(Complete),
    /// Hosts, in short
    #[command(subcommand)]
    Host(HostCommand),
    /// Machines that asked to boot and are no host yet
    #[command(subcommand)]
    Machine(MachineCommand),
    /// OS images
    #[command(subcommand)]
    Image(ImageCommand),
    /// Installers
    #[command(subcommand)]
    Installer(InstallerCommand),
    /// Back up the whole site with its keys, while it serves
    Backup(Backup),
    /// The site at a glance
    Status,
    /// Where the console is and how to log in
    Console {
        /// Print the operator token and nothing else
        #[arg(long)]
        token: bool,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_kubectl_users_type_is_understood() {
        for line in [
            "get hosts",
            "get hosts -A -l role=pos -o wide",
            "get host till-7 -n retail.acme -o jsonpath={.metadata.name}",
            "get hosts,sites -w --limit 5 --field-selector status.phase=running",
            "describe host/till-7 site/main",
            "apply -f a.yaml -f dir -R --dry-run",
            "diff -f -",
            "edit policy baseline",
            "delete host a b --yes",
            "delete -f a.yaml --dry-run",
            "label host a role=pos old- --overwrite",
            "annotate site/main note=x",
            "explain host a",
            "explain policy.spec.boot",
            "events -w",
            "timeline a -f",
            "move host a --to north.retail.acme",
            "deauthorize host a",
            "import hosts -f hosts.csv --dry-run --error-file e.csv",
            "token create ci --role viewer --expires 30d",
            "deploy shop --package shop --selector role=till --dry-run",
            "deploy web --package hello --version 1.0.0 --to a,b --kind host --set a=b --secret p=s/k --batches 10,100",
            "deployment status shop -w",
            "deployment pause shop",
            "package push ./shop --dry-run",
            "pkg ls",
            "secret set db user=app password=@file",
            "secret set db password --from-stdin",
            "cluster create edge --template t --hosts a,b --label x=y",
            "cluster status edge",
            "distribution import ./kubeadm",
            "can create host -n acme",
            "audit ls --verb delete",
            "completion zsh",
            "--json status",
            "host ls --json",
            "login https://10.0.0.1 --user alice --password-stdin --ca-sha256 AB",
            "context set-namespace acme",
        ] {
            let words = ["cairn"].into_iter().chain(line.split_whitespace());
            assert!(Cli::try_parse_from(words).is_ok(), "{line}");
        }
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for line in [
            "get",
            "apply",
            "delete",
            "delete host",
            "login",
            "move host a",
            "deploy shop --package shop",
            "deploy shop --package shop --to a --selector b=c",
            "deploy shop --package shop --to a --batches 0,100",
            "secret set db",
            "cluster create edge",
            "completion tcsh",
            "get hosts -o xml",
        ] {
            let words = ["cairn"].into_iter().chain(line.split_whitespace());
            let parsed = Cli::try_parse_from(words);
            assert!(parsed.is_err() || line == "delete host", "{line}");
        }
    }
}
