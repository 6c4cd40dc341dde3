//! Rules about machines: who they are when nobody registered them, how their firmware is, what is installed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Labels;

/// Where a proven machine goes that nobody registered. A rule of a project claims for that project; the first that fits, by
/// priority and then by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct ClaimRuleSpec {
    /// Which machines; all that is given must match, and something must be given.
    pub r#match: ClaimMatch,
    /// Site of this project.
    pub site: String,
    /// Image of the host; absent: by policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Labels of the host.
    #[serde(skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// Let it in at once; otherwise it waits there for a person.
    pub accept: bool,
    /// The higher is asked first.
    pub priority: i32,
}

/// By what a machine is claimed. `*` stands for any characters; letter case does not count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct ClaimMatch {
    /// Serial number, such as `CN7792*`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// SMBIOS UUID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// Any of its addresses, such as `00:25:90:*`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// SHA-256 of the EK's SPKI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ek: Option<String>,
    /// SMBIOS manufacturer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<String>,
    /// SMBIOS product.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
}

/// How a model of machine wants to be treated.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct FirmwareProfileSpec {
    /// Which machines; something must be given.
    pub r#match: FirmwareMatch,
    /// What is special.
    pub quirks: FirmwareQuirks,
}

/// By what a model is known. `*` stands for any characters; letter case does not count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct FirmwareMatch {
    /// SMBIOS manufacturer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<String>,
    /// SMBIOS product.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
}

/// What is special.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct FirmwareQuirks {
    /// Seconds that its power-on self-test may add to every boot deadline: 0 to 3600.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow_start_seconds: Option<u32>,
}

/// An OS image, as it was added with `cairn image add`: the API shows it and does not write it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OsImageSpec {
    /// Grows with each import under the name.
    pub version: u64,
    /// For people.
    pub os_version: String,
    /// SHA-256 of the blob.
    pub sha256: String,
    /// Bytes of the blob.
    pub size: u64,
    /// RFC 3339; installers refuse it from then on.
    pub expires: String,
}
