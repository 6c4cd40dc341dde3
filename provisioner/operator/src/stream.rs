//! Large request bodies, bounded in size and in time between chunks. Called by the routes that take files.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{HeaderMap, header};

use crate::{
    app::{App, Limits},
    problem::{Kind, Problem},
    uploads::Chunks,
};

/// A body as it arrives, and what tells afterwards why it ended. Refuses what says that it is too large, and more uploads at once
/// than [`Limits::uploads`].
pub(crate) fn begin(app: &App, headers: &HeaderMap, body: Body) -> Result<(Chunks, End), Problem> {
    let slot = Arc::clone(&app.uploads).try_acquire_owned().map_err(|_| {
        Problem::new(Kind::TooMany, "Other uploads are under way.", "Try again in a minute.").after(60)
    })?;
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
    if announced.is_some_and(|n: u64| n > app.limits.upload_bytes) {
        return Err(cut_problem(Cut::TooLarge, app.limits));
    }
    let cut = Arc::new(AtomicU8::new(Cut::No as u8));
    let chunks = bounded(body, app.limits, Arc::clone(&cut));
    Ok((chunks, End { cut, limits: app.limits, _slot: slot }))
}

/// Keeps the place among the uploads until it is dropped.
pub(crate) struct End {
    cut: Arc<AtomicU8>,
    limits: Limits,
    _slot: tokio::sync::OwnedSemaphorePermit,
}

impl End {
    /// Why this side cut the stream, if it did.
    pub(crate) fn problem(&self) -> Option<Problem> {
        match self.cut.load(Ordering::Relaxed) {
            1 => Some(cut_problem(Cut::TooLarge, self.limits)),
            2 => Some(cut_problem(Cut::TooSlow, self.limits)),
            _ => None,
        }
    }
}

/// Why the stream of chunks was cut by this side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Cut {
    No = 0,
    TooLarge = 1,
    TooSlow = 2,
}

struct Bounded {
    chunks: BodyDataStream,
    left: u64,
    limits: Limits,
    cut: Arc<AtomicU8>,
}

fn bounded(body: Body, limits: Limits, cut: Arc<AtomicU8>) -> Chunks {
    let from = Bounded { chunks: body.into_data_stream(), left: limits.upload_bytes, limits, cut };
    // After an error there is no more: `None` as the next state ends the stream.
    Box::pin(futures_util::stream::unfold(Some(from), |from| async move {
        let mut from = from?;
        let item = from.next().await?;
        let rest = item.is_ok().then_some(from);
        Some((item, rest))
    }))
}

impl Bounded {
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        let Ok(chunk) = tokio::time::timeout(self.limits.upload_idle, self.chunks.next()).await else {
            return Some(Err(self.end(Cut::TooSlow, io::ErrorKind::TimedOut)));
        };
        match chunk? {
            Ok(bytes) => match self.left.checked_sub(bytes.len() as u64) {
                Some(left) => {
                    self.left = left;
                    Some(Ok(bytes))
                }
                None => Some(Err(self.end(Cut::TooLarge, io::ErrorKind::FileTooLarge))),
            },
            Err(e) => Some(Err(io::Error::other(e))),
        }
    }

    fn end(&self, cut: Cut, kind: io::ErrorKind) -> io::Error {
        self.cut.store(cut as u8, Ordering::Relaxed);
        kind.into()
    }
}

fn cut_problem(cut: Cut, limits: Limits) -> Problem {
    if cut == Cut::TooSlow {
        return Problem::new(
            Kind::TooSlow,
            "The upload stood still.",
            "Check the network, then send it again.",
        );
    }
    let detail = format!("A file may have {} bytes.", limits.upload_bytes);
    Problem::new(Kind::TooLarge, detail, "Send a smaller one.")
}
