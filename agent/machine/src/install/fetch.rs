//! Where frames come from: ranges of a blob, over a connection that may break at any byte.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep, timeout};

use super::Watch;

/// No byte for so long: the connection is dead, open another.
const SILENCE: Duration = Duration::from_secs(15);
/// No progress for so long, over all attempts: give up. A provisioner restarts in less.
const PATIENCE: Duration = Duration::from_secs(180);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Why a range did not come.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct FetchError {
    /// In words.
    pub what: String,
    /// Cause.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl FetchError {
    fn new(what: &str) -> Self {
        Self { what: what.to_owned(), source: None }
    }
}

/// A source of ranges.
pub trait Fetch: Send {
    /// One open range.
    type Body: Body;
    /// Begins to read `len` bytes at `at`.
    fn open(&mut self, at: u64, len: u64) -> impl Future<Output = Result<Self::Body, FetchError>> + Send;
}

/// The bytes of an open range, in pieces of any size.
pub trait Body: Send {
    /// The next piece; `None` at the end.
    fn next(&mut self) -> impl Future<Output = Result<Option<Bytes>, FetchError>> + Send;
}

/// Reads a run of consecutive frames, taking it up where it broke.
pub(super) struct Stream<'f, F: Fetch> {
    fetch: &'f mut F,
    body: Option<F::Body>,
    at: u64,
    end: u64,
    /// Received and not yet given out.
    piece: Bytes,
    /// When the last byte came, and how long to wait before the next attempt.
    alive: Instant,
    pause: Duration,
}

impl<'f, F: Fetch> Stream<'f, F> {
    pub(super) fn new(fetch: &'f mut F, at: u64, len: u64) -> Self {
        Self {
            fetch,
            body: None,
            at,
            end: at.saturating_add(len),
            piece: Bytes::new(),
            alive: Instant::now(),
            pause: FIRST_PAUSE,
        }
    }

    /// Fills `frame`. On failure says at which byte of the blob.
    pub(super) async fn fill(
        &mut self,
        frame: &mut Vec<u8>,
        len: usize,
        watch: &Watch,
    ) -> Result<(), (u64, FetchError)> {
        frame.clear();
        frame.reserve_exact(len);
        while frame.len() < len {
            if self.piece.is_empty() {
                self.piece = self.more(watch).await?;
            }
            let n = self.piece.len().min(len - frame.len());
            frame.extend_from_slice(&self.piece.split_to(n));
        }
        Ok(())
    }

    /// The next piece, over as many connections as it takes.
    async fn more(&mut self, watch: &Watch) -> Result<Bytes, (u64, FetchError)> {
        loop {
            let why = match self.attempt().await {
                Ok(piece) => {
                    self.alive = Instant::now();
                    self.pause = FIRST_PAUSE;
                    self.at = self.at.saturating_add(piece.len() as u64);
                    return Ok(piece);
                }
                Err(why) => why,
            };
            self.body = None;
            if watch.stopped() || self.alive.elapsed() > PATIENCE {
                return Err((self.at, why));
            }
            tracing::warn!(at = self.at, error = %why, "the image's stream broke, taking it up again");
            watch.resumed_once();
            sleep(self.pause).await;
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn attempt(&mut self) -> Result<Bytes, FetchError> {
        let silent = |_| FetchError::new("no byte came for 15 s");
        let body = match &mut self.body {
            Some(body) => body,
            None => {
                let open = self.fetch.open(self.at, self.end.saturating_sub(self.at));
                self.body.insert(timeout(SILENCE, open).await.map_err(silent)??)
            }
        };
        let left = self.end.saturating_sub(self.at);
        match timeout(SILENCE, body.next()).await.map_err(silent)?? {
            Some(piece) if piece.len() as u64 > left => {
                Err(FetchError::new("more bytes came than were asked for"))
            }
            Some(piece) => Ok(piece),
            None => Err(FetchError::new("the stream ended too early")),
        }
    }
}
