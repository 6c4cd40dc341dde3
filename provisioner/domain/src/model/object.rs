//! One resource: read from a manifest, kept by the store, shown by the API.

use std::{fmt, sync::Arc};

use schemars::JsonSchema;
use serde::{
    Deserialize, Serialize, Serializer,
    ser::{Error as _, SerializeStruct as _},
};
use serde_json::Value;

use super::{
    API_VERSION, ClaimRuleSpec, ClusterSpec, ClusterTemplateSpec, DeploymentSpec, DistributionSpec,
    FirmwareProfileSpec, HostFields, Kind, Labels, Metadata, Namespace, OrganisationSpec, OsImageSpec,
    PackageSpec, PolicySpec, ProjectSpec, RegionSpec, RoleBindingSpec, RoleSpec, SecretSpec, SiteSpec,
    TokenSpec, UserSpec, metadata::Settings, status,
};
use crate::Host;

/// What an operator says of a resource.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "each variant is named as its kind is")]
pub enum Spec {
    Organisation(OrganisationSpec),
    Project(ProjectSpec),
    Region(RegionSpec),
    Site(SiteSpec),
    Host(HostFields),
    Policy(Box<PolicySpec>),
    OsImage(OsImageSpec),
    FirmwareProfile(FirmwareProfileSpec),
    ClaimRule(Box<ClaimRuleSpec>),
    User(UserSpec),
    Role(RoleSpec),
    RoleBinding(RoleBindingSpec),
    Token(TokenSpec),
    Distribution(Box<DistributionSpec>),
    ClusterTemplate(Box<ClusterTemplateSpec>),
    Cluster(Box<ClusterSpec>),
    Package(Box<PackageSpec>),
    Secret(SecretSpec),
    Deployment(Box<DeploymentSpec>),
}

/// Why a spec was not understood: serde's words, such as "unknown field `x`, expected one of `y`, `z`".
#[derive(Debug, thiserror::Error)]
#[error("the spec of a {kind} is not understood")]
pub struct SpecError {
    /// Of which kind.
    pub kind: Kind,
    /// The cause.
    #[source]
    pub source: serde_json::Error,
}

impl Spec {
    /// Reads the spec of a resource of `kind`; an absent one is `null` or `{}`.
    pub fn parse(kind: Kind, value: Value) -> Result<Self, SpecError> {
        let value = if value.is_null() { Value::Object(serde_json::Map::new()) } else { value };
        Self::parse_strictly(kind, value).map_err(|source| SpecError { kind, source })
    }

    fn parse_strictly(kind: Kind, value: Value) -> Result<Self, serde_json::Error> {
        use serde_json::from_value;
        Ok(match kind {
            Kind::Organisation => Self::Organisation(from_value(value)?),
            Kind::Project => Self::Project(from_value(value)?),
            Kind::Region => Self::Region(from_value(value)?),
            Kind::Site => Self::Site(from_value(value)?),
            Kind::Host => Self::Host(from_value(value)?),
            Kind::Policy => Self::Policy(from_value(value)?),
            Kind::OsImage => Self::OsImage(from_value(value)?),
            Kind::FirmwareProfile => Self::FirmwareProfile(from_value(value)?),
            Kind::ClaimRule => Self::ClaimRule(from_value(value)?),
            Kind::User => Self::User(from_value(value)?),
            Kind::Role => Self::Role(from_value(value)?),
            Kind::RoleBinding => Self::RoleBinding(from_value(value)?),
            Kind::Token => Self::Token(from_value(value)?),
            Kind::Distribution => Self::Distribution(from_value(value)?),
            Kind::ClusterTemplate => Self::ClusterTemplate(from_value(value)?),
            Kind::Cluster => Self::Cluster(from_value(value)?),
            Kind::Package => Self::Package(from_value(value)?),
            Kind::Deployment => Self::Deployment(from_value(value)?),
            Kind::Secret => Self::Secret(from_value(value)?),
        })
    }

    /// Of which kind it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Organisation(_) => Kind::Organisation,
            Self::Project(_) => Kind::Project,
            Self::Region(_) => Kind::Region,
            Self::Site(_) => Kind::Site,
            Self::Host(_) => Kind::Host,
            Self::Policy(_) => Kind::Policy,
            Self::OsImage(_) => Kind::OsImage,
            Self::FirmwareProfile(_) => Kind::FirmwareProfile,
            Self::ClaimRule(_) => Kind::ClaimRule,
            Self::User(_) => Kind::User,
            Self::Role(_) => Kind::Role,
            Self::RoleBinding(_) => Kind::RoleBinding,
            Self::Token(_) => Kind::Token,
            Self::Distribution(_) => Kind::Distribution,
            Self::ClusterTemplate(_) => Kind::ClusterTemplate,
            Self::Cluster(_) => Kind::Cluster,
            Self::Package(_) => Kind::Package,
            Self::Deployment(_) => Kind::Deployment,
            Self::Secret(_) => Kind::Secret,
        }
    }

    /// What a node gives to those below; `None` for what is no node.
    pub fn settings(&self) -> Option<&Settings> {
        match self {
            Self::Organisation(s) => Some(&s.settings),
            Self::Project(s) => Some(&s.settings),
            Self::Region(s) => Some(&s.settings),
            Self::Site(s) => Some(&s.settings),
            Self::Host(s) => Some(&s.settings),
            Self::Policy(_)
            | Self::OsImage(_)
            | Self::FirmwareProfile(_)
            | Self::ClaimRule(_)
            | Self::User(_)
            | Self::Role(_)
            | Self::RoleBinding(_)
            | Self::Token(_)
            | Self::Distribution(_)
            | Self::ClusterTemplate(_)
            | Self::Cluster(_)
            | Self::Package(_)
            | Self::Deployment(_)
            | Self::Secret(_) => None,
        }
    }
}

/// One resource. Its JSON form is what the API shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// Who it is.
    pub metadata: Metadata,
    /// What was said of it.
    pub spec: Spec,
    /// Of a host: its lifecycle's record. `None` for every other kind.
    pub host: Option<Arc<Host>>,
    /// Of a cluster or deployment: what the provisioner found out last. `None` before, and for every other kind.
    pub status: Option<Arc<Value>>,
}

impl Object {
    /// Of which kind it is.
    pub fn kind(&self) -> Kind {
        self.spec.kind()
    }

    /// `NAME.NAMESPACE`, unique in its kind.
    pub fn full_name(&self) -> String {
        full_name(&self.metadata.name, &self.metadata.namespace)
    }
}

impl From<Host> for Object {
    fn from(host: Host) -> Self {
        let meta = host.meta.clone();
        let spec = HostFields::of(&host.spec, meta.site, meta.settings);
        let metadata = Metadata {
            name: host.spec.name.clone(),
            namespace: meta.project,
            uid: host.id.into(),
            labels: meta.labels,
            annotations: meta.annotations,
            generation: meta.generation,
            resource_version: meta.resource_version,
            created: host.created,
        };
        Self { metadata, spec: Spec::Host(spec), host: Some(Arc::new(host)), status: None }
    }
}

/// `NAME.NAMESPACE`, or the name alone in the appliance.
pub fn full_name(name: &str, namespace: &Namespace) -> String {
    match namespace {
        Namespace::Appliance => name.to_owned(),
        inside => format!("{name}.{inside}"),
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.full_name())
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let host = status::of(self);
        let shown = host.is_some() || self.status.is_some();
        let mut out = serializer.serialize_struct("Object", 4 + usize::from(shown))?;
        out.serialize_field("apiVersion", API_VERSION)?;
        out.serialize_field("kind", self.kind().name())?;
        out.serialize_field("metadata", &Shown(&self.metadata))?;
        out.serialize_field("spec", &self.spec)?;
        if let Some(status) = &host {
            out.serialize_field("status", status)?;
        } else if let Some(status) = &self.status {
            out.serialize_field("status", status.as_ref())?;
        }
        out.end()
    }
}

/// Metadata as the API shows it.
struct Shown<'a>(&'a Metadata);

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let m = self.0;
        let mut out = serializer.serialize_struct("Metadata", 8)?;
        out.serialize_field("name", &m.name)?;
        out.serialize_field("namespace", &m.namespace)?;
        out.serialize_field("uid", &m.uid)?;
        out.serialize_field("labels", &m.labels)?;
        out.serialize_field("annotations", &m.annotations)?;
        out.serialize_field("generation", &m.generation)?;
        out.serialize_field("resourceVersion", &m.resource_version.to_string())?;
        let created =
            status::rfc3339(m.created).ok_or_else(|| S::Error::custom("a time beyond year 9999"))?;
        out.serialize_field("creationTimestamp", &created)?;
        out.end()
    }
}

/// What people send. `status` and what only the server sets in `metadata` are taken and ignored, so that what was read
/// can be sent back; `resourceVersion` is not ignored: a write against another one is refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest {
    /// `cairn/v1`.
    pub api_version: String,
    /// Which kind.
    pub kind: Kind,
    /// Who.
    pub metadata: ManifestMetadata,
    /// By kind.
    #[serde(default)]
    pub spec: Value,
    /// Ignored.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub status: Value,
}

/// Metadata that people send.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct ManifestMetadata {
    /// RFC 1123 label.
    pub name: String,
    /// Where; absent: where the request says, else the kind's only place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
    /// Labels.
    #[serde(skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// Annotations.
    #[serde(skip_serializing_if = "Labels::is_empty")]
    pub annotations: Labels,
    /// What was read; another one now is a conflict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_version: Option<String>,
    /// Where it is given, it must be the present one's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<super::Uid>,
    /// Ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// Ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creation_timestamp: Option<String>,
}
