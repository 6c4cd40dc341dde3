//! What all commands take.

use std::{
    convert::Infallible,
    ops::Deref,
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::Args;

use crate::Output;

/// Where a site's data is when nobody says.
const DEFAULT_DATA: &str = "/var/lib/cairn";
/// Heads them in each command's help, below its own options.
const GLOBAL: &str = "For all commands";

/// For all commands.
#[derive(Debug, Clone, Default, Args)]
pub struct Globals {
    /// Data folder with client.json; on the server itself [default: /var/lib/cairn]
    #[arg(
        long,
        global = true,
        help_heading = GLOBAL,
        env = "CAIRN_DATA",
        default_value = "",
        hide_default_value = true,
        value_name = "DIR"
    )]
    pub data: DataDir,
    /// Context to use instead of the current one; see: cairn context ls
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "NAME")]
    pub context: Option<String>,
    /// Organisation or project to work in, such as acme or retail.acme
    #[arg(short, long, global = true, help_heading = GLOBAL, value_name = "NS")]
    pub namespace: Option<String>,
    /// table, wide, json, yaml, name, or jsonpath=TEMPLATE
    #[arg(short, long, global = true, help_heading = GLOBAL, value_name = "FORM")]
    pub output: Option<Output>,
    /// The same as -o json
    #[arg(long, global = true, help_heading = GLOBAL, conflicts_with = "output")]
    pub json: bool,
}

impl Globals {
    /// The form that was asked for.
    pub(crate) fn form(&self) -> Output {
        match &self.output {
            _ if self.json => Output::Json,
            Some(output) => output.clone(),
            None => Output::Table,
        }
    }
}

/// A data folder, and whether somebody named it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataDir(Option<PathBuf>);

impl DataDir {
    /// Whether a flag or variable names it.
    pub(crate) fn is_said(&self) -> bool {
        self.0.is_some()
    }
}

impl Deref for DataDir {
    type Target = Path;
    fn deref(&self) -> &Path {
        self.0.as_deref().unwrap_or(Path::new(DEFAULT_DATA))
    }
}

impl FromStr for DataDir {
    type Err = Infallible;
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(Some(text).filter(|t| !t.is_empty()).map(PathBuf::from)))
    }
}
