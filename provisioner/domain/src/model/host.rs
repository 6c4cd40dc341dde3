//! A host's spec as people write it. The lifecycle's own record is [`crate::Host`].

use cairn_contract::{Digest, DiskSelector, Mac};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Settings;
use crate::HostSpec;

/// What an operator says of a host. At least one of `serial`, `uuid`, `macs`, `ek` is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct HostFields {
    /// Site of the same project; absent: the project's site `main`, or its only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// SMBIOS serial number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// SMBIOS UUID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// Network addresses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub macs: Vec<Mac>,
    /// SHA-256 of the EK's SPKI, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub ek: Option<Digest>,
    /// OS image; absent: by policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Which disk may be erased.
    #[serde(skip_serializing_if = "DiskFields::is_any")]
    pub disk: DiskFields,
    /// Of this host alone.
    #[serde(skip_serializing_if = "Settings::is_empty")]
    pub settings: Settings,
}

/// [`DiskSelector`] in the API's spelling. All that is given must match; a removable disk never does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct DiskFields {
    /// Bytes at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_size: Option<u64>,
    /// Bytes at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_size: Option<u64>,
    /// One of these; empty is any but USB.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub transports: Vec<cairn_contract::inventory::Transport>,
    /// This very serial number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
}

impl DiskFields {
    fn is_any(&self) -> bool {
        *self == Self::default()
    }
}

impl From<DiskSelector> for DiskFields {
    fn from(disk: DiskSelector) -> Self {
        let DiskSelector { min_size, max_size, transports, serial } = disk;
        Self { min_size, max_size, transports, serial }
    }
}

impl From<DiskFields> for DiskSelector {
    fn from(disk: DiskFields) -> Self {
        let DiskFields { min_size, max_size, transports, serial } = disk;
        Self { min_size, max_size, transports, serial }
    }
}

impl HostFields {
    /// The lifecycle's spec; site and settings are kept beside it.
    pub fn host_spec(self, name: String) -> HostSpec {
        let Self { site: _, serial, uuid, macs, ek, image, disk, settings: _ } = self;
        HostSpec { name, serial, uuid, macs, ek, image, disk: disk.into() }
    }

    /// From the lifecycle's spec and what is kept beside it.
    pub fn of(spec: &HostSpec, site: Option<String>, settings: Settings) -> Self {
        let HostSpec { name: _, serial, uuid, macs, ek, image, disk } = spec.clone();
        Self { site, serial, uuid, macs, ek, image, disk: disk.into(), settings }
    }
}
