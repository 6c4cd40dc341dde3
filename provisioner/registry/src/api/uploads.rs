//! Uploads: begin, send, end, ask, cancel; and mounts (distribution-spec, "Pushing blobs").

use bytes::Bytes;
use cairn_contract::Digest;
use http::{HeaderValue, Response, StatusCode, header};
use hyper::body::Body as HttpBody;

use super::{
    Answer, Call, UPLOAD_ID, created,
    receive::{Bounds, ReceiveError, receive},
    set, status,
};
use crate::{
    Action, Body, ChunkRange, RepositoryName,
    digest::written,
    parse_digest,
    refusal::{Code, Refusal, is_full},
    registry::blocking,
    store::{self, Appending, Opened},
};

impl Call<'_> {
    pub(super) async fn begin_upload<B>(&self, body: B) -> Answer
    where
        B: HttpBody<Data = Bytes> + Send,
        B::Error: std::fmt::Display,
    {
        if let Some(mounted) = self.mounted().await? {
            return Ok(mounted);
        }
        let digest = self.digest()?;
        let (uploads, name) = (self.registry.uploads.clone(), self.name.clone());
        let (now, expiry) = (crate::clock::now(), self.registry.limits.upload_expiry);
        let begun = blocking(move || match uploads.begin(&name)? {
            Some(begun) => Ok(Some(begun)),
            // There may be some that nobody will ever end.
            None if uploads.expire(now, expiry)? > 0 => Ok::<_, Refusal>(uploads.begin(&name)?),
            None => Ok(None),
        });
        let (id, upload) = begun.await?.ok_or_else(Refusal::busy)?;
        match digest {
            Some(digest) => {
                let received = self.received(upload, body).await;
                if received.is_err() {
                    // Nobody was told its id.
                    let _ = self.cancel_upload(id).await;
                }
                self.finish(received?, digest).await
            }
            None => Ok(self.accepted(&id, upload.size(), StatusCode::ACCEPTED)),
        }
    }

    /// 201 when the blob is in another repository that the caller may read; else an upload begins, as the specification
    /// says. Whether that other one exists is not told.
    async fn mounted(&self) -> Result<Option<Response<Body>>, Refusal> {
        let Some(digest) = self.parameter("mount") else { return Ok(None) };
        let digest = parse_digest(&digest)?;
        let from = self.parameter("from").and_then(|from| from.parse::<RepositoryName>().ok());
        let Some(from) = from.filter(|from| self.access.may(from, Action::Pull)) else { return Ok(None) };
        let (layout, name) = (self.registry.layout.clone(), self.name.clone());
        let mounted = blocking(move || store::mount(&layout, &from, &name, &digest).map_err(Refusal::from));
        let mounted = mounted.await?;
        Ok(mounted.then(|| created(self.name, "blobs", &written(&digest), &digest)))
    }

    pub(super) async fn continue_upload<B>(&self, id: &str, body: B) -> Answer
    where
        B: HttpBody<Data = Bytes> + Send,
        B::Error: std::fmt::Display,
    {
        let upload = self.chunk(id, body).await?;
        Ok(self.accepted(id, upload.size(), StatusCode::ACCEPTED))
    }

    pub(super) async fn end_upload<B>(&self, id: &str, body: B) -> Answer
    where
        B: HttpBody<Data = Bytes> + Send,
        B::Error: std::fmt::Display,
    {
        let missing = || Refusal::bad(Code::DigestInvalid, "an upload is ended with ?digest=sha256:...");
        let digest = self.digest()?.ok_or_else(missing)?;
        let upload = self.chunk(id, body).await?;
        self.finish(upload, digest).await
    }

    fn digest(&self) -> Result<Option<Digest>, Refusal> {
        Ok(self.parameter("digest").map(|text| parse_digest(&text)).transpose()?)
    }

    /// Appends a body where it belongs: at the end of what is there.
    async fn chunk<B>(&self, id: &str, body: B) -> Result<Appending, Refusal>
    where
        B: HttpBody<Data = Bytes> + Send,
        B::Error: std::fmt::Display,
    {
        let range = self.header(header::CONTENT_RANGE).map(ChunkRange::parse).transpose();
        let range = range.map_err(|error| Refusal::bad(Code::BlobUploadInvalid, error.to_string()))?;
        let upload = self.resumed(id).await?;
        let before = upload.size();
        let Some(range) = range else { return self.received(upload, body).await };
        if range.first != before {
            return Err(self.out_of_order(id, before));
        }
        if body.size_hint().exact().is_some_and(|announced| announced != range.size) {
            return Err(Refusal::bad(Code::SizeInvalid, "Content-Range and the body's length do not agree"));
        }
        let upload = self.received(upload, body).await?;
        if upload.size().saturating_sub(before) != range.size {
            blocking(move || upload.cut(before).map_err(Refusal::from)).await?;
            return Err(Refusal::bad(
                Code::SizeInvalid,
                "the body has not as many bytes as Content-Range says",
            ));
        }
        Ok(upload)
    }

    async fn resumed(&self, id: &str) -> Result<Appending, Refusal> {
        let (uploads, name, own) = (self.registry.uploads.clone(), self.name.clone(), id.to_owned());
        match blocking(move || uploads.resume(&name, &own).map_err(Refusal::from)).await? {
            Opened::Open(upload) => Ok(*upload),
            Opened::Absent => Err(unknown()),
            Opened::Busy => {
                let message = "somebody is sending to this upload already";
                Err(Refusal::new(StatusCode::CONFLICT, Code::BlobUploadInvalid, message))
            }
        }
    }

    async fn received<B>(&self, upload: Appending, body: B) -> Result<Appending, Refusal>
    where
        B: HttpBody<Data = Bytes> + Send,
        B::Error: std::fmt::Display,
    {
        let limits = self.registry.limits;
        let permit = tokio::time::timeout(limits.patience, self.registry.transfers.acquire()).await;
        let _permit = permit.map_err(|_| Refusal::busy())?.map_err(|_| Refusal::busy())?;
        let most = limits.blob.saturating_sub(upload.size());
        if body.size_hint().lower() > most {
            return Err(too_large(limits.blob));
        }
        receive(upload, body, Bounds { most, patience: limits.patience }).await.map_err(|error| match error {
            ReceiveError::Client(why) => Refusal::bad(Code::BlobUploadInvalid, why),
            ReceiveError::TooMany => too_large(limits.blob),
            ReceiveError::Write(source) => source.into(),
        })
    }

    async fn finish(&self, upload: Appending, digest: Digest) -> Answer {
        let (name, uploads) = (self.name.clone(), self.registry.uploads.clone());
        let found = blocking(move || {
            let path = upload.path().to_owned();
            upload.finish(&name, &digest).inspect_err(|error| {
                if is_full(error) {
                    let _ = uploads.discard(&path);
                }
            })
        });
        let found = found.await.map_err(Refusal::from)?;
        if found != digest {
            let message = format!("the bytes are {}, not {}: push again", written(&found), written(&digest));
            return Err(Refusal::bad(Code::DigestInvalid, message));
        }
        Ok(created(self.name, "blobs", &written(&digest), &digest))
    }

    pub(super) async fn upload_status(&self, id: String) -> Answer {
        let (uploads, name, own) = (self.registry.uploads.clone(), self.name.clone(), id.clone());
        let size = blocking(move || uploads.size(&name, &own).map_err(Refusal::from)).await?;
        Ok(self.accepted(&id, size.ok_or_else(unknown)?, StatusCode::NO_CONTENT))
    }

    pub(super) async fn cancel_upload(&self, id: String) -> Answer {
        let (uploads, name) = (self.registry.uploads.clone(), self.name.clone());
        let was = blocking(move || uploads.cancel(&name, &id).map_err(Refusal::from)).await?;
        if was { Ok(status(StatusCode::NO_CONTENT)) } else { Err(unknown()) }
    }

    /// Where to go on, and with which byte. Nothing at all is written `0-0`, too, as Docker's registry does.
    fn accepted(&self, id: &str, size: u64, code: StatusCode) -> Response<Body> {
        let mut response = status(code);
        set(&mut response, header::LOCATION, self.location(id));
        set(&mut response, header::RANGE, range(size));
        set(&mut response, UPLOAD_ID, id.to_owned());
        response
    }

    fn location(&self, id: &str) -> String {
        format!("/v2/{}/blobs/uploads/{id}", self.name)
    }

    fn out_of_order(&self, id: &str, size: u64) -> Refusal {
        let message = format!("the next byte of this upload is {size}");
        let refusal = Refusal::new(StatusCode::RANGE_NOT_SATISFIABLE, Code::BlobUploadInvalid, message);
        let location = HeaderValue::try_from(self.location(id)).into_iter().map(|v| (header::LOCATION, v));
        let range = HeaderValue::try_from(range(size)).into_iter().map(|v| (header::RANGE, v));
        location.chain(range).fold(refusal, |refusal, (name, value)| refusal.with(name, value))
    }
}

fn range(size: u64) -> String {
    format!("0-{}", size.saturating_sub(1))
}

fn unknown() -> Refusal {
    Refusal::absent(Code::BlobUploadUnknown, "there is no such upload: begin again")
}

fn too_large(most: u64) -> Refusal {
    let message = format!("a blob has at most {most} bytes here");
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, Code::SizeInvalid, message)
}
