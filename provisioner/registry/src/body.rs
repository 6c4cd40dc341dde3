//! Bodies of answers. A blob's bytes go from the page cache into a few buffers that are used again and again, without a
//! change of threads; only what the disk has to deliver first is read on a thread for blocking work.

use std::{
    fs::File,
    io::{self, IoSliceMut},
    os::unix::fs::FileExt as _,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use rustix::io::{Errno, ReadWriteFlags};
use tokio::task::JoinHandle;

/// Bytes that are read at once: two of them and the socket's fit into a processor's cache.
const CHUNK: usize = 256 * 1024;
/// Buffers that one body keeps for later.
const SPARE: usize = 4;

/// The body of an answer: a text, or a slice of a file.
pub struct Body {
    source: Source,
    left: u64,
}

enum Source {
    Memory(Bytes),
    File(Reading),
}

struct Reading {
    file: Arc<File>,
    at: u64,
    pool: Arc<Pool>,
    pending: Option<JoinHandle<io::Result<Vec<u8>>>>,
    /// Whether the file system can say "not in memory" instead of waiting.
    may_refuse: bool,
}

#[derive(Default)]
struct Pool(Mutex<Vec<Vec<u8>>>);

/// A buffer that goes back to its pool when the last reader has dropped it.
struct Lent {
    bytes: Vec<u8>,
    len: usize,
    pool: Arc<Pool>,
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body").field("left", &self.left).finish_non_exhaustive()
    }
}

impl Body {
    /// No bytes.
    pub fn empty() -> Self {
        Self::memory(Bytes::new())
    }

    /// Bytes that are in memory.
    pub fn memory(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let left = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Self { source: Source::Memory(bytes), left }
    }

    /// `size` bytes of a file from `first`.
    pub(crate) fn file(file: File, first: u64, size: u64) -> Self {
        let pool = Arc::default();
        let reading = Reading { file: Arc::new(file), at: first, pool, pending: None, may_refuse: true };
        Self { source: Source::File(reading), left: size }
    }
}

impl Pool {
    fn take(&self) -> Vec<u8> {
        let spare = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        spare.unwrap_or_else(|| vec![0; CHUNK])
    }

    fn put(&self, bytes: Vec<u8>) {
        let mut spare = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < SPARE {
            spare.push(bytes);
        }
    }
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.pool.put(std::mem::take(&mut self.bytes));
    }
}

impl Reading {
    fn poll(&mut self, left: u64, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        let want = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        if self.pending.is_none() {
            if let Some(bytes) = self.at_once(want)? {
                return Poll::Ready(Ok(bytes));
            }
            self.pending = Some(self.on_a_thread(want));
        }
        let Some(task) = &mut self.pending else { return Poll::Pending };
        let read = ready!(Pin::new(task).poll(cx));
        self.pending = None;
        let bytes = read.map_err(io::Error::other)??;
        let len = bytes.len();
        Poll::Ready(self.lend(bytes, len))
    }

    /// Without waiting; nothing when the disk is needed.
    fn at_once(&mut self, want: usize) -> io::Result<Option<Bytes>> {
        if !self.may_refuse {
            return Ok(None);
        }
        let mut bytes = self.pool.take();
        let into = bytes.get_mut(..want).unwrap_or_default();
        let read =
            rustix::io::preadv2(&*self.file, &mut [IoSliceMut::new(into)], self.at, ReadWriteFlags::NOWAIT);
        match read {
            Ok(len) => self.lend(bytes, len).map(Some),
            Err(Errno::AGAIN | Errno::INTR) => {
                self.pool.put(bytes);
                Ok(None)
            }
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {
                self.may_refuse = false;
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn on_a_thread(&self, want: usize) -> JoinHandle<io::Result<Vec<u8>>> {
        let (file, at, mut bytes) = (Arc::clone(&self.file), self.at, self.pool.take());
        tokio::task::spawn_blocking(move || {
            bytes.resize(want, 0);
            let len = file.read_at(&mut bytes, at)?;
            bytes.truncate(len);
            Ok(bytes)
        })
    }

    fn lend(&mut self, mut bytes: Vec<u8>, len: usize) -> io::Result<Bytes> {
        if len == 0 {
            // The file is shorter than when it was opened; nobody shortens blobs.
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.resize(CHUNK, 0);
        self.at = self.at.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
        Ok(Bytes::from_owner(Lent { bytes, len, pool: Arc::clone(&self.pool) }))
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        if this.left == 0 {
            return Poll::Ready(None);
        }
        let bytes = match &mut this.source {
            Source::Memory(bytes) => bytes.split_to(bytes.len().min(CHUNK)),
            Source::File(reading) => match ready!(reading.poll(this.left, cx)) {
                Ok(bytes) => bytes,
                Err(error) => return Poll::Ready(Some(Err(error))),
            },
        };
        this.left = this.left.saturating_sub(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
