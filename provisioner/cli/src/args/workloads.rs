//! Clusters, packages, deployments, secrets: `cairn deploy`, `cairn deployment ...`, `cairn package ...`, `cairn secret ...`,
//! `cairn cluster ...`, `cairn distribution ...`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::complete;

/// `cairn deploy`
#[derive(Debug, Clone, Args)]
#[command(
    group(clap::ArgGroup::new("where").required(true).args(["selector", "to"])),
    after_help = "Examples:\n  cairn deploy shop --package shop --selector role=till --dry-run    which clusters match, and what each gets\n  \
        cairn deploy shop --package shop --version 1.2.0 --selector role=till\n  \
        cairn deploy web --package hello --to edge-1,edge-2 --kind host --set greeting='Guten Tag'\n  \
        cairn deploy db --package postgres --selector tier=db --secret password=db/admin --batches 10,50,100\n\n\
        What matches later gets it too: a host that is labelled, a cluster that becomes ready. With --to only those named.\n\
        Change it by the same command with other flags; end it: cairn delete deployment NAME"
)]
pub struct Deploy {
    /// Name of the deployment: a-z, 0-9 and -
    pub name: String,
    /// Package, by its name; see: cairn package ls
    #[arg(long, value_name = "PACKAGE")]
    pub package: String,
    /// Version of the package [default: the newest, also when a newer one comes]
    #[arg(long, value_name = "VERSION")]
    pub version: Option<String>,
    /// A profile of the package
    #[arg(long, value_name = "PROFILE")]
    pub profile: Option<String>,
    /// A parameter of the package; may be given more than once
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// A parameter whose value is in a secret; may be given more than once
    #[arg(long = "secret", value_name = "KEY=SECRET/KEY")]
    pub secrets: Vec<String>,
    /// Where it goes, by effective labels such as role=till,tier!=test
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    pub selector: Option<String>,
    /// Where it goes, by name
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub to: Vec<String>,
    /// Whether these are clusters or hosts [default: what the package is made for]
    #[arg(long, value_enum)]
    pub kind: Option<TargetWord>,
    /// Percent of the targets that get a change, batch after batch, such as 10,50,100
    #[arg(long, value_name = "PERCENT,...", value_delimiter = ',', value_parser = clap::value_parser!(u8).range(1..=100))]
    pub batches: Vec<u8>,
    /// Percent of a batch that must be ready before the next begins
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=100))]
    pub success: Option<u8>,
    /// Change nothing; say which targets match, and what each would get
    #[arg(long)]
    pub dry_run: bool,
}

/// What a deployment goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TargetWord {
    /// Kubernetes clusters
    Cluster,
    /// Hosts themselves
    Host,
}

/// `cairn deployment ...`
#[derive(Debug, Clone, Subcommand)]
pub enum DeploymentCommand {
    /// How far it is, target by target, with reasons
    #[command(
        after_help = "Examples:\n  cairn deployment status shop\n  cairn deployment status shop -w      until all targets are ready"
    )]
    Status {
        /// Its name
        #[arg(add = complete::deployments())]
        name: String,
        /// Go on until all targets are ready; ends with 1 when it failed
        #[arg(short, long)]
        watch: bool,
    },
    /// Change nothing on any target until it is resumed
    Pause {
        /// Its name
        #[arg(add = complete::deployments())]
        name: String,
    },
    /// Let a paused one go on
    Resume {
        /// Its name
        #[arg(add = complete::deployments())]
        name: String,
    },
    /// List them
    Ls,
}

/// `cairn package ...`
#[derive(Debug, Clone, Subcommand)]
pub enum PackageCommand {
    /// Make a version of a package from a file or folder
    #[command(
        after_help = "A file holds a resource of kind Package. A folder holds it as package.yaml; where one of its applications has\n\
            files with a path, such as {manifests: {path: manifests}}, the files of that folder are put in place (up to 900 KiB).\n\
            The resource is applied; no signed artifact is made in the appliance's registry yet.\n\n\
            Examples:\n  cairn package push examples/workloads/hello.yaml\n  cairn package push ./shop --dry-run"
    )]
    Push {
        /// File or folder
        path: PathBuf,
        /// Change nothing; say whether it would be taken
        #[arg(long)]
        dry_run: bool,
    },
    /// List packages with their versions
    Ls,
}

/// `cairn secret ...`
#[derive(Debug, Clone, Subcommand)]
pub enum SecretCommand {
    /// Set values; the secret is made when there is none
    #[command(
        after_help = "Values go to proven hosts only, when a deployment there needs them; nobody can read them back.\n\
            What stands on a command line is seen by others on this computer: use @FILE or --from-stdin for what matters.\n\n\
            Examples:\n  cairn secret set db user=app password=@password.txt\n  cairn secret set db password --from-stdin < password.txt"
    )]
    Set {
        /// Name of the secret
        #[arg(add = complete::secrets())]
        name: String,
        /// KEY=VALUE, KEY=@FILE, or KEY with --from-stdin
        #[arg(required = true, value_name = "KEY=VALUE")]
        values: Vec<String>,
        /// Read the value of the one KEY from standard input
        #[arg(long)]
        from_stdin: bool,
    },
    /// Remove values
    Unset {
        /// Name of the secret
        #[arg(add = complete::secrets())]
        name: String,
        /// Keys
        #[arg(required = true, value_name = "KEY")]
        keys: Vec<String>,
    },
    /// List secrets with their keys
    Ls,
}

/// `cairn cluster ...`
#[derive(Debug, Clone, Subcommand)]
pub enum ClusterCommand {
    /// Make a Kubernetes cluster of hosts
    #[command(
        group(clap::ArgGroup::new("of").required(true).multiple(true).args(["hosts", "selector"])),
        after_help = "Examples:\n  cairn cluster create edge --hosts edge-1                        one node\n  \
            cairn cluster create shop --template small --hosts server-1,server-2 --label tier=prod\n  \
            cairn cluster create farm --selector role=worker --control-plane server-1\n\n\
            The first host has the API server, unless --control-plane names another. Watch it: cairn cluster status NAME -w"
    )]
    Create(ClusterCreate),
    /// Get a kubeconfig that works for an hour
    Kubeconfig(super::reach::Kubeconfig),
    /// How far it is, node by node, with reasons
    Status {
        /// Its name
        #[arg(add = complete::clusters())]
        name: String,
        /// Go on until it is ready; ends with 1 when it failed
        #[arg(short, long)]
        watch: bool,
    },
    /// Take hosts into a cluster
    Add {
        /// Its name
        #[arg(add = complete::clusters())]
        name: String,
        /// Hosts
        #[arg(required = true, value_name = "HOST", add = complete::hosts())]
        hosts: Vec<String>,
    },
    /// Take hosts out of a cluster: drained, cleaned, and free for other work
    Remove {
        /// Its name
        #[arg(add = complete::clusters())]
        name: String,
        /// Hosts
        #[arg(required = true, value_name = "HOST", add = complete::hosts())]
        hosts: Vec<String>,
    },
    /// List them
    Ls,
}

/// `cairn cluster create`
#[derive(Debug, Clone, Args)]
pub struct ClusterCreate {
    /// Name of the cluster: a-z, 0-9 and -
    pub name: String,
    /// Cluster template [default: the one that is marked as default]
    #[arg(long, value_name = "TEMPLATE", add = complete::templates())]
    pub template: Option<String>,
    /// Hosts by name
    #[arg(long, value_name = "HOST,...", value_delimiter = ',')]
    pub hosts: Vec<String>,
    /// Hosts by their effective labels; they come and go as these change
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    pub selector: Option<String>,
    /// The host with the API server [default: the first of --hosts]
    #[arg(long, value_name = "HOST", add = complete::hosts())]
    pub control_plane: Option<String>,
    /// KEY=VALUE, by which deployments find it; may be given more than once
    #[arg(long = "label", value_name = "KEY=VALUE")]
    pub labels: Vec<String>,
    /// Change nothing; say whether it would be taken
    #[arg(long)]
    pub dry_run: bool,
}

/// `cairn distribution ...`
#[derive(Debug, Clone, Subcommand)]
pub enum DistributionCommand {
    /// Import a Kubernetes distribution with its files
    #[command(
        after_help = "A folder holds the resource as distribution.yaml and the files of its artifacts under their names; a YAML file stands\n\
            for the folder that it is in. Digests and sizes are filled in; where they are given, they must be right.\n\n\
            Examples:\n  cairn distribution import ./kubeadm-1.36\n  cairn distribution import ./k3s/distribution.yaml -n acme"
    )]
    Import {
        /// Folder or YAML file
        path: PathBuf,
        /// Send nothing; say what would be sent
        #[arg(long)]
        dry_run: bool,
    },
    /// List them
    Ls,
}
