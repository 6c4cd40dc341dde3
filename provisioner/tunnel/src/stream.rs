//! One stream: a line each way, then bytes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes, BytesMut};
use cairn_contract::workload::tunnel::{MAX_LINE, Open, Opened};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio_util::compat::{Compat, FuturesAsyncReadCompatExt as _};

use crate::line::{self, LineError};

/// A stream of a tunnel. Dropped without `shutdown`, it is reset: the other end may lose what it has not read yet.
#[derive(Debug)]
pub struct Stream {
    inner: Compat<yamux::Stream>,
    /// What came in one piece with the line.
    rest: Bytes,
}

impl Stream {
    pub(crate) fn new(inner: yamux::Stream) -> Self {
        Self { inner: inner.compat(), rest: Bytes::new() }
    }

    /// For the agent: what the stream is for. The caller sets the deadline.
    ///
    /// # Errors
    /// [`LineError`].
    pub async fn asked(&mut self) -> Result<Open, LineError> {
        line::read_open(&self.line().await?)
    }

    /// For the agent: whether it is opened. After [`Opened::No`] nothing follows.
    ///
    /// # Errors
    /// [`LineError`].
    pub async fn answer(&mut self, opened: &Opened) -> Result<(), LineError> {
        self.say(opened).await?;
        match opened {
            Opened::Yes => Ok(()),
            Opened::No(_) => self.inner.shutdown().await.map_err(LineError::Broken),
        }
    }

    /// For the provisioner: asks, and waits for the answer.
    pub(crate) async fn ask(&mut self, open: &Open) -> Result<Opened, LineError> {
        self.say(open).await?;
        line::read_opened(&self.line().await?)
    }

    async fn say(&mut self, value: &impl serde::Serialize) -> Result<(), LineError> {
        let line = line::write(value)?;
        self.inner.write_all(&line).await.map_err(LineError::Broken)?;
        self.inner.flush().await.map_err(LineError::Broken)
    }

    /// The first line without its end; what comes after it stays to be read.
    async fn line(&mut self) -> Result<Bytes, LineError> {
        let mut bytes = BytesMut::with_capacity(512);
        loop {
            if let Some(at) = bytes.iter().position(|b| *b == b'\n') {
                let line = bytes.split_to(at).freeze();
                bytes.advance(1);
                self.rest = bytes.freeze();
                return Ok(line);
            }
            if bytes.len() >= MAX_LINE {
                return Err(LineError::Long);
            }
            if self.inner.read_buf(&mut bytes).await.map_err(LineError::Broken)? == 0 {
                return Err(LineError::Short);
            }
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.rest.is_empty() {
            return Pin::new(&mut this.inner).poll_read(cx, buffer);
        }
        let len = this.rest.len().min(buffer.remaining());
        buffer.put_slice(this.rest.get(..len).unwrap_or_default());
        this.rest.advance(len);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}
