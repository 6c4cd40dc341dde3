//! Receiving a body into an upload: while one batch is written and hashed on a thread for that, the next is read from the
//! socket. No thread waits for a slow client, and memory is two batches.

use std::{
    io,
    pin::{Pin, pin},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::Body;
use tokio::task::JoinHandle;

use crate::store::Appending;

/// Bytes that are written at once.
const BATCH: usize = 1 << 20;

/// Why a body did not become bytes of an upload.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReceiveError {
    /// The client went away; what had come stays, so that it can go on.
    #[error("the client stopped sending: {0}")]
    Client(String),
    /// More than was announced or is allowed. The upload is gone.
    #[error("more bytes than are allowed")]
    TooMany,
    /// The upload is gone.
    #[error("an upload cannot be written")]
    Write(#[source] io::Error),
}

/// How much and how slowly.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Bytes.
    pub(super) most: u64,
    /// For each piece.
    pub(super) patience: Duration,
}

/// Appends a body.
pub(super) async fn receive<B>(upload: Appending, body: B, bounds: Bounds) -> Result<Appending, ReceiveError>
where
    B: Body<Data = Bytes> + Send,
    B::Error: std::fmt::Display,
{
    let mut body = pin!(body);
    let mut writing: Option<JoinHandle<Result<Appending, ReceiveError>>> = None;
    let mut idle = Some(upload);
    let mut left = bounds.most;
    loop {
        let batch = batch(body.as_mut(), &mut left, bounds.patience).await;
        if let Some(task) = writing.take() {
            idle =
                Some(task.await.unwrap_or_else(|error| Err(ReceiveError::Write(io::Error::other(error))))?);
        }
        let Some(upload) = idle.take() else {
            return Err(ReceiveError::Write(io::ErrorKind::InvalidData.into()));
        };
        match batch {
            Ok(parts) if parts.is_empty() => return Ok(upload),
            Ok(parts) => writing = Some(tokio::task::spawn_blocking(move || append(upload, &parts))),
            Err(ReceiveError::TooMany) => {
                discard(upload).await;
                return Err(ReceiveError::TooMany);
            }
            Err(error) => return Err(error),
        }
    }
}

/// The next pieces, about a batch of them; none at the end.
async fn batch<B>(
    mut body: Pin<&mut B>,
    left: &mut u64,
    patience: Duration,
) -> Result<Vec<Bytes>, ReceiveError>
where
    B: Body<Data = Bytes> + Send,
    B::Error: std::fmt::Display,
{
    let mut parts = Vec::new();
    let mut size: usize = 0;
    while size < BATCH {
        let next = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx));
        let frame = tokio::time::timeout(patience, next).await;
        let frame = frame.map_err(|_| ReceiveError::Client("nothing came for too long".to_owned()))?;
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|error| ReceiveError::Client(error.to_string()))?;
        let Ok(data) = frame.into_data() else { continue };
        if data.is_empty() {
            continue;
        }
        size = size.saturating_add(data.len());
        *left =
            left.checked_sub(u64::try_from(data.len()).unwrap_or(u64::MAX)).ok_or(ReceiveError::TooMany)?;
        parts.push(data);
    }
    Ok(parts)
}

/// What cannot be written completely is not kept: a full disk gets its space back.
fn append(mut upload: Appending, parts: &[Bytes]) -> Result<Appending, ReceiveError> {
    match upload.append(parts) {
        Ok(()) => Ok(upload),
        Err(error) => {
            let _ = upload.discard();
            Err(ReceiveError::Write(error))
        }
    }
}

async fn discard(upload: Appending) {
    let _ = tokio::task::spawn_blocking(move || upload.discard()).await;
}
