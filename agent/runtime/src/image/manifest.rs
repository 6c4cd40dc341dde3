//! Manifests, indexes and image configurations (OCI image specification 1.1; Docker's schema 2 has the same fields).
//!
//! Their bytes are foreign: sizes and counts are bounded, and a digest that is no SHA-256 is refused.

use cairn_contract::Digest;
use serde::{Deserialize, Deserializer};

use super::ImageError;

/// Largest manifest or configuration that is read.
pub(super) const MAX_MANIFEST: usize = 4 << 20;
const MAX_LAYERS: usize = 256;
/// Largest blob of an image: 1 TiB.
const MAX_BLOB: u64 = 1 << 40;

const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const ACCEPT: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json";

/// A blob as a manifest names it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Kind of its bytes.
    pub media_type: String,
    /// Of its bytes.
    #[serde(deserialize_with = "digest")]
    pub digest: Digest,
    /// How many.
    pub size: u64,
    #[serde(default)]
    pub(super) platform: Option<Platform>,
    #[serde(default)]
    pub(super) annotations: std::collections::BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Platform {
    architecture: String,
    os: String,
}

/// An image: its configuration and its layers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Manifest {
    /// Of the configuration.
    pub config: Descriptor,
    /// From the lowest.
    pub layers: Vec<Descriptor>,
}

#[derive(Debug, Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

/// What an image says of its process, and of what its layers become.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ImageConfig {
    /// Of the process.
    #[serde(default)]
    pub config: Process,
    rootfs: RootFs,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct RootFs {
    #[serde(default, deserialize_with = "digests")]
    diff_ids: Vec<Digest>,
}

/// What an image says of its process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Process {
    /// `uid`, `uid:gid`, or names of the image's own `/etc/passwd` and `/etc/group`.
    #[serde(deserialize_with = "or_empty")]
    pub user: String,
    /// `NAME=value`.
    #[serde(deserialize_with = "or_empty")]
    pub env: Vec<String>,
    /// Program and first arguments.
    #[serde(deserialize_with = "or_empty")]
    pub entrypoint: Vec<String>,
    /// Further arguments.
    #[serde(deserialize_with = "or_empty")]
    pub cmd: Vec<String>,
    /// Where it starts.
    #[serde(deserialize_with = "or_empty")]
    pub working_dir: String,
    /// What ends it, such as `SIGQUIT`.
    #[serde(deserialize_with = "or_empty")]
    pub stop_signal: String,
}

/// What a reference leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    Manifest(Manifest),
    /// One for each platform; this is ours.
    Index(Descriptor),
}

/// Reads a manifest, or picks this machine's from an index.
pub(crate) fn parse_manifest(bytes: &[u8], image: &str) -> Result<Found, ImageError> {
    let bad = |text: String| ImageError::Manifest { image: image.to_owned(), text };
    if bytes.len() > MAX_MANIFEST {
        return Err(bad("it is larger than 4 MiB".to_owned()));
    }
    let value: serde_json::Value = serde_json::from_slice(bytes).map_err(|e| bad(e.to_string()))?;
    if value.get("manifests").is_some() {
        let index: Index = serde_json::from_value(value).map_err(|e| bad(e.to_string()))?;
        let ours = |d: &&Descriptor| d.platform.as_ref().is_some_and(is_ours);
        let nameless = |d: &&Descriptor| d.platform.is_none();
        let found = index.manifests.iter().find(ours).or_else(|| index.manifests.iter().find(nameless));
        let found = found.filter(|d| d.size <= MAX_MANIFEST as u64).cloned();
        return found
            .map(Found::Index)
            .ok_or_else(|| bad(format!("it has nothing for linux/{}", architecture())));
    }
    let manifest: Manifest = serde_json::from_value(value).map_err(|e| bad(e.to_string()))?;
    let sizes = manifest.layers.iter().map(|l| l.size);
    if manifest.layers.len() > MAX_LAYERS || sizes.chain([manifest.config.size]).any(|s| s > MAX_BLOB) {
        return Err(bad("it has more than 256 layers, or one larger than 1 TiB".to_owned()));
    }
    Ok(Found::Manifest(manifest))
}

/// Media type to keep it under: registries differ in what they say, so its form decides.
pub(super) fn media_type(found: &Found, said: &str) -> String {
    let usual = match found {
        Found::Manifest(_) => OCI_MANIFEST,
        Found::Index(_) => OCI_INDEX,
    };
    let known = said.split(';').next().unwrap_or_default().trim();
    if ACCEPT.split(", ").any(|t| t == known) { known.to_owned() } else { usual.to_owned() }
}

impl ImageConfig {
    pub(super) fn parse(bytes: &[u8], image: &str) -> Result<Self, ImageError> {
        let bad = |text: String| ImageError::Manifest { image: image.to_owned(), text };
        serde_json::from_slice(bytes).map_err(|e| bad(format!("its configuration: {e}")))
    }

    /// Identities of the unpacked layers, each with all below it: OCI image specification, "Layer ChainID".
    pub(super) fn chain(&self) -> Vec<(Digest, Digest)> {
        let mut below: Option<Digest> = None;
        let mut chain = Vec::new();
        for diff in &self.rootfs.diff_ids {
            let id = match below {
                None => *diff,
                Some(below) => Digest::of(format!("sha256:{below} sha256:{diff}").as_bytes()),
            };
            chain.push((*diff, id));
            below = Some(id);
        }
        chain
    }
}

fn is_ours(platform: &Platform) -> bool {
    platform.os == "linux" && platform.architecture == architecture()
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn digest<'de, D: Deserializer<'de>>(from: D) -> Result<Digest, D::Error> {
    let text = String::deserialize(from)?;
    let hex = text.strip_prefix("sha256:").and_then(|hex| hex.parse().ok());
    hex.ok_or_else(|| serde::de::Error::custom("a digest is not sha256:<64 hex digits>"))
}

fn digests<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Digest>, D::Error> {
    #[derive(Deserialize)]
    struct One(#[serde(deserialize_with = "digest")] Digest);
    Ok(Vec::<One>::deserialize(from)?.into_iter().map(|one| one.0).collect())
}

/// Docker writes `null` for what is empty.
fn or_empty<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_platform_is_picked_from_an_index() {
        let entry = |arch: &str, byte: &str| {
            format!(
                r#"{{"mediaType":"m","size":9,"digest":"sha256:{}","platform":{{"os":"linux","architecture":"{arch}"}}}}"#,
                byte.repeat(32)
            )
        };
        let text = format!(r#"{{"manifests":[{},{}]}}"#, entry("mips", "aa"), entry(architecture(), "bb"));
        let Found::Index(found) = parse_manifest(text.as_bytes(), "x").unwrap() else { panic!() };
        assert_eq!(found.digest.to_string(), "bb".repeat(32));
        let none = format!(r#"{{"manifests":[{}]}}"#, entry("mips", "aa"));
        assert!(parse_manifest(none.as_bytes(), "x").is_err());
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        for bad in ["", "{}", "[]", r#"{"config":{"mediaType":"","size":1,"digest":"md5:00"},"layers":[]}"#] {
            assert!(parse_manifest(bad.as_bytes(), "x").is_err(), "{bad}");
        }
    }

    #[test]
    fn nulls_of_docker_are_empty() {
        let text =
            br#"{"config":{"User":"","Env":null,"Cmd":["a"],"Entrypoint":null},"rootfs":{"diff_ids":[]}}"#;
        let config = ImageConfig::parse(text, "x").unwrap();
        assert_eq!((config.config.cmd, config.config.entrypoint), (vec!["a".to_owned()], vec![]));
    }
}
