//! The provisioner's end: it opens streams; those that an agent opens are refused.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use cairn_contract::workload::tunnel::{Open, Opened};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt as _};

use crate::{End, LineError, MOST_STREAMS, Stream, Wire, settings};

/// A stream is open within this, or not at all: the agent may have to reach an API server first.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a stream was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The tunnel ended meanwhile.
    #[error("the tunnel of the host has ended")]
    Gone,
    /// As many streams are open as one host may have.
    #[error("the host has {MOST_STREAMS} open streams already")]
    Busy,
    /// No answer.
    #[error("the host did not answer within {} s", PATIENCE.as_secs())]
    Slow,
    /// The agent's own words.
    #[error("the host says: {0}")]
    Refused(String),
    /// Not the contract.
    #[error("the host's agent does not speak as it should")]
    Line(#[from] LineError),
}

type Answer = oneshot::Sender<yamux::Result<yamux::Stream>>;

/// Opens streams; cheap to clone.
#[derive(Debug, Clone)]
pub struct Opener {
    asks: mpsc::Sender<Answer>,
    room: Arc<Semaphore>,
}

/// What drives the tunnel: nothing moves while it is not run.
#[derive(Debug)]
pub struct Hub<S> {
    connection: yamux::Connection<Compat<Wire<S>>>,
    asks: mpsc::Receiver<Answer>,
    waiting: Option<Answer>,
}

/// Over a connection whose handshake is done.
pub async fn hub<S: AsyncRead + AsyncWrite + Unpin>(socket: S) -> (Opener, Hub<S>) {
    let wire = Wire::new(socket, End::Accepted).await.compat();
    let connection = yamux::Connection::new(wire, settings(), yamux::Mode::Client);
    let (sender, asks) = mpsc::channel(MOST_STREAMS);
    let opener = Opener { asks: sender, room: Arc::new(Semaphore::new(MOST_STREAMS)) };
    (opener, Hub { connection, asks, waiting: None })
}

impl Opener {
    /// Opens a stream; the permit is to be kept as long as the stream.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(&self, open: &Open) -> Result<(Stream, OwnedSemaphorePermit), OpenError> {
        let permit = Arc::clone(&self.room).try_acquire_owned().map_err(|_| OpenError::Busy)?;
        let opened = timeout(PATIENCE, self.ask(open)).await.map_err(|_| OpenError::Slow)??;
        Ok((opened, permit))
    }

    async fn ask(&self, open: &Open) -> Result<Stream, OpenError> {
        let (sender, answer) = oneshot::channel();
        self.asks.send(sender).await.map_err(|_| OpenError::Gone)?;
        let stream = match answer.await {
            Ok(Ok(stream)) => stream,
            Ok(Err(yamux::ConnectionError::TooManyStreams)) => return Err(OpenError::Busy),
            Ok(Err(_)) | Err(_) => return Err(OpenError::Gone),
        };
        let mut stream = Stream::new(stream);
        match stream.ask(open).await? {
            Opened::Yes => Ok(stream),
            Opened::No(why) => Err(OpenError::Refused(why)),
        }
    }

    /// Whether its tunnel has ended.
    pub fn is_gone(&self) -> bool {
        self.asks.is_closed()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Hub<S> {
    /// Until the other end leaves or breaks the rules. Dropped, it cuts every stream at once.
    ///
    /// # Errors
    /// What broke it.
    pub async fn run(mut self) -> Result<(), yamux::ConnectionError> {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), yamux::ConnectionError>> {
        loop {
            match self.connection.poll_next_inbound(cx) {
                // Dropped: it is reset. Agents have nothing to ask this way.
                Poll::Ready(Some(Ok(_refused))) => continue,
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Pending => {}
            }
            if self.waiting.is_none() {
                match self.asks.poll_recv(cx) {
                    Poll::Ready(Some(ask)) => self.waiting = Some(ask),
                    // Nobody can ask any more: another tunnel of the host took its place.
                    Poll::Ready(None) => return Poll::Ready(Ok(())),
                    Poll::Pending => return Poll::Pending,
                }
            }
            let Poll::Ready(stream) = self.connection.poll_new_outbound(cx) else { return Poll::Pending };
            if let Some(waiting) = self.waiting.take() {
                // Whoever asked may have given up; the stream is reset then.
                let _ = waiting.send(stream);
            }
        }
    }
}
