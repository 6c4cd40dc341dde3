//! `login`, `context`, `token`, `passwd`, `can`, `audit`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::complete;

/// `cairn login`
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  cairn login https://10.77.0.1 --user alice\n  \
    cairn login https://10.77.0.1 --code 7KQ2-M9XD --user admin       (first login, makes the administrator)\n  \
    cairn login https://10.77.0.1 --ca-sha256 3f1c... --user ci --password-stdin < secret\n  \
    cairn login https://cairn.example --device                       (by browser, with your organisation's login)\n\n\
    The site's certificate authority is pinned: by --ca-file, by --ca-sha256 (`cairn init` prints it), or by your yes.")]
pub struct Login {
    /// Such as https://10.77.0.1
    pub url: String,
    /// User name [default: asked]
    #[arg(short, long)]
    pub user: Option<String>,
    /// One-time code of `cairn init`: makes the first administrator
    #[arg(long, conflicts_with = "device")]
    pub code: Option<String>,
    /// Read the password from standard input
    #[arg(long, conflicts_with = "device")]
    pub password_stdin: bool,
    /// PEM file with the site's certificate authority
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// SHA-256 of the site's certificate authority
    #[arg(long, value_name = "HEX", conflicts_with = "ca_file")]
    pub ca_sha256: Option<String>,
    /// Log in with a browser (OIDC)
    #[arg(long, conflicts_with = "user")]
    pub device: bool,
    /// Name of the context [default: the url's host]
    #[arg(long)]
    pub name: Option<String>,
}

/// `cairn context ...`
#[derive(Debug, Clone, Subcommand)]
pub enum ContextCommand {
    /// List them; * marks the current one
    Ls,
    /// Make one the current one
    Use {
        /// Its name
        #[arg(add = complete::contexts())]
        name: String,
    },
    /// Forget one, with its token
    Rm {
        /// Its name
        #[arg(add = complete::contexts())]
        name: String,
    },
    /// Work in this organisation or project when no -n says otherwise
    SetNamespace {
        /// Such as acme or retail.acme; "" for all
        #[arg(add = complete::namespaces())]
        namespace: String,
    },
}

/// `cairn token ...`
#[derive(Debug, Clone, Subcommand)]
pub enum TokenCommand {
    /// Make one; its secret is shown once
    Create(TokenCreate),
    /// List them
    Ls,
    /// Make one void at once
    Revoke {
        /// Its name
        #[arg(add = complete::tokens())]
        name: String,
    },
}

/// `cairn token create`
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  cairn token create ci --role viewer --expires 90d\n  \
    cairn token create rollout --role site-operator --at site/north -n retail.acme -o jsonpath={.secret}")]
pub struct TokenCreate {
    /// Name: a-z, 0-9 and -
    pub name: String,
    /// What it may do, such as viewer or site-operator; see: cairn get roles
    #[arg(long)]
    pub role: String,
    /// Only there and below: region/NAME or site/NAME of the project [default: the whole namespace]
    #[arg(long, value_name = "KIND/NAME")]
    pub at: Option<String>,
    /// For how long: 12h, 30d, 8w; at most 400 days
    #[arg(long, default_value = "30d", value_parser = crate::show::duration::parse, value_name = "TIME")]
    pub expires: i64,
    /// For people
    #[arg(long, default_value = "", hide_default_value = true)]
    pub description: String,
}

/// `cairn passwd`
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  cairn passwd\n  cairn passwd bob --password-stdin < secret")]
pub struct Passwd {
    /// Whose [default: yours]
    #[arg(add = complete::users())]
    pub user: Option<String>,
    /// Read it from standard input; for your own, the present password on a line before it
    #[arg(long)]
    pub password_stdin: bool,
}

/// `cairn can`
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Ends with 0 for yes and with 6 for no.\n\nExamples:\n  cairn can create host -n retail.acme\n  \
    cairn can operate hosts && cairn host reinstall till-7"
)]
pub struct Can {
    /// get, create, update, delete, accept, operate, secret, audit
    #[arg(value_parser = ["get", "create", "update", "delete", "accept", "operate", "secret", "audit"])]
    pub verb: String,
    /// Kind
    #[arg(add = complete::kinds())]
    pub kind: String,
}

/// `cairn audit ...`
#[derive(Debug, Clone, Subcommand)]
pub enum AuditCommand {
    /// Who did what, newest last
    #[command(
        after_help = "Examples:\n  cairn audit ls\n  cairn audit ls --actor alice --verb delete\n  cairn audit ls --kind host --since 30d --limit 20 -o json"
    )]
    Ls {
        /// Only what this user or token did
        #[arg(long)]
        actor: Option<String>,
        /// Only what was done to this kind
        #[arg(long, add = complete::kinds())]
        kind: Option<String>,
        /// Only this verb, such as create, update, delete, login
        #[arg(long)]
        verb: Option<String>,
        /// Only the last so many
        #[arg(long, default_value_t = 100)]
        limit: usize,
        /// How far back: 12h, 30d
        #[arg(long, default_value = "7d", value_parser = crate::show::duration::parse, value_name = "TIME")]
        since: i64,
    },
    /// Check the chain: has a line been changed, removed or added?
    Verify,
    /// Write all as JSON lines
    #[command(
        after_help = "Examples:\n  cairn audit export > audit.ndjson\n  cairn audit export -f audit.ndjson"
    )]
    Export {
        /// Where to [default: standard output]
        #[arg(short = 'f', long)]
        file: Option<PathBuf>,
    },
}
