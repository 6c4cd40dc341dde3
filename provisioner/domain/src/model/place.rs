//! The nodes of the tree above the host.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Settings;

/// A tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct OrganisationSpec {
    /// For people; the name is used where it is empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub display_name: String,
    /// For everything below.
    #[serde(skip_serializing_if = "Settings::is_empty")]
    pub settings: Settings,
}

/// A part of an organisation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct ProjectSpec {
    /// For people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub display_name: String,
    /// For everything below.
    #[serde(skip_serializing_if = "Settings::is_empty")]
    pub settings: Settings,
}

/// A part of a project or of another region.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct RegionSpec {
    /// For people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub display_name: String,
    /// Region of the same project that it lies in; absent: directly in the project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// For everything below.
    #[serde(skip_serializing_if = "Settings::is_empty")]
    pub settings: Settings,
}

/// A place with hosts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct SiteSpec {
    /// For people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub display_name: String,
    /// Region of the same project that it lies in; absent: directly in the project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// IANA name such as `Europe/Berlin`; maintenance windows are in it. Absent: UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// For everything below.
    #[serde(skip_serializing_if = "Settings::is_empty")]
    pub settings: Settings,
}
