//! Where a resource lives: the appliance, an organisation or a project. Written like DNS: ``, `acme`, `retail.acme`.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name;

/// A namespace; only valid ones exist.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub enum Namespace {
    /// The appliance itself.
    #[default]
    Appliance,
    /// An organisation, by name.
    Organisation(String),
    /// A project of an organisation.
    Project {
        /// The organisation's name.
        organisation: String,
        /// The project's.
        project: String,
    },
}

/// Not a namespace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a namespace: write an organisation such as acme, or a project such as retail.acme")]
pub struct NamespaceError(pub String);

impl Namespace {
    /// The project `project` of `organisation`; both were checked as names.
    pub fn project(project: impl Into<String>, organisation: impl Into<String>) -> Self {
        Self::Project { organisation: organisation.into(), project: project.into() }
    }

    /// The one that it lies in; `None` of the appliance.
    pub fn parent(&self) -> Option<Self> {
        match self {
            Self::Appliance => None,
            Self::Organisation(_) => Some(Self::Appliance),
            Self::Project { organisation, .. } => Some(Self::Organisation(organisation.clone())),
        }
    }

    /// Whether it is `other` or lies in it.
    pub fn is_within(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::Appliance) => true,
            (Self::Organisation(a) | Self::Project { organisation: a, .. }, Self::Organisation(b)) => a == b,
            (Self::Project { .. }, Self::Project { .. }) => self == other,
            (Self::Appliance | Self::Organisation(_), _) => false,
        }
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Appliance => Ok(()),
            Self::Organisation(name) => f.write_str(name),
            Self::Project { organisation, project } => write!(f, "{project}.{organisation}"),
        }
    }
}

impl FromStr for Namespace {
    type Err = NamespaceError;

    fn from_str(text: &str) -> Result<Self, NamespaceError> {
        let ok = |label: &str| name::check(label).is_ok();
        let shown = || NamespaceError(crate::fact::plain(text, 140));
        match text.split_once('.') {
            None if text.is_empty() => Ok(Self::Appliance),
            None if ok(text) => Ok(Self::Organisation(text.to_owned())),
            Some((project, organisation)) if ok(project) && ok(organisation) => {
                Ok(Self::project(project, organisation))
            }
            None | Some(_) => Err(shown()),
        }
    }
}

impl TryFrom<String> for Namespace {
    type Error = NamespaceError;

    fn try_from(text: String) -> Result<Self, NamespaceError> {
        text.parse()
    }
}

impl From<Namespace> for String {
    fn from(namespace: Namespace) -> Self {
        namespace.to_string()
    }
}
