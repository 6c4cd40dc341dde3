//! An image's blob over HTTP, as the install engine wants it: a new connection for each range, so that a broken one
//! is left behind whole.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use super::{Link, LinkError, Protocol, RangeBody, Trust};
use crate::install::{Body, Fetch, FetchError};

const CONNECT: Duration = Duration::from_secs(10);

/// Where the blob is served.
#[derive(Debug, Clone)]
pub enum FrameSource {
    /// Plain HTTP.
    Plain(SocketAddr),
    /// TLS under the site's CA.
    Tls(SocketAddr, Trust),
}

/// Fetches ranges of one path.
#[derive(Debug)]
pub struct Frames {
    source: FrameSource,
    path: String,
}

/// A range, and the connection that carries it.
#[derive(Debug)]
pub struct FrameBody {
    body: RangeBody,
    _link: Link,
}

impl Frames {
    /// Ranges of `path`, such as `/artifacts/sha256/…`.
    #[must_use]
    pub fn new(source: FrameSource, path: String) -> Self {
        Self { source, path }
    }

    async fn begin(&self, at: u64, len: u64) -> Result<FrameBody, LinkError> {
        let mut link = match &self.source {
            FrameSource::Plain(peer) => Link::plain(*peer, CONNECT).await?,
            FrameSource::Tls(peer, trust) => Link::connect(*peer, trust, Protocol::Http1, CONNECT).await?,
        };
        let body = link.get_range(&self.path, at, len).await?;
        Ok(FrameBody { body, _link: link })
    }
}

fn failed(error: LinkError) -> FetchError {
    FetchError { what: "the server gives no image bytes".to_owned(), source: Some(Box::new(error)) }
}

impl Fetch for Frames {
    type Body = FrameBody;
    async fn open(&mut self, at: u64, len: u64) -> Result<FrameBody, FetchError> {
        self.begin(at, len).await.map_err(failed)
    }
}

impl Body for FrameBody {
    async fn next(&mut self) -> Result<Option<Bytes>, FetchError> {
        self.body.next().await.map_err(failed)
    }
}
