//! What a proven host is told to do, and what it is told about its site.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::{
    ids::{Digest, Hex, HostId, InstallId, Timestamp},
    image::ImageManifest,
    inventory::Transport,
    signed::{Signable, Signed},
};

/// Which disk may be erased. All that is given must match; a removable disk never does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DiskSelector {
    /// Bytes at least.
    pub min_size: Option<u64>,
    /// Bytes at most.
    pub max_size: Option<u64>,
    /// One of these; empty is any but USB.
    pub transports: Vec<Transport>,
    /// This very serial number.
    pub serial: Option<String>,
}

/// What a program needs to find and trust its provisioner. Lies in the signed, measured UKI as `/cairn/site.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteTrust {
    /// Name of the site, for people.
    pub site: String,
    /// Host-side TLS address; its certificate carries [`crate::SERVER_NAME`].
    pub server: SocketAddr,
    /// Plain HTTP for image frames (checked one by one); absent: over TLS.
    pub plain_http: Option<SocketAddr>,
    /// Site CA, DER.
    pub ca: Hex,
    /// ed25519 public key of manifests and plans, 32 bytes.
    pub signing_key: Hex,
    /// A clock before this is wrong.
    pub not_before: Timestamp,
}

/// What one host's OS is told about itself: `/cairn/host.json` on the ESP. No secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFile {
    /// Who it is.
    pub host: HostId,
    /// Its host name (RFC 1123 label).
    pub host_name: String,
    /// Which installation wrote it.
    pub install: InstallId,
    /// What was installed.
    pub image: String,
    /// Version of that image.
    pub image_version: u64,
}

/// One installation of one host. Executing it leaves no choice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// This installation.
    pub install: InstallId,
    /// SHA-256 name of the AK that the plan is for (without its algorithm prefix).
    pub ak_name: Digest,
    /// The plan is void from then on.
    pub expires: Timestamp,
    /// What to write.
    pub image: Signed<ImageManifest>,
    /// Oldest acceptable version of that image.
    pub minimum_version: u64,
    /// Where to write it.
    pub disk: DiskSelector,
    /// Goes onto the ESP.
    pub host_file: HostFile,
}

impl Signable for Plan {
    const CONTEXT: &'static str = "plan";
}
