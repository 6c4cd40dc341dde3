//! A response body that reads a slice of a blob, and says at its end how far it got.

use std::io::{self, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use hyper::body::{Frame, SizeHint};
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncSeekExt, ReadBuf};

use crate::event::{BootEvent, Service, What, Who};
use crate::shelf::{Blob, Content};
use crate::{Observer, Parts};
use std::sync::Arc;

/// Bytes read from a file at once.
const CHUNK: usize = 256 * 1024;

enum Source {
    Nothing,
    Memory(Bytes),
    File { file: File, buffer: BytesMut },
}

/// The body of a boot answer.
pub struct Body {
    source: Source,
    left: u64,
    report: Option<Report>,
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body").field("left", &self.left).finish_non_exhaustive()
    }
}

/// What is told when the body was sent, or was dropped before.
struct Report {
    observer: Arc<dyn Observer>,
    who: Who,
    name: String,
    of: u64,
    failure: Option<String>,
}

impl Body {
    /// No bytes.
    pub fn empty() -> Self {
        Self { source: Source::Nothing, left: 0, report: None }
    }

    /// A short text.
    pub fn text(text: impl Into<Bytes>) -> Self {
        let bytes = text.into();
        let left = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Self { source: Source::Memory(bytes), left, report: None }
    }

    /// `len` bytes of a blob from `first`.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub(super) async fn slice(blob: &Blob, first: u64, len: u64) -> io::Result<Self> {
        let source = match &blob.content {
            Content::Memory(bytes) => {
                let beyond = || io::Error::from(io::ErrorKind::UnexpectedEof);
                let start = usize::try_from(first).map_err(|_| beyond())?;
                let end = usize::try_from(first.saturating_add(len)).map_err(|_| beyond())?;
                Source::Memory(if end <= bytes.len() {
                    bytes.slice(start..end)
                } else {
                    return Err(beyond());
                })
            }
            Content::File(path) => {
                let mut file = File::open(path).await?;
                file.set_max_buf_size(CHUNK);
                if first > 0 {
                    file.seek(SeekFrom::Start(first)).await?;
                }
                Source::File { file, buffer: BytesMut::new() }
            }
        };
        Ok(Self { source, left: len, report: None })
    }

    /// Tells the observer how the sending ended.
    pub(super) fn reported(mut self, parts: &Parts, who: Who, name: String) -> Self {
        let of = self.left;
        self.report = Some(Report { observer: Arc::clone(&parts.observer), who, name, of, failure: None });
        self
    }

    fn read_file(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let Source::File { file, buffer } = &mut self.source else { return Poll::Ready(None) };
        let want = usize::try_from(self.left).unwrap_or(CHUNK).min(CHUNK);
        buffer.resize(want, 0);
        let mut into = ReadBuf::new(buffer);
        ready!(Pin::new(file).poll_read(cx, &mut into))?;
        let got = into.filled().len();
        if got == 0 {
            // The file is shorter than when it was put on the shelf.
            return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
        }
        buffer.truncate(got);
        Poll::Ready(Some(Ok(buffer.split().freeze())))
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
        let next = match &mut this.source {
            Source::Nothing => return Poll::Ready(None),
            Source::Memory(bytes) => {
                let part = bytes.split_to(bytes.len().min(CHUNK));
                Some(Ok(part))
            }
            Source::File { .. } => ready!(this.read_file(cx)),
        };
        match next {
            Some(Ok(bytes)) => {
                this.left = this.left.saturating_sub(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Some(Err(error)) => {
                if let Some(report) = &mut this.report {
                    report.failure = Some(error.to_string());
                }
                Poll::Ready(Some(Err(error)))
            }
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        let Some(Report { observer, who, name, of, failure }) = self.report.take() else { return };
        let sent = of.saturating_sub(self.left);
        let service = Service::Http;
        let what = if self.left == 0 {
            What::FileSent { service, name, bytes: of }
        } else {
            let why = failure.unwrap_or_else(|| "the client closed the connection".to_owned());
            What::FileBroken { service, name, sent, of, why }
        };
        observer.observe(BootEvent { who, what });
    }
}
