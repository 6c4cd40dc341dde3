//! Requests to the provisioner over one HTTP/2 connection of their own, dialled when it is needed and again when it broke.

use std::fmt;
use std::time::Duration;

use cairn_machine::link::{Link, LinkError, Protocol, RangeBody};
use http::{Request, Response};
use hyper::body::Incoming;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use super::access::Accesses;

const DIAL: Duration = Duration::from_secs(10);

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// This host has not proven itself yet.
    #[error("this host has no certificate yet")]
    NoAccess,
    /// A file that ends before its length, or stands still.
    #[error("the bytes do not come")]
    Short,
    /// The connection or the answer.
    #[error(transparent)]
    Link(#[from] LinkError),
}

impl CallError {
    /// The provisioner understood, and says no: the same again is of no use for a while.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Link(LinkError::Status { status, .. }) if status.is_client_error())
    }
}

/// Calls; share it.
pub struct Calls {
    accesses: Accesses,
    link: Mutex<Option<Link>>,
}

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calls").finish_non_exhaustive()
    }
}

impl Calls {
    /// By whatever access is the newest when a connection is made.
    pub fn new(accesses: Accesses) -> Self {
        Self { accesses, link: Mutex::default() }
    }

    /// A use of the connection.
    async fn link(&self) -> Result<Link, CallError> {
        let mut held = self.link.lock().await;
        if let Some(link) = held.as_ref().and_then(Link::share) {
            return Ok(link);
        }
        let access = self.accesses.borrow().clone().ok_or(CallError::NoAccess)?;
        let link = Link::connect(access.server, &access.trust, Protocol::Http2, DIAL).await?;
        let share = link.share();
        *held = Some(link);
        share.ok_or(CallError::NoAccess)
    }

    /// Another connection for the next call, unless the server merely said no.
    async fn note<T>(&self, done: Result<T, LinkError>) -> Result<T, CallError> {
        if let Err(error) = &done
            && !matches!(error, LinkError::Status { .. } | LinkError::Json(_))
        {
            *self.link.lock().await = None;
        }
        Ok(done?)
    }

    /// Posts JSON and reads JSON of up to `most` bytes.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn post<Q: Serialize, A: DeserializeOwned>(
        &self,
        path: &str,
        question: &Q,
        limit: Duration,
        most: usize,
    ) -> Result<A, CallError> {
        let mut link = self.link().await?;
        let done = link.post_large(path, question, limit, most).await;
        self.note(done).await
    }

    /// A part of a resource, as it comes.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn range(&self, path: &str, at: u64, len: u64) -> Result<RangeBody, CallError> {
        let mut link = self.link().await?;
        let done = tokio::time::timeout(DIAL * 3, link.get_range(path, at, len)).await;
        match done {
            Ok(done) => self.note(done).await,
            Err(_) => {
                *self.link.lock().await = None;
                Err(CallError::Short)
            }
        }
    }

    /// Somebody else's request.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn forward(&self, request: &Request<()>) -> Result<Response<Incoming>, CallError> {
        let mut link = self.link().await?;
        let done = link.forward(request).await;
        self.note(done).await
    }
}
