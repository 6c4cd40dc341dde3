//! Manifests: write, fetch, remove (distribution-spec, "Pushing manifests", "Pulling manifests", "Deleting").

use bytes::{Bytes, BytesMut};
use http::{HeaderName, Method, Response, StatusCode, header};
use hyper::body::Body as HttpBody;
use std::pin::pin;

use super::{Answer, CONTENT_DIGEST, Call, created, set, status};
use crate::{
    Body, Manifest, ManifestError, Reference,
    digest::written,
    manifest::LARGEST,
    refusal::{Code, Refusal},
    registry::blocking,
    store::{self, PutError},
};

const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");

impl Call<'_> {
    pub(super) async fn manifest(&self, reference: Reference) -> Answer {
        let (layout, name) = (self.registry.layout.clone(), self.name.clone());
        let found = blocking(move || store::find(&layout, &name, &reference).map_err(Refusal::from)).await?;
        let found = found.ok_or_else(unknown)?;
        let size = found.bytes.len();
        let body = if self.parts.method == Method::HEAD { Body::empty() } else { Body::memory(found.bytes) };
        let mut response = Response::new(body);
        set(&mut response, header::CONTENT_TYPE, found.kind.media_type().to_owned());
        set(&mut response, header::CONTENT_LENGTH, size.to_string());
        set(&mut response, header::ETAG, format!("\"{}\"", written(&found.digest)));
        set(&mut response, CONTENT_DIGEST, written(&found.digest));
        Ok(response)
    }

    pub(super) async fn put_manifest<B>(&self, reference: Reference, body: B) -> Answer
    where
        B: HttpBody<Data = Bytes> + Send,
        B::Error: std::fmt::Display,
    {
        let bytes = self.whole(body).await?;
        let manifest = Manifest::parse(&bytes, self.header(header::CONTENT_TYPE)).map_err(refused)?;
        let subject = manifest.subject;
        let (layout, name) = (self.registry.layout.clone(), self.name.clone());
        let tag = match &reference {
            Reference::Tag(tag) => Some(tag.clone()),
            Reference::Digest(expected) => {
                let found = cairn_contract::Digest::of(&bytes);
                if found != *expected {
                    let message = format!("the bytes are {}, not {}", written(&found), written(expected));
                    return Err(Refusal::bad(Code::DigestInvalid, message));
                }
                None
            }
        };
        let digest = blocking(move || store::put(&layout, &name, tag.as_ref(), (&manifest, &bytes))).await;
        let digest = digest.map_err(not_put)?;
        let named = match &reference {
            Reference::Tag(tag) => tag.to_string(),
            Reference::Digest(digest) => written(digest),
        };
        let mut response = created(self.name, "manifests", &named, &digest);
        if let Some(subject) = subject {
            set(&mut response, SUBJECT, written(&subject));
        }
        Ok(response)
    }

    /// The body, up to the largest manifest.
    async fn whole<B>(&self, body: B) -> Result<Vec<u8>, Refusal>
    where
        B: HttpBody<Data = Bytes> + Send,
        B::Error: std::fmt::Display,
    {
        let mut body = pin!(body);
        let mut bytes = BytesMut::new();
        loop {
            let next = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx));
            let frame = tokio::time::timeout(self.registry.limits.patience, next).await;
            let late = |_| Refusal::bad(Code::ManifestInvalid, "nothing came for too long");
            let Some(frame) = frame.map_err(late)? else { return Ok(bytes.into()) };
            let frame = frame.map_err(|error| Refusal::bad(Code::ManifestInvalid, error.to_string()))?;
            if let Ok(data) = frame.into_data() {
                bytes.extend_from_slice(&data);
            }
            if bytes.len() > LARGEST {
                return Err(refused(ManifestError::Large(LARGEST)));
            }
        }
    }

    pub(super) async fn delete_manifest(&self, reference: Reference) -> Answer {
        let (layout, name) = (self.registry.layout.clone(), self.name.clone());
        let was = blocking(move || match reference {
            Reference::Tag(tag) => store::delete_tag(&layout, &name, &tag).map_err(Refusal::from),
            Reference::Digest(digest) => {
                store::delete_manifest(&layout, &name, &digest).map_err(Refusal::from)
            }
        });
        if was.await? { Ok(status(StatusCode::ACCEPTED)) } else { Err(unknown()) }
    }
}

fn unknown() -> Refusal {
    Refusal::absent(Code::ManifestUnknown, "the repository has no such manifest")
}

fn refused(error: ManifestError) -> Refusal {
    let status = match &error {
        ManifestError::Large(_) => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::BAD_REQUEST,
    };
    let code =
        if matches!(error, ManifestError::Large(_)) { Code::SizeInvalid } else { Code::ManifestInvalid };
    let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
    Refusal::new(status, code, format!("{error}{cause}"))
}

fn not_put(error: PutError) -> Refusal {
    match error {
        PutError::Blob(_) | PutError::Child(_) => {
            Refusal::absent(Code::ManifestBlobUnknown, error.to_string())
        }
        PutError::Size(_) => Refusal::bad(Code::ManifestInvalid, error.to_string()),
        PutError::Write(source) => source.into(),
    }
}
