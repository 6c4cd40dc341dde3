//! The kinds of resources and where each may live.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A kind of resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    /// A tenant; what belongs to one is invisible to the others.
    Organisation,
    /// A part of an organisation, with sites and hosts.
    Project,
    /// A part of a project or of another region.
    Region,
    /// A place with hosts.
    Site,
    /// A machine.
    Host,
    /// What applies to the hosts of a node or of a selector.
    Policy,
    /// An OS image.
    OsImage,
    /// How a model of machine wants to be treated.
    FirmwareProfile,
    /// Where machines go that nobody registered.
    ClaimRule,
    /// A person.
    User,
    /// A set of rights.
    Role,
    /// Who has a role, and where.
    RoleBinding,
    /// A service's credential.
    Token,
    /// A Kubernetes distribution at one version.
    Distribution,
    /// What clusters are made from.
    ClusterTemplate,
    /// A Kubernetes cluster of hosts.
    Cluster,
    /// A version of what can be deployed.
    Package,
    /// Values for deployments that only proven hosts get.
    Secret,
    /// A package brought to clusters or hosts.
    Deployment,
}

/// Where a kind lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// In the appliance: namespace "".
    Appliance,
    /// In an organisation.
    Organisation,
    /// In a project.
    Project,
    /// In any of the three.
    Any,
}

/// Not a kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a kind of resource")]
pub struct UnknownKind(pub String);

impl Kind {
    /// All, parents before children: the order in which a set of them can be created.
    pub const ALL: [Self; 19] = [
        Self::Organisation,
        Self::Project,
        Self::Region,
        Self::Site,
        Self::User,
        Self::Role,
        Self::RoleBinding,
        Self::Token,
        Self::OsImage,
        Self::FirmwareProfile,
        Self::Policy,
        Self::ClaimRule,
        Self::Host,
        Self::Distribution,
        Self::ClusterTemplate,
        Self::Cluster,
        Self::Package,
        Self::Secret,
        Self::Deployment,
    ];

    /// As in `kind:`.
    pub fn name(self) -> &'static str {
        self.words().0
    }

    /// As in a path of the API: plural, lower case.
    pub fn plural(self) -> &'static str {
        self.words().1
    }

    /// What the command line also takes.
    pub fn short(self) -> &'static str {
        self.words().2
    }

    fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Organisation => ("Organisation", "organisations", "org"),
            Self::Project => ("Project", "projects", "proj"),
            Self::Region => ("Region", "regions", "reg"),
            Self::Site => ("Site", "sites", "si"),
            Self::Host => ("Host", "hosts", "ho"),
            Self::Policy => ("Policy", "policies", "pol"),
            Self::OsImage => ("OsImage", "osimages", "img"),
            Self::FirmwareProfile => ("FirmwareProfile", "firmwareprofiles", "fp"),
            Self::ClaimRule => ("ClaimRule", "claimrules", "cr"),
            Self::User => ("User", "users", "us"),
            Self::Role => ("Role", "roles", "ro"),
            Self::RoleBinding => ("RoleBinding", "rolebindings", "rb"),
            Self::Token => ("Token", "tokens", "tok"),
            Self::Distribution => ("Distribution", "distributions", "dist"),
            Self::ClusterTemplate => ("ClusterTemplate", "clustertemplates", "ct"),
            Self::Cluster => ("Cluster", "clusters", "cl"),
            Self::Package => ("Package", "packages", "pkg"),
            Self::Secret => ("Secret", "secrets", "sec"),
            Self::Deployment => ("Deployment", "deployments", "deploy"),
        }
    }

    /// Where it lives.
    pub fn level(self) -> Level {
        match self {
            Self::Organisation | Self::User => Level::Appliance,
            Self::Project => Level::Organisation,
            Self::Region
            | Self::Site
            | Self::Host
            | Self::ClaimRule
            | Self::Cluster
            | Self::Secret
            | Self::Deployment => Level::Project,
            Self::Policy
            | Self::OsImage
            | Self::FirmwareProfile
            | Self::Role
            | Self::RoleBinding
            | Self::Token
            | Self::Distribution
            | Self::ClusterTemplate
            | Self::Package => Level::Any,
        }
    }

    /// Whether others can lie below it: it gives labels and settings to them, and roles can be bound at it.
    pub fn is_node(self) -> bool {
        match self {
            Self::Organisation | Self::Project | Self::Region | Self::Site | Self::Host => true,
            Self::Policy
            | Self::OsImage
            | Self::FirmwareProfile
            | Self::ClaimRule
            | Self::User
            | Self::Role
            | Self::RoleBinding
            | Self::Token
            | Self::Distribution
            | Self::ClusterTemplate
            | Self::Cluster
            | Self::Package
            | Self::Secret
            | Self::Deployment => false,
        }
    }

    /// From a plural of a path.
    pub fn of_plural(plural: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.plural() == plural)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Singular, plural or short, in any case.
impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        let same = |word: &str| word.eq_ignore_ascii_case(text);
        let found = Self::ALL.into_iter().find(|k| same(k.name()) || same(k.plural()) || same(k.short()));
        found.ok_or_else(|| UnknownKind(text.to_owned()))
    }
}
