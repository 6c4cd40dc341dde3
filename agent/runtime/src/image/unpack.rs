//! Layers become snapshots, each under its chain id, as containerd's own client does it: so both share them.

use std::collections::HashMap;

use cairn_contract::Digest;
use containerd_client::services::v1::snapshots::{
    CommitSnapshotRequest, PrepareSnapshotRequest, RemoveSnapshotRequest, StatSnapshotRequest,
};
use containerd_client::services::v1::{ApplyRequest, Info, UpdateRequest};
use containerd_client::tonic::Code;
use containerd_client::types::{Descriptor as Target, Mount};
use prost_types::FieldMask;

use super::content::named;
use super::{Descriptor, ImageConfig, ImageError, Manifest};
use crate::engine::{Engine, EngineError, or_gone, refused};

/// The name of the topmost snapshot.
pub(super) async fn unpack(
    engine: &Engine,
    image: &str,
    manifest: &Manifest,
    config: &ImageConfig,
) -> Result<String, ImageError> {
    let chain = config.chain();
    if chain.len() != manifest.layers.len() {
        let text = "it has another number of layers than its configuration".to_owned();
        return Err(ImageError::Manifest { image: image.to_owned(), text });
    }
    let snapshotter = engine.snapshotter().await?;
    let top = chain.last().map(|(_, id)| named(*id)).unwrap_or_default();
    if !top.is_empty() && exists(engine, &snapshotter, &top).await? {
        return Ok(top);
    }
    let mut parent = String::new();
    for (layer, (diff, id)) in manifest.layers.iter().zip(&chain) {
        let name = named(*id);
        if !exists(engine, &snapshotter, &name).await? {
            let new = Layer { engine, image, snapshotter: &snapshotter, parent: &parent, name: &name };
            new.unpack(layer, *diff).await?;
        }
        parent = name;
    }
    hold(engine, &snapshotter, manifest.config.digest, &top).await?;
    Ok(top)
}

struct Layer<'a> {
    engine: &'a Engine,
    image: &'a str,
    snapshotter: &'a str,
    parent: &'a str,
    name: &'a str,
}

impl Layer<'_> {
    async fn unpack(&self, layer: &Descriptor, diff: Digest) -> Result<(), ImageError> {
        let key = format!("cairn-unpack {}", self.name);
        remove(self.engine, self.snapshotter, &key).await?;
        let unpacked = self.fill(&key, layer, diff).await;
        if unpacked.is_err() {
            let _best_effort = remove(self.engine, self.snapshotter, &key).await;
        }
        unpacked
    }

    async fn fill(&self, key: &str, layer: &Descriptor, diff: Digest) -> Result<(), ImageError> {
        // The collector passes over it while it is not committed.
        let root = HashMap::from([("containerd.io/gc.root".to_owned(), "unpacking".to_owned())]);
        let mounts = prepare(self.engine, self.snapshotter, (key, self.parent), root).await?;
        let size = i64::try_from(layer.size).unwrap_or(0);
        let (media_type, digest) = (layer.media_type.clone(), named(layer.digest));
        let target = Some(Target { media_type, digest, size, ..Target::default() });
        let request = self.engine.ask(ApplyRequest { diff: target, mounts, ..Default::default() });
        let mut client = self.engine.diff().await?;
        let applied = client.apply(request).await.map_err(refused("unpack a layer"))?.into_inner().applied;
        if applied.map(|a| a.digest) != Some(named(diff)) {
            let what = format!("unpacked layer sha256:{}", layer.digest);
            return Err(ImageError::Mismatch { image: self.image.to_owned(), what });
        }
        self.commit(key).await.map_err(Into::into)
    }

    async fn commit(&self, key: &str) -> Result<(), EngineError> {
        let request = self.engine.ask(CommitSnapshotRequest {
            snapshotter: self.snapshotter.to_owned(),
            name: self.name.to_owned(),
            key: key.to_owned(),
            // Its child holds it, or soon the configuration; if the collector is faster it is unpacked again.
            labels: HashMap::new(),
        });
        match self.engine.snapshots().await?.commit(request).await {
            Err(status) if status.code() != Code::AlreadyExists => Err(refused("keep a layer")(status)),
            _ => Ok(()),
        }
    }
}

/// The image's configuration keeps the topmost snapshot from the collector, and so those below.
async fn hold(engine: &Engine, snapshotter: &str, config: Digest, top: &str) -> Result<(), EngineError> {
    if top.is_empty() {
        return Ok(());
    }
    let label = format!("containerd.io/gc.ref.snapshot.{snapshotter}");
    let labels = HashMap::from([(label.clone(), top.to_owned())]);
    let info = Info { digest: named(config), labels, ..Info::default() };
    let mask = FieldMask { paths: vec![format!("labels.{label}")] };
    let request = engine.ask(UpdateRequest { info: Some(info), update_mask: Some(mask) });
    engine.content().await?.update(request).await.map_err(refused("hold layers"))?;
    Ok(())
}

async fn exists(engine: &Engine, snapshotter: &str, name: &str) -> Result<bool, EngineError> {
    let request = StatSnapshotRequest { snapshotter: snapshotter.to_owned(), key: name.to_owned() };
    let stat = engine.snapshots().await?.stat(engine.ask(request)).await.map_err(refused("look for a layer"));
    Ok(or_gone(stat)?.is_some())
}

/// A writable snapshot `key` upon `parent`.
pub(crate) async fn prepare(
    engine: &Engine,
    snapshotter: &str,
    (key, parent): (&str, &str),
    labels: HashMap<String, String>,
) -> Result<Vec<Mount>, EngineError> {
    let request = engine.ask(PrepareSnapshotRequest {
        snapshotter: snapshotter.to_owned(),
        key: key.to_owned(),
        parent: parent.to_owned(),
        labels,
    });
    let answer =
        engine.snapshots().await?.prepare(request).await.map_err(refused("prepare a file system"))?;
    Ok(answer.into_inner().mounts)
}

/// None of that name is no error.
pub(crate) async fn remove(engine: &Engine, snapshotter: &str, key: &str) -> Result<(), EngineError> {
    let request = RemoveSnapshotRequest { snapshotter: snapshotter.to_owned(), key: key.to_owned() };
    let gone = engine.snapshots().await?.remove(engine.ask(request)).await;
    or_gone(gone.map_err(refused("remove a file system"))).map(drop)
}
