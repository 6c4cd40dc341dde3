//! Bytes into containerd's content store, checked while they pass, and small ones back out of it.

use std::collections::HashMap;

use bytes::Bytes;
use cairn_contract::Digest;
use containerd_client::services::v1::{
    AbortRequest, AddResourceRequest, Info, InfoRequest, ReadContentRequest, Resource, UpdateRequest,
    WriteAction, WriteContentRequest,
};
use containerd_client::tonic::Code;
use futures_util::{StreamExt as _, stream};
use prost_types::FieldMask;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::manifest::MAX_MANIFEST;
use super::{Blob, ImageError};
use crate::engine::{Engine, EngineError, refused};

/// One message of a write; gRPC refuses more than 4 MiB.
const PIECE: usize = 1 << 20;

/// A blob that is to be there.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub(super) image: &'a str,
    pub(super) what: &'a str,
    pub(super) digest: Digest,
    pub(super) size: u64,
    /// `containerd.io/gc.ref.…`: what it keeps from the collector.
    pub(super) labels: HashMap<String, String>,
    pub(super) lease: &'a str,
}

pub(super) fn named(digest: Digest) -> String {
    format!("sha256:{digest}")
}

/// Whether it is there whole; then it is held by the lease and has the labels.
pub(super) async fn adopt(engine: &Engine, wanted: &Wanted<'_>) -> Result<bool, EngineError> {
    let request = engine.ask(InfoRequest { digest: named(wanted.digest) });
    match engine.content().await?.info(request).await {
        Ok(_) => {}
        Err(status) if status.code() == Code::NotFound => return Ok(false),
        Err(status) => return Err(refused("look for a blob")(status)),
    }
    let resource = Some(Resource { id: named(wanted.digest), r#type: "content".to_owned() });
    let request = engine.ask(AddResourceRequest { id: wanted.lease.to_owned(), resource });
    engine.leases().await?.add_resource(request).await.map_err(refused("hold a blob"))?;
    if !wanted.labels.is_empty() {
        label(engine, wanted.digest, &wanted.labels).await?;
    }
    Ok(true)
}

async fn label(engine: &Engine, digest: Digest, labels: &HashMap<String, String>) -> Result<(), EngineError> {
    let info = Info { digest: named(digest), labels: labels.clone(), ..Info::default() };
    let paths = labels.keys().map(|key| format!("labels.{key}")).collect();
    let request = engine.ask(UpdateRequest { info: Some(info), update_mask: Some(FieldMask { paths }) });
    engine.content().await?.update(request).await.map_err(refused("label a blob"))?;
    Ok(())
}

/// Writes it. Nothing is kept when its length or digest is another.
pub(super) async fn write(engine: &Engine, wanted: &Wanted<'_>, blob: Blob) -> Result<(), ImageError> {
    let name = format!("cairn-{}", wanted.digest);
    abort(engine, &name).await?;
    let (tell, told) = mpsc::channel(4);
    let messages = stream::unfold(told, |mut told| async move { told.recv().await.map(|m| (m, told)) });
    let mut client = engine.content().await?;
    let request = engine.ask_leased(messages, wanted.lease);
    let take = async move {
        let mut answers = client.write(request).await?.into_inner();
        while answers.message().await?.is_some() {}
        Ok::<(), containerd_client::tonic::Status>(())
    };
    let (fed, taken) = tokio::join!(feed(wanted, &name, blob, tell), take);
    let written = fed.and_then(|()| match taken {
        Err(status) if status.code() == Code::AlreadyExists => Ok(()),
        taken => taken.map_err(|e| refused("write a blob")(e).into()),
    });
    // What containerd refused is the cause when the feeding only saw that nobody listens.
    if written.is_err() {
        let _best_effort = abort(engine, &name).await;
    }
    written
}

/// A write that was left unfinished by an earlier agent begins again.
async fn abort(engine: &Engine, name: &str) -> Result<(), EngineError> {
    let request = engine.ask(AbortRequest { r#ref: name.to_owned() });
    match engine.content().await?.abort(request).await {
        Err(status) if status.code() != Code::NotFound => Err(refused("begin a write anew")(status)),
        _ => Ok(()),
    }
}

async fn feed(
    wanted: &Wanted<'_>,
    name: &str,
    mut blob: Blob,
    tell: mpsc::Sender<WriteContentRequest>,
) -> Result<(), ImageError> {
    let total = i64::try_from(wanted.size).unwrap_or(i64::MAX);
    let (mut hash, mut offset) = (Sha256::new(), 0_i64);
    let message = |action: WriteAction, offset, data: Bytes| WriteContentRequest {
        action: action.into(),
        r#ref: name.to_owned(),
        total,
        expected: named(wanted.digest),
        offset,
        data: data.to_vec(),
        labels: wanted.labels.clone(),
    };
    while let Some(piece) = blob.0.next().await {
        let broken = |source| ImageError::Broken { image: wanted.image.to_owned(), source };
        let mut piece = piece.map_err(broken)?;
        while !piece.is_empty() {
            let part = piece.split_to(piece.len().min(PIECE));
            hash.update(&part);
            let at = offset;
            offset += i64::try_from(part.len()).unwrap_or(0);
            if offset > total {
                return Err(mismatch(wanted));
            }
            if tell.send(message(WriteAction::Write, at, part)).await.is_err() {
                return Ok(());
            }
        }
    }
    let digest: [u8; 32] = hash.finalize().into();
    if offset != total || digest != wanted.digest.0 {
        return Err(mismatch(wanted));
    }
    let _refused = tell.send(message(WriteAction::Commit, offset, Bytes::new())).await;
    Ok(())
}

fn mismatch(wanted: &Wanted<'_>) -> ImageError {
    ImageError::Mismatch { image: wanted.image.to_owned(), what: wanted.what.to_owned() }
}

/// A manifest or configuration; none when it is not there.
pub(super) async fn read(engine: &Engine, digest: Digest) -> Result<Option<Vec<u8>>, EngineError> {
    let request = engine.ask(ReadContentRequest { digest: named(digest), offset: 0, size: 0 });
    let mut answers = match engine.content().await?.read(request).await {
        Ok(answers) => answers.into_inner(),
        Err(status) if status.code() == Code::NotFound => return Ok(None),
        Err(status) => return Err(refused("read a blob")(status)),
    };
    let mut bytes = Vec::new();
    loop {
        match answers.message().await {
            Ok(Some(piece)) if bytes.len() + piece.data.len() <= MAX_MANIFEST => bytes.extend(piece.data),
            Ok(Some(_)) => return Ok(None),
            Ok(None) => return Ok((Digest::of(&bytes) == digest).then_some(bytes)),
            Err(status) if status.code() == Code::NotFound => return Ok(None),
            Err(status) => return Err(refused("read a blob")(status)),
        }
    }
}
