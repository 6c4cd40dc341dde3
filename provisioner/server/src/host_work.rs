//! The host side's paths of workloads, and the registry for hosts: requests to calls of the desk. Nothing is decided here.

use std::{io, sync::Arc};

use bytes::Bytes;
use cairn_contract::{
    Digest, HostId,
    workload::{Ask, MAX_DESIRED, Observed, SecretsAsk},
};
use cairn_fleet::{Desk, DeskError, desk::FoundBlob};
use cairn_registry::{Part, Registry};
use futures_util::TryStreamExt as _;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

use crate::host_side::{Answer, Sent, busy, read_up_to, refuse, reply, text};

const BLOB: &str = "/host/v1/blob/";
/// Bytes of a question.
const ASK: usize = 16 << 10;
/// Bytes of a file that are read at once.
const CHUNK: usize = 256 << 10;

/// What is behind the paths.
pub(crate) struct HostWork {
    pub(crate) desk: Arc<Desk>,
    pub(crate) registry: Registry,
}

impl HostWork {
    /// `None`: the path is not one of these.
    pub(crate) async fn handle(
        &self,
        host: Option<HostId>,
        request: Request<Incoming>,
    ) -> Result<Response<Sent>, Request<Incoming>> {
        let path = request.uri().path();
        if !is_ours(path) {
            return Err(request);
        }
        let Some(host) = host else { return Ok(text(crate::host_side::no_certificate())) };
        Ok(match path.strip_prefix(BLOB) {
            Some(name) if request.method() == Method::GET => match self.blob(host, name, &request).await {
                Ok(response) => response,
                Err(refusal) => text(refusal),
            },
            Some(_) => text(refuse(StatusCode::METHOD_NOT_ALLOWED, "only GET is known here")),
            None if path.starts_with("/v2") => self.images(host, request).await,
            None => text(self.post(host, request).await.unwrap_or_else(|refusal| refusal)),
        })
    }

    async fn post(&self, host: HostId, request: Request<Incoming>) -> Result<Answer, Answer> {
        if request.method() != Method::POST {
            return Err(refuse(StatusCode::METHOD_NOT_ALLOWED, "only POST is known here"));
        }
        let empty = || (StatusCode::NO_CONTENT, Bytes::new());
        match request.uri().path() {
            "/host/v1/desired" => {
                let ask: Ask = read_up_to(request, ASK).await?;
                match self.desk.desired(host, &ask).await.map_err(|e| failed(&e))? {
                    Some(desired) => reply(&desired),
                    None => Ok(empty()),
                }
            }
            "/host/v1/observed" => {
                let observed: Observed = read_up_to(request, MAX_DESIRED).await?;
                self.desk.observed(host, observed).await.map_err(|e| failed(&e))?;
                Ok(empty())
            }
            _ => {
                let ask: SecretsAsk = read_up_to(request, ASK).await?;
                reply(&self.desk.secrets(host, &ask).await.map_err(|e| failed(&e))?)
            }
        }
    }

    async fn blob(
        &self,
        host: HostId,
        name: &str,
        request: &Request<Incoming>,
    ) -> Result<Response<Sent>, Answer> {
        let digest: Option<Digest> = name.strip_prefix("sha256:").and_then(|hex| hex.parse().ok());
        let digest = digest.ok_or_else(|| refuse(StatusCode::BAD_REQUEST, "a blob is named sha256:<hex>"))?;
        let FoundBlob { file, size } = self.desk.blob(host, digest).await.map_err(|e| failed(&e))?;
        let range = request.headers().get(header::RANGE).and_then(|value| value.to_str().ok());
        let part = Part::of(range, size);
        file_answer(file, size, part).await.map_err(|e| busy(&e))
    }

    /// A host pulls: what its orders name lies in repositories of its project, of what is above, or of the appliance.
    async fn images(&self, host: HostId, request: Request<Incoming>) -> Response<Sent> {
        let Ok(access) = self.desk.may_pull(host) else {
            return text(refuse(StatusCode::FORBIDDEN, "this needs the certificate of a running host"));
        };
        let may = move |name: &cairn_registry::RepositoryName, action: cairn_registry::Action| {
            action == cairn_registry::Action::Pull && access.may(name.as_str())
        };
        self.registry.handle(&may, request).await.map(|body| body.map_err(io::Error::other).boxed_unsync())
    }
}

fn is_ours(path: &str) -> bool {
    path.starts_with(BLOB)
        || path == "/v2"
        || path.starts_with("/v2/")
        || matches!(path, "/host/v1/desired" | "/host/v1/observed" | "/host/v1/secrets")
}

/// All of a file, or the part that was asked for (RFC 9110 14).
async fn file_answer(file: std::fs::File, size: u64, part: Part) -> io::Result<Response<Sent>> {
    let mut response = Response::new(());
    let headers = response.headers_mut();
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    let (status, first, length, range) = match part {
        Part::Whole => (StatusCode::OK, 0, size, None),
        Part::Slice { first, last } => {
            let length = last.saturating_sub(first).saturating_add(1);
            (StatusCode::PARTIAL_CONTENT, first, length, Some(format!("bytes {first}-{last}/{size}")))
        }
        Part::Unsatisfiable => (StatusCode::RANGE_NOT_SATISFIABLE, 0, 0, Some(format!("bytes */{size}"))),
    };
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    if let Some(value) = range.and_then(|range| HeaderValue::try_from(range).ok()) {
        headers.insert(header::CONTENT_RANGE, value);
    }
    *response.status_mut() = status;
    let mut file = tokio::fs::File::from_std(file);
    file.set_max_buf_size(CHUNK);
    file.seek(io::SeekFrom::Start(first)).await?;
    let frames = ReaderStream::with_capacity(file.take(length), CHUNK).map_ok(Frame::data);
    Ok(response.map(|()| StreamBody::new(frames).boxed_unsync()))
}

fn failed(error: &DeskError) -> Answer {
    match error {
        DeskError::Forbidden(_) => refuse(StatusCode::FORBIDDEN, &error.to_string()),
        DeskError::Invalid(_) => refuse(StatusCode::BAD_REQUEST, &error.to_string()),
        DeskError::Absent(_) => refuse(StatusCode::NOT_FOUND, &error.to_string()),
        DeskError::Read(_) | DeskError::Write(_) | DeskError::Secret(_) | DeskError::Blob(_) => busy(error),
    }
}
