//! Reading answers, with bounds.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Response, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde::de::DeserializeOwned;

use super::LinkError;

/// So much of a refusal's text is kept.
const MAX_TEXT: usize = 300;

/// The bytes of a range as they come.
#[derive(Debug)]
pub struct RangeBody {
    peer: SocketAddr,
    body: Incoming,
}

impl RangeBody {
    /// Checks that the answer is the range that begins at `at`; 200 is the whole resource, from byte 0.
    pub(super) fn of(peer: SocketAddr, response: Response<Incoming>, at: u64) -> Result<Self, LinkError> {
        let begins = match response.status() {
            StatusCode::PARTIAL_CONTENT => {
                let value = response.headers().get(header::CONTENT_RANGE).and_then(|v| v.to_str().ok());
                value.and_then(|v| v.strip_prefix("bytes ")?.split('-').next()?.parse::<u64>().ok())
            }
            StatusCode::OK => Some(0),
            _ => None,
        };
        if begins != Some(at) {
            return Err(LinkError::Range { peer });
        }
        Ok(Self { peer, body: response.into_body() })
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// [`LinkError::Http`].
    pub async fn next(&mut self) -> Result<Option<Bytes>, LinkError> {
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|source| LinkError::Http { peer: self.peer, source })?;
            if let Ok(data) = frame.into_data()
                && !data.is_empty()
            {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }
}

/// Collects a body of at most `most` bytes and reads it.
pub(super) async fn json<A: DeserializeOwned>(
    peer: SocketAddr,
    response: Response<Incoming>,
    most: usize,
) -> Result<A, LinkError> {
    if response.status() == StatusCode::NO_CONTENT {
        return serde_json::from_slice(b"null").map_err(LinkError::Json);
    }
    let bytes = collect(peer, response, most).await?;
    serde_json::from_slice(&bytes).map_err(LinkError::Json)
}

async fn collect(peer: SocketAddr, response: Response<Incoming>, max: usize) -> Result<Bytes, LinkError> {
    match Limited::new(response.into_body(), max).collect().await {
        Ok(all) => Ok(all.to_bytes()),
        Err(e) => match e.downcast::<hyper::Error>() {
            Ok(source) => Err(LinkError::Http { peer, source: *source }),
            Err(_) => Err(LinkError::Long { peer, most: max }),
        },
    }
}

/// What the server said with a status that is not ours to go on with.
pub(super) async fn refusal(peer: SocketAddr, status: StatusCode, response: Response<Incoming>) -> LinkError {
    let bytes = collect(peer, response, 8192).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let text = text.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect();
    LinkError::Status { peer, status, text }
}
