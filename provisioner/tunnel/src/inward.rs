//! The agent's end: streams as they are opened.

use std::future::poll_fn;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt as _};

use crate::{End, Stream, Wire, settings};

/// Streams of the provisioner.
#[derive(Debug)]
pub struct Inward<S> {
    connection: yamux::Connection<Compat<Wire<S>>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Inward<S> {
    /// Over a connection whose handshake is done.
    pub async fn new(socket: S) -> Self {
        let wire = Wire::new(socket, End::Dialled).await.compat();
        Self { connection: yamux::Connection::new(wire, settings(), yamux::Mode::Server) }
    }

    /// The next stream; `None` when the tunnel has ended. All streams move only while this is awaited; it may be dropped and
    /// awaited again.
    ///
    /// # Errors
    /// What broke the tunnel.
    pub async fn next(&mut self) -> Result<Option<Stream>, yamux::ConnectionError> {
        let next = poll_fn(|cx| self.connection.poll_next_inbound(cx)).await;
        next.map(|stream| stream.map(Stream::new)).transpose()
    }
}
