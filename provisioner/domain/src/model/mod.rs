//! Resources: what operators describe and read. Shaped like Kubernetes': `apiVersion`, `kind`, `metadata`, `spec`, `status`.
//!
//! ```text
//! appliance ("")        Organisation  User
//!  `- organisation      Project                        Policy, ClaimRule, Role, RoleBinding, Token,
//!      `- project       Region  Site  Host             OsImage, FirmwareProfile, Distribution, ClusterTemplate, Package:
//!          |            Cluster  Deployment  Secret    at any of the three levels
//!          `- region -> region -> site -> host         (by spec.parent, spec.region, spec.site)
//! ```
//! Here are types and their checks without knowledge of others; what needs the others (does the parent exist?) is in
//! [`crate::admit`]. The store keeps [`Object`]s, the API shows them.

mod cluster;
mod condition;
mod deployment;
mod host;
mod kind;
mod metadata;
mod namespace;
mod object;
mod package;
mod person;
mod place;
mod policy;
mod rule;
mod status;

pub use cluster::{Addon, ClusterSpec, ClusterTemplateSpec, DistributionSpec};
pub use condition::{Condition, Truth};
pub use deployment::{DeploymentSpec, Override, Rollout, SecretSpec, TargetKind, Targets};
pub use host::{DiskFields, HostFields};
pub use kind::{Kind, Level, UnknownKind};
pub use metadata::{Labels, Metadata, Settings, Uid};
pub use namespace::{Namespace, NamespaceError};
pub use object::{Manifest, ManifestMetadata, Object, Spec, SpecError, full_name};
pub use package::{
    ApplicationSpec, Chart, Dependency, Files, PackageSpec, Parameter, ParameterType, Profile, Source,
    Validator,
};
pub use person::{
    OidcIdentity, RoleBindingSpec, RoleRule, RoleSpec, Subject, SubjectKind, TokenSpec, UserSpec, Verb,
};
pub use place::{OrganisationSpec, ProjectSpec, RegionSpec, SiteSpec};
pub use policy::{
    AttestationSection, BootSection, ClusterMode, ClusterSection, ImageSection, MaintenanceSection,
    MaintenanceWindow, Network, PolicySpec, TelemetrySection, UpdateSection,
};
pub use rule::{ClaimMatch, ClaimRuleSpec, FirmwareMatch, FirmwareProfileSpec, FirmwareQuirks, OsImageSpec};
pub use status::{Action, HostStatus, InstalledImage, TpmStatus, attempt, of_host, rfc3339};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `apiVersion` of everything.
pub const API_VERSION: &str = "cairn/v1";

/// Names another resource that the reader can look up: same namespace unless it says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reference {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
}
