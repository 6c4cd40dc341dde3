//! The verbs that work on any kind.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::complete;

/// `cairn get`
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  cairn get hosts                                   all hosts of the current namespace\n  \
    cairn get hosts -A -o wide                        of all namespaces, with more columns\n  \
    cairn get host till-7 -o yaml                     one, as it can be applied again\n  \
    cairn get hosts -l role=pos,tier!=test            by effective labels; also: 'env in (a, b)', '!old'\n  \
    cairn get hosts --field-selector status.phase=running\n  \
    cairn get hosts -w                                and go on as they change\n  \
    cairn get sites,regions -n acme                   several kinds\n  \
    cairn get hosts -o jsonpath='{range .items[*]}{.metadata.name}{\"\\t\"}{.status.phase}{\"\\n\"}{end}'\n\n\
    All kinds: cairn api-resources"
)]
pub struct Get {
    /// KIND [NAME...], KIND,KIND or KIND/NAME...
    #[arg(required = true, value_name = "KIND [NAME]", add = complete::words())]
    pub words: Vec<String>,
    /// Of all namespaces
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// Only those whose labels fit, such as role=pos,tier!=test
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    pub selector: Option<String>,
    /// Only those whose fields fit, such as status.phase=running
    #[arg(long, value_name = "SELECTOR")]
    pub field_selector: Option<String>,
    /// Go on as they change, until Ctrl-C
    #[arg(short, long)]
    pub watch: bool,
    /// At most so many
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
}

/// `cairn describe`
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  cairn describe host till-7\n  cairn describe site/north policy/baseline"
)]
pub struct Describe {
    /// KIND NAME... or KIND/NAME...
    #[arg(required = true, value_name = "KIND NAME", add = complete::words())]
    pub words: Vec<String>,
}

/// Files of resources.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Ends with 0 whether or not there are differences; with --exit-code, with 1 when there are.\n\n\
    Examples:\n  cairn diff -f site.yaml\n  cairn diff -f examples/ -R --exit-code"
)]
pub struct Files {
    /// File or folder with YAML or JSON; - for standard input; may be given more than once
    #[arg(short = 'f', long = "filename", required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Folders below too
    #[arg(short = 'R', long)]
    pub recursive: bool,
    /// End with 1 when something would change
    #[arg(long)]
    pub exit_code: bool,
}

/// `cairn apply`
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  cairn apply -f acme.yaml\n  cairn apply -f examples/ -R\n  \
    cairn apply -f - < policy.yaml\n  cairn apply -f policy.yaml --dry-run         which hosts it would touch, and how\n\n\
    What you removed from a file since its last apply is removed from the resource; what others set stays.")]
pub struct Apply {
    /// File or folder with YAML or JSON; - for standard input; may be given more than once
    #[arg(short = 'f', long = "filename", required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Folders below too
    #[arg(short = 'R', long)]
    pub recursive: bool,
    /// Change nothing; say what would change and which hosts it would touch
    #[arg(long)]
    pub dry_run: bool,
}

/// `cairn edit`
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Opens $VISUAL or $EDITOR, else vi. What others change meanwhile in other fields is kept; when \
    the server refuses your text, it is opened again with the reason above it, and at last kept in a file.\n\nExamples:\n  cairn edit policy baseline\n  \
    EDITOR=nano cairn edit host/till-7"
)]
pub struct Edit {
    /// KIND NAME or KIND/NAME
    #[arg(required = true, num_args = 1..=2, value_name = "KIND NAME", add = complete::words())]
    pub words: Vec<String>,
}

/// `cairn delete`
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  cairn delete host till-7\n  cairn delete site/north region/south --yes\n  \
    cairn delete -f acme.yaml --dry-run             what it would touch"
)]
pub struct Delete {
    /// KIND NAME... or KIND/NAME...
    #[arg(required_unless_present = "files", conflicts_with = "files", value_name = "KIND NAME", add = complete::words())]
    pub words: Vec<String>,
    /// Delete what the file describes; may be given more than once
    #[arg(short = 'f', long = "filename", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Folders below too
    #[arg(short = 'R', long)]
    pub recursive: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Change nothing; say what would happen
    #[arg(long)]
    pub dry_run: bool,
}

/// `cairn label`, `cairn annotate`
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  cairn label host till-7 role=pos\n  cairn label region/north tier=prod old-     (old- removes old)\n  \
    cairn label host till-7 role=kiosk --overwrite\n  cairn annotate site north note='key at the desk'\n\n\
    Labels go down the tree: one of a region is a label of all its sites and hosts. Annotations do not."
)]
pub struct Mark {
    /// KIND NAME... KEY=VALUE... KEY-...
    #[arg(required = true, value_name = "KIND NAME KEY=VALUE", add = complete::words())]
    pub words: Vec<String>,
    /// Replace values that are there
    #[arg(long)]
    pub overwrite: bool,
    /// Change nothing; say what would change
    #[arg(long)]
    pub dry_run: bool,
}

/// `cairn explain`
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  cairn explain host till-7              labels, settings and policies, each with its source\n  \
    cairn explain site north\n  cairn explain policy                   the fields of a kind\n  cairn explain policy.spec.attestation"
)]
pub struct Explain {
    /// KIND NAME, KIND/NAME, KIND or KIND.FIELD
    #[arg(required = true, num_args = 1..=2, value_name = "KIND [NAME]", add = complete::words())]
    pub words: Vec<String>,
}

/// `cairn events`
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  cairn events\n  cairn events -w -n retail.acme\n  cairn events -w -o json | jq .text"
)]
pub struct Events {
    /// Go on as things happen, until Ctrl-C
    #[arg(short, long)]
    pub watch: bool,
    /// The last so many
    #[arg(long, default_value_t = 50)]
    pub limit: u32,
}

/// `cairn timeline`
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  cairn timeline till-7\n  cairn timeline till-7 -f")]
pub struct Timeline {
    /// [host] NAME
    #[arg(required = true, num_args = 1..=2, value_name = "HOST", add = complete::hosts())]
    pub words: Vec<String>,
    /// Go on as things happen, until Ctrl-C
    #[arg(short, long)]
    pub follow: bool,
}

/// Hosts, by name.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  cairn deauthorise host till-7\n  cairn decommission host till-7 --yes")]
pub struct Hosts {
    /// [host] NAME... or host/NAME...
    #[arg(required = true, value_name = "HOST", add = complete::words())]
    pub words: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}

/// `cairn move`
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  cairn move host till-7 --to south                    to another site of its project\n  \
    cairn move host till-7 --to depot.logistics.acme     to a site of another project\n  \
    cairn move host till-7 --to south --dry-run          whether it could"
)]
pub struct Move {
    /// [host] NAME... or host/NAME...
    #[arg(required = true, value_name = "HOST", add = complete::words())]
    pub words: Vec<String>,
    /// Site, by name or full name
    #[arg(long, value_name = "SITE", add = complete::sites())]
    pub to: String,
    /// Change nothing; say whether it could be done
    #[arg(long)]
    pub dry_run: bool,
}

/// `cairn import ...`
#[derive(Debug, Clone, Subcommand)]
pub enum Import {
    /// From a CSV file, Cairn's own or that of Edge Manageability Framework
    #[command(
        after_help = "Columns: name,serial,uuid,mac,ek,site,image,labels,project (the first line names those that are there; labels\n\
        are role=till;size=small), or\n\
        Serial,UUID,OSProfile,Site,Secure,RemoteUser,Metadata,... of Edge Manageability Framework.\n\n\
        Examples:\n  cairn import hosts -f hosts.csv --dry-run\n  cairn import hosts -f hosts.csv --error-file wrong.csv -n retail.acme"
    )]
    Hosts {
        /// The file; - for standard input
        #[arg(short = 'f', long = "filename", value_name = "FILE")]
        file: PathBuf,
        /// Change nothing; say what is wrong in which line
        #[arg(long)]
        dry_run: bool,
        /// Write the lines that are wrong into this file, with the reason in their last column
        #[arg(long, value_name = "FILE")]
        error_file: Option<PathBuf>,
    },
}

/// A shell that can complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// bash 4 or later
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
}

/// `cairn __complete`
#[derive(Debug, Clone, Args)]
pub struct Complete {
    /// Which word is being typed, from 0
    #[arg(long)]
    pub index: usize,
    /// All words, the program's name first
    #[arg(last = true)]
    pub words: Vec<std::ffi::OsString>,
}
