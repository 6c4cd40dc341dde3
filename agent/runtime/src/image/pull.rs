//! An image made ready: in containerd's store under its name, and unpacked.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use cairn_contract::Digest;
use cairn_contract::workload::Pull;
use containerd_client::services::v1::{
    CreateImageRequest, CreateRequest, DeleteImageRequest, DeleteRequest, GetImageRequest, Image as Stored,
    UpdateImageRequest,
};
use containerd_client::tonic::Code;
use containerd_client::types::Descriptor as Target;
use tokio::sync::Mutex;

use super::content::{self, Wanted, named};
use super::manifest::{Found, ImageConfig, Manifest, media_type, parse_manifest};
use super::{Blob, Fetched, ImageError, Reference, Registry, unpack};
use crate::engine::{Engine, EngineError, or_gone, refused};

/// Leases that an agent left behind end by themselves.
const LEASE_HOURS: i64 = 24;

/// An image that is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Under which containerd has it.
    pub name: String,
    /// Of its manifest or index.
    pub digest: Digest,
    /// What it says of its process.
    pub config: ImageConfig,
    /// The snapshot that a container's is made from; empty for an image without layers.
    pub(crate) top: String,
}

/// The images of one namespace of containerd.
#[derive(Debug, Clone)]
pub struct Images {
    pub(super) engine: Engine,
    /// One at a time: two of them share layers.
    pub(super) turn: Arc<Mutex<()>>,
}

/// What a name leads to, with its bytes.
#[derive(Debug)]
struct Tree {
    target: Node,
    /// When the target is an index.
    child: Option<Node>,
    manifest: Manifest,
}

#[derive(Debug)]
struct Node {
    digest: Digest,
    bytes: Bytes,
    media_type: String,
}

impl Images {
    /// Of this containerd.
    #[must_use]
    pub fn new(engine: Engine) -> Self {
        Self { engine, turn: Arc::default() }
    }

    /// Sees to it that the image is there, whole and unpacked; fetches it as `pull` says.
    ///
    /// # Errors
    /// See [`ImageError::reason`].
    pub async fn ensure(&self, image: &str, pull: Pull, from: &dyn Registry) -> Result<Image, ImageError> {
        let of: Reference = image.parse()?;
        let _turn = self.turn.lock().await;
        if pull != Pull::Always
            && let Some(ready) = self.kept(&of).await?
        {
            return Ok(ready);
        }
        if pull == Pull::Never {
            return Err(ImageError::Absent(of.to_string()));
        }
        let lease = self.lease().await?;
        let fetched = self.fetch(&of, from, &lease).await;
        self.release(&lease).await;
        fetched
    }

    /// Forgets the name; containerd collects what nothing else names. None of that name is no error.
    ///
    /// # Errors
    /// containerd's.
    pub async fn remove(&self, name: &str) -> Result<(), EngineError> {
        let request = self.engine.ask(DeleteImageRequest { name: name.to_owned(), ..Default::default() });
        let gone = self.engine.images().await?.delete(request).await.map_err(refused("remove an image"));
        or_gone(gone).map(drop)
    }

    /// What is there already under this name, if all of it is.
    async fn kept(&self, of: &Reference) -> Result<Option<Image>, ImageError> {
        let name = of.to_string();
        let request = self.engine.ask(GetImageRequest { name: name.clone() });
        let got = self.engine.images().await?.get(request).await.map_err(refused("look for an image"));
        let Some(got) = or_gone(got)? else { return Ok(None) };
        let target = got.into_inner().image.and_then(|i| i.target);
        let digest = target.and_then(|t| t.digest.strip_prefix("sha256:").and_then(|hex| hex.parse().ok()));
        let Some(digest) = digest else { return Ok(None) };
        let Some(manifest) = self.kept_manifest(digest, &name).await? else { return Ok(None) };
        let Some(config) = content::read(&self.engine, manifest.config.digest).await? else {
            return Ok(None);
        };
        let config = ImageConfig::parse(&config, &name)?;
        // Layers whose bytes are gone cannot be unpacked again: the image is fetched again.
        match unpack::unpack(&self.engine, &name, &manifest, &config).await {
            Ok(top) => Ok(Some(Image { name, digest, config, top })),
            Err(ImageError::Engine(error)) if error.is(Code::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn kept_manifest(&self, digest: Digest, name: &str) -> Result<Option<Manifest>, ImageError> {
        let Some(bytes) = content::read(&self.engine, digest).await? else { return Ok(None) };
        let inner = match parse_manifest(&bytes, name)? {
            Found::Manifest(manifest) => return Ok(Some(manifest)),
            Found::Index(inner) => inner,
        };
        let Some(bytes) = content::read(&self.engine, inner.digest).await? else { return Ok(None) };
        match parse_manifest(&bytes, name)? {
            Found::Manifest(manifest) => Ok(Some(manifest)),
            Found::Index(_) => Ok(None),
        }
    }

    async fn fetch(&self, of: &Reference, from: &dyn Registry, lease: &str) -> Result<Image, ImageError> {
        let name = of.to_string();
        let tree = self.fetch_tree(of, from).await?;
        for blob in tree.manifest.layers.iter().chain([&tree.manifest.config]) {
            let what = format!("blob sha256:{}", blob.digest);
            let wanted = Wanted {
                image: &name,
                what: &what,
                digest: blob.digest,
                size: blob.size,
                labels: HashMap::new(),
                lease,
            };
            if !content::adopt(&self.engine, &wanted).await? {
                let failed = |source| ImageError::Registry { image: name.clone(), source };
                let bytes = from.blob(of, blob.digest).await.map_err(failed)?;
                content::write(&self.engine, &wanted, bytes).await?;
            }
        }
        self.keep(&name, tree, lease).await
    }

    async fn fetch_tree(&self, of: &Reference, from: &dyn Registry) -> Result<Tree, ImageError> {
        let target = fetch_node(of, from).await?;
        let name = of.to_string();
        let inner = match parse_manifest(&target.bytes, &name)? {
            Found::Manifest(manifest) => return Ok(Tree { target, child: None, manifest }),
            Found::Index(inner) => inner,
        };
        let child = fetch_node(&Reference { digest: Some(inner.digest), ..of.clone() }, from).await?;
        match parse_manifest(&child.bytes, &name)? {
            Found::Manifest(manifest) => Ok(Tree { target, child: Some(child), manifest }),
            Found::Index(_) => {
                Err(ImageError::Manifest { image: name, text: "an index in an index".to_owned() })
            }
        }
    }

    /// Manifests in, each holding what it names; then the name; then the layers unpacked.
    async fn keep(&self, name: &str, tree: Tree, lease: &str) -> Result<Image, ImageError> {
        let config = content::read(&self.engine, tree.manifest.config.digest).await?;
        let config = config
            .ok_or_else(|| ImageError::Mismatch { image: name.into(), what: "configuration".into() })?;
        let config = ImageConfig::parse(&config, name)?;
        let holds_blobs = blob_labels(&tree.manifest);
        let (inner, outer) = match tree.child {
            Some(child) => (child, Some(tree.target)),
            None => (tree.target, None),
        };
        self.write_node(name, &inner, holds_blobs, lease).await?;
        let target = match &outer {
            Some(outer) => {
                let holds =
                    HashMap::from([("containerd.io/gc.ref.content.m.0".to_owned(), named(inner.digest))]);
                self.write_node(name, outer, holds, lease).await?;
                outer
            }
            None => &inner,
        };
        self.name(name, target).await?;
        let top = unpack::unpack(&self.engine, name, &tree.manifest, &config).await?;
        Ok(Image { name: name.to_owned(), digest: target.digest, config, top })
    }

    async fn write_node(
        &self,
        image: &str,
        node: &Node,
        labels: HashMap<String, String>,
        lease: &str,
    ) -> Result<(), ImageError> {
        let size = node.bytes.len() as u64;
        let wanted = Wanted { image, what: "manifest", digest: node.digest, size, labels, lease };
        if content::adopt(&self.engine, &wanted).await? {
            return Ok(());
        }
        let bytes = node.bytes.clone();
        content::write(&self.engine, &wanted, Blob(Box::pin(futures_util::stream::iter([Ok(bytes)])))).await
    }

    async fn name(&self, name: &str, target: &Node) -> Result<(), EngineError> {
        let size = i64::try_from(target.bytes.len()).unwrap_or(0);
        let (media_type, digest) = (target.media_type.clone(), named(target.digest));
        let target = Some(Target { media_type, digest, size, ..Target::default() });
        let image = Some(Stored { name: name.to_owned(), target, ..Stored::default() });
        let request = CreateImageRequest { image: image.clone(), ..Default::default() };
        let mut client = self.engine.images().await?;
        match client.create(self.engine.ask(request)).await {
            Ok(_) => Ok(()),
            Err(status) if status.code() == Code::AlreadyExists => {
                let request = UpdateImageRequest { image, ..Default::default() };
                client.update(self.engine.ask(request)).await.map_err(refused("name an image"))?;
                Ok(())
            }
            Err(status) => Err(refused("name an image")(status)),
        }
    }

    pub(super) async fn lease(&self) -> Result<String, EngineError> {
        let id = format!("cairn-{}", uuid::Uuid::new_v4());
        let expires = crate::clock::rfc3339(LEASE_HOURS * 3600);
        let labels = HashMap::from([("containerd.io/gc.expire".to_owned(), expires)]);
        let request = self.engine.ask(CreateRequest { id: id.clone(), labels });
        self.engine.leases().await?.create(request).await.map_err(refused("make a lease"))?;
        Ok(id)
    }

    /// A lease that stays ends by itself.
    pub(super) async fn release(&self, id: &str) {
        let Ok(mut leases) = self.engine.leases().await else { return };
        let request = self.engine.ask(DeleteRequest { id: id.to_owned(), sync: false });
        if let Err(status) = leases.delete(request).await {
            tracing::debug!(%status, "a lease stays until it ends");
        }
    }

    /// All bytes of the image are in the store, which an archive brought; names it.
    pub(super) async fn keep_imported(
        &self,
        name: &str,
        target: Digest,
        lease: &str,
    ) -> Result<Image, ImageError> {
        let missing =
            || ImageError::Manifest { image: name.to_owned(), text: "a part is missing".to_owned() };
        let node = self.node(target).await?.ok_or_else(missing)?;
        let (child, manifest) = match parse_manifest(&node.bytes, name)? {
            Found::Manifest(manifest) => (None, manifest),
            Found::Index(inner) => {
                let child = self.node(inner.digest).await?.ok_or_else(missing)?;
                match parse_manifest(&child.bytes, name)? {
                    Found::Manifest(manifest) => (Some(child), manifest),
                    Found::Index(_) => return Err(missing()),
                }
            }
        };
        self.keep(name, Tree { target: node, child, manifest }, lease).await
    }

    async fn node(&self, digest: Digest) -> Result<Option<Node>, ImageError> {
        let bytes = content::read(&self.engine, digest).await?.map(Bytes::from);
        let Some(bytes) = bytes else { return Ok(None) };
        let media_type = media_type(&parse_manifest(&bytes, "archive")?, "");
        Ok(Some(Node { digest, bytes, media_type }))
    }
}

async fn fetch_node(of: &Reference, from: &dyn Registry) -> Result<Node, ImageError> {
    let name = of.to_string();
    let failed = |source| ImageError::Registry { image: name.clone(), source };
    let Fetched { media_type: said, bytes } = from.manifest(of).await.map_err(failed)?;
    let digest = Digest::of(&bytes);
    if of.digest.is_some_and(|wanted| wanted != digest) {
        return Err(ImageError::Mismatch { image: name, what: "the manifest".to_owned() });
    }
    let media_type = media_type(&parse_manifest(&bytes, &name)?, &said);
    Ok(Node { digest, bytes, media_type })
}

fn blob_labels(manifest: &Manifest) -> HashMap<String, String> {
    let layers = manifest.layers.iter().enumerate();
    let mut labels: HashMap<String, String> =
        layers.map(|(n, l)| (format!("containerd.io/gc.ref.content.l.{n}"), named(l.digest))).collect();
    labels.insert("containerd.io/gc.ref.content.config".to_owned(), named(manifest.config.digest));
    labels
}
