//! What can be deployed. One resource is one version of one package; it never changes.

use std::collections::BTreeMap;

use cairn_contract::workload::{Container, Vm};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One version of a package.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PackageSpec {
    /// Name of the package: the same in all its versions. An RFC 1123 label.
    pub package: String,
    /// Three numbers, such as `1.2.0`; the highest is the newest.
    pub version: String,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What it consists of: 1 to 64.
    pub applications: Vec<ApplicationSpec>,
    /// What a deployment may set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<Parameter>,
    /// Ready-made sets of parameters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub profiles: Vec<Profile>,
    /// Packages that must be ready on the same target before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<Dependency>,
    /// Where its signed OCI artifact is, `repository@sha256:…`; absent: it was only applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<String>,
}

/// One part of a package.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApplicationSpec {
    /// Unique in the package: an RFC 1123 label.
    pub name: String,
    /// Applications of this package that must be ready before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
    /// Kubernetes namespace of what names none; absent: the package's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Seconds until it counts as failed while it is not ready: 10 to 86400, usually 600.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience_seconds: Option<u32>,
    /// What it is.
    pub source: Source,
}

/// What an application is. Texts may hold `${parameter}`; `$${` is a `${` that stays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Source {
    /// Objects of Kubernetes.
    Manifests(Files),
    /// A kustomization: rendered by the real `kubectl kustomize` of the appliance.
    Kustomize(Files),
    /// A Helm chart: rendered by the real `helm` of the appliance.
    Helm(Chart),
    /// A container on the host itself.
    Container(Box<Container>),
    /// A virtual machine: on the host itself, or by KubeVirt where the target is a cluster.
    Vm(Box<Vm>),
}

/// Files by name (relative, without `..`) with their text, or an archive of the registry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Files {
    /// In place.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub inline: BTreeMap<String, String>,
    /// `repository@sha256:…` of the appliance's registry: an artifact with one tar+gzip layer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact: Option<String>,
    /// Folder in it that is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// A chart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Chart {
    /// Where it is: a chart archive as `helm push` stores one, or its files.
    pub files: Files,
    /// YAML of values.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub values: String,
    /// Name of the release; absent: the application's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
}

/// Something that a deployment may set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Parameter {
    /// Letters, digits, `_`, `.`, `-`.
    pub name: String,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What its values are.
    #[serde(default)]
    pub r#type: ParameterType,
    /// Where nobody says; never of a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// Must be given, and not be empty.
    #[serde(default)]
    pub mandatory: bool,
    /// Shown as choices; others are allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suggested: Vec<Value>,
    /// What else must hold.
    #[serde(default)]
    pub validator: Validator,
}

/// What the values of a parameter are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ParameterType {
    /// Text.
    #[default]
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// The name of a key of a Secret: `SECRET/KEY`. Its value is seen by the proven host only.
    Secret,
}

/// What must hold of a value; what does not concern its type is not allowed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Validator {
    /// The whole text matches this regular expression (syntax of the Rust crate `regex`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// Not less.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum: Option<f64>,
    /// Not more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum: Option<f64>,
    /// One of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub one_of: Vec<Value>,
}

/// A ready-made set of parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Profile {
    /// Unique in the package.
    pub name: String,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What it sets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, Value>,
}

/// A package that must be there first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dependency {
    /// Its name.
    pub package: String,
    /// Its version at least; absent: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<String>,
}
