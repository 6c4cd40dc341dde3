//! Archives of packages out of the registry, for the renderer.

use std::io::Read;

use bytes::Bytes;
use cairn_contract::Digest;
use cairn_fleet::render::{PackageError, Packages};
use cairn_registry::Registry;
use cairn_store::Blobs;
use futures_util::future::BoxFuture;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use serde::Deserialize;

/// Manifests are not larger.
const MANIFEST: usize = 4 << 20;
/// Archives are not larger, packed.
const PACKED: u64 = 32 << 20;

/// The registry of the appliance, and where its content lies.
#[derive(Debug)]
pub(crate) struct Shelf {
    pub(crate) registry: Registry,
    pub(crate) blobs: Blobs,
}

/// What is read of a manifest.
#[derive(Debug, Deserialize)]
struct Manifest {
    #[serde(default)]
    layers: Vec<Layer>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layer {
    #[serde(default)]
    media_type: String,
    digest: String,
    size: u64,
}

impl Packages for Shelf {
    fn open<'a>(&'a self, reference: &'a str) -> BoxFuture<'a, Result<Box<dyn Read + Send>, PackageError>> {
        Box::pin(self.layer(reference))
    }
}

impl Shelf {
    async fn layer(&self, reference: &str) -> Result<Box<dyn Read + Send>, PackageError> {
        let absent = || PackageError::Absent(reference.to_owned());
        let (repository, digest) = reference.split_once('@').ok_or_else(absent)?;
        let manifest = self.ask(Method::GET, &format!("/v2/{repository}/manifests/{digest}")).await;
        let manifest = manifest?.ok_or_else(absent)?;
        let manifest: Manifest = serde_json::from_slice(&manifest)
            .map_err(|_| PackageError::Unfit(format!("{reference} is no manifest of an artifact")))?;
        let layer = archive(reference, &manifest)?;
        // Only what this very repository has, whatever else lies in the folder.
        let has = self.ask(Method::HEAD, &format!("/v2/{repository}/blobs/sha256:{layer}")).await?;
        has.ok_or_else(absent)?;
        let blobs = self.blobs.clone();
        let opened = tokio::task::spawn_blocking(move || blobs.open(&layer)).await;
        let opened = opened.map_err(|e| PackageError::Failed(e.to_string()))?;
        let opened = opened.map_err(|e| PackageError::Failed(crate::in_words(&e)))?;
        let (file, _) = opened.ok_or_else(absent)?;
        Ok(Box::new(file))
    }

    /// The body of an answer; `None`: the registry does not have it.
    async fn ask(&self, method: Method, path: &str) -> Result<Option<Bytes>, PackageError> {
        let failed = |why: String| PackageError::Failed(why);
        let request = Request::builder().method(method).uri(path).body(Empty::<Bytes>::new());
        // A reference that is no path is in no registry.
        let Ok(request) = request else { return Ok(None) };
        let everything = |_: &cairn_registry::RepositoryName, _| true;
        let response = self.registry.handle(&everything, request).await;
        match response.status() {
            StatusCode::OK => {}
            status if status.is_server_error() => return Err(failed(format!("it answers {status}"))),
            _ => return Ok(None),
        }
        let body = Limited::new(response.into_body(), MANIFEST).collect().await;
        body.map(|body| Some(body.to_bytes())).map_err(|e| failed(e.to_string()))
    }
}

/// The one layer that is a tar archive in gzip; a chart's signature beside it is passed over.
fn archive(reference: &str, manifest: &Manifest) -> Result<Digest, PackageError> {
    let unfit = |why: &str| PackageError::Unfit(format!("{reference} {why}"));
    let is_archive =
        |layer: &&Layer| ["tar+gzip", "tar.gzip", "tgz"].iter().any(|end| layer.media_type.ends_with(end));
    let mut layers = manifest.layers.iter().filter(is_archive);
    let (Some(layer), None) = (layers.next(), layers.next()) else {
        return Err(unfit("has not exactly one layer that is a tar archive in gzip"));
    };
    if layer.size > PACKED {
        return Err(unfit("is larger than 32 MiB"));
    }
    let digest = layer.digest.strip_prefix("sha256:").and_then(|hex| hex.parse().ok());
    digest.ok_or_else(|| unfit("names its layer by no SHA-256"))
}
