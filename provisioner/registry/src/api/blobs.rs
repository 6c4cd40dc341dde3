//! Blobs: look, fetch, remove (distribution-spec, "Pulling blobs", "Deleting blobs").

use std::{fs::File, time::Duration};

use cairn_contract::Digest;
use http::{HeaderValue, Method, Response, StatusCode, header};

use super::{Answer, CONTENT_DIGEST, Call, set, status};
use crate::{
    Action, Body, Part, clock,
    digest::written,
    refusal::{Code, Refusal},
    registry::blocking,
    store,
};

/// A blob that somebody asked about is made young when it is older than this: well below any time of grace.
const FRESH: Duration = Duration::from_secs(600);

impl Call<'_> {
    pub(super) async fn blob(&self, digest: Digest) -> Answer {
        let (file, size) = self.open(digest).await?;
        let tag = format!("\"{}\"", written(&digest));
        if self.header(header::IF_NONE_MATCH).is_some_and(|known| known.contains(tag.as_str())) {
            let mut response = status(StatusCode::NOT_MODIFIED);
            set(&mut response, header::ETAG, tag);
            return Ok(response);
        }
        let mut response = self.slice(file, size)?;
        set(&mut response, header::ETAG, tag);
        set(&mut response, CONTENT_DIGEST, written(&digest));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        Ok(response)
    }

    async fn open(&self, digest: Digest) -> Result<(File, u64), Refusal> {
        let (layout, name) = (self.registry.layout.clone(), self.name.clone());
        // Who may push will not upload what is here already, and relies on it until the manifest follows.
        let asks = self.parts.method == Method::HEAD && self.access.may(self.name, Action::Push);
        let found = blocking(move || {
            let found = store::open(&layout, &name, &digest)?;
            if let Some((file, _)) = found.as_ref().filter(|_| asks) {
                store::touch(file, clock::now(), FRESH)?;
            }
            Ok::<_, Refusal>(found)
        });
        found.await?.ok_or_else(unknown)
    }

    /// The whole, or the part that is asked for.
    fn slice(&self, file: File, size: u64) -> Answer {
        let head = self.parts.method == Method::HEAD;
        let body = |first, len| if head { Body::empty() } else { Body::file(file, first, len) };
        let mut response;
        match Part::of(self.header(header::RANGE), size) {
            Part::Unsatisfiable => {
                let message = "the blob has no such bytes";
                let refusal = Refusal::new(StatusCode::RANGE_NOT_SATISFIABLE, Code::SizeInvalid, message);
                let range = HeaderValue::try_from(format!("bytes */{size}"));
                return Err(range.into_iter().fold(refusal, |r, range| r.with(header::CONTENT_RANGE, range)));
            }
            Part::Slice { first, last } if !head => {
                let len = last.saturating_sub(first).saturating_add(1);
                response = Response::new(body(first, len));
                *response.status_mut() = StatusCode::PARTIAL_CONTENT;
                set(&mut response, header::CONTENT_RANGE, format!("bytes {first}-{last}/{size}"));
                set(&mut response, header::CONTENT_LENGTH, len.to_string());
            }
            Part::Slice { .. } | Part::Whole => {
                response = Response::new(body(0, size));
                set(&mut response, header::CONTENT_LENGTH, size.to_string());
            }
        }
        Ok(response)
    }

    pub(super) async fn delete_blob(&self, digest: Digest) -> Answer {
        let (layout, name) = (self.registry.layout.clone(), self.name.clone());
        let was = blocking(move || store::remove(&layout, &name, &digest).map_err(Refusal::from)).await?;
        if was { Ok(status(StatusCode::ACCEPTED)) } else { Err(unknown()) }
    }
}

fn unknown() -> Refusal {
    Refusal::absent(Code::BlobUnknown, "the repository has no such blob")
}
