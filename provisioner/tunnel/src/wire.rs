//! One stream of bytes in the binary messages of a WebSocket. Where messages begin and end means nothing.
//!
//! Both ends ping each other: the way between them (a NAT, a peer that lost its power) may forget the connection without a word.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::{Sink as _, Stream as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Interval, MissedTickBehavior, Sleep, interval_at, sleep};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

/// Between two pings.
const PING: Duration = Duration::from_secs(20);
/// A peer that says nothing for so long is gone.
const SILENCE: Duration = Duration::from_secs(60);
/// So much is gathered into one message.
const GATHERED: usize = 32 << 10;
/// Largest message of a peer: ours are smaller.
const MAX_MESSAGE: usize = 128 << 10;
const BUFFER: usize = 16 << 10;

/// Which end of the WebSocket this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It dialled: the agent. Its bytes are masked (RFC 6455, 5.3).
    Dialled,
    /// It was dialled: the provisioner.
    Accepted,
}

/// The stream.
#[derive(Debug)]
pub struct Wire<S> {
    socket: WebSocketStream<S>,
    rest: Bytes,
    gathered: BytesMut,
    ping: Interval,
    silence: Pin<Box<Sleep>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// Over a connection whose handshake is done.
    pub async fn new(socket: S, end: End) -> Self {
        let role = match end {
            End::Dialled => Role::Client,
            End::Accepted => Role::Server,
        };
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER)
            .write_buffer_size(BUFFER)
            .max_write_buffer_size(4 << 20)
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        let socket = WebSocketStream::from_raw_socket(socket, role, Some(config)).await;
        let mut ping = interval_at(Instant::now() + PING, PING);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (rest, gathered) = (Bytes::new(), BytesMut::new());
        Self { socket, rest, gathered, ping, silence: Box::pin(sleep(SILENCE)) }
    }

    /// Sends what is gathered as one message.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.gathered.is_empty() {
            return Poll::Ready(Ok(()));
        }
        ready!(Pin::new(&mut self.socket).poll_ready(cx)).map_err(broken)?;
        let message = Message::Binary(self.gathered.split().freeze());
        Poll::Ready(Pin::new(&mut self.socket).start_send(message).map_err(broken))
    }

    /// Pings when it is time, and finds out that nobody is there any more.
    fn poll_alive(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        while self.ping.poll_tick(cx).is_ready() {
            // A socket that takes nothing at this moment needs no ping: the limit on silence holds all the same.
            if let Poll::Ready(room) = Pin::new(&mut self.socket).poll_ready(cx) {
                room.map_err(broken)?;
                Pin::new(&mut self.socket).start_send(Message::Ping(Bytes::new())).map_err(broken)?;
                if let Poll::Ready(Err(error)) = Pin::new(&mut self.socket).poll_flush(cx) {
                    return Err(broken(error));
                }
            }
        }
        match Future::poll(self.silence.as_mut(), cx) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }

    /// The next bytes; empty at the end.
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        loop {
            let message = match Pin::new(&mut self.socket).poll_next(cx) {
                Poll::Ready(Some(message)) => message.map_err(broken)?,
                Poll::Ready(None) => return Poll::Ready(Ok(Bytes::new())),
                Poll::Pending => {
                    self.poll_alive(cx)?;
                    return Poll::Pending;
                }
            };
            self.silence.as_mut().reset(Instant::now() + SILENCE);
            match message {
                Message::Binary(bytes) if !bytes.is_empty() => return Poll::Ready(Ok(bytes)),
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) => {}
                Message::Close(_) => return Poll::Ready(Ok(Bytes::new())),
                Message::Text(_) | Message::Frame(_) => {
                    return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
                }
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.rest.is_empty() {
            this.rest = ready!(this.poll_message(cx))?;
        }
        let len = this.rest.len().min(buffer.remaining());
        buffer.put_slice(this.rest.get(..len).unwrap_or_default());
        this.rest.advance(len);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.gathered.len() >= GATHERED {
            ready!(this.poll_send(cx))?;
        }
        let len = bytes.len().min(GATHERED.saturating_sub(this.gathered.len()));
        this.gathered.extend_from_slice(bytes.get(..len).unwrap_or_default());
        Poll::Ready(Ok(len))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.socket).poll_flush(cx).map_err(broken)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        match ready!(Pin::new(&mut this.socket).poll_close(cx)) {
            Ok(()) | Err(Error::ConnectionClosed | Error::AlreadyClosed) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(broken(error))),
        }
    }
}

fn broken(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        Error::ConnectionClosed | Error::AlreadyClosed => io::ErrorKind::BrokenPipe.into(),
        other => io::Error::new(io::ErrorKind::InvalidData, other),
    }
}
