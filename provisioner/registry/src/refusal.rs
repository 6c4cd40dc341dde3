//! What a request is refused with: the codes and the JSON of the distribution-spec ("Error Codes").

use std::{borrow::Cow, io};

use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::json;

use crate::{Body, DigestError, NameError};

/// The specification's codes; the last two are Docker's, which clients know as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    BlobUnknown,
    BlobUploadInvalid,
    BlobUploadUnknown,
    DigestInvalid,
    ManifestBlobUnknown,
    ManifestInvalid,
    ManifestUnknown,
    NameInvalid,
    NameUnknown,
    SizeInvalid,
    Unauthorized,
    Denied,
    Unsupported,
    TooManyRequests,
    TagInvalid,
    Unknown,
}

impl Code {
    fn text(self) -> &'static str {
        match self {
            Self::BlobUnknown => "BLOB_UNKNOWN",
            Self::BlobUploadInvalid => "BLOB_UPLOAD_INVALID",
            Self::BlobUploadUnknown => "BLOB_UPLOAD_UNKNOWN",
            Self::DigestInvalid => "DIGEST_INVALID",
            Self::ManifestBlobUnknown => "MANIFEST_BLOB_UNKNOWN",
            Self::ManifestInvalid => "MANIFEST_INVALID",
            Self::ManifestUnknown => "MANIFEST_UNKNOWN",
            Self::NameInvalid => "NAME_INVALID",
            Self::NameUnknown => "NAME_UNKNOWN",
            Self::SizeInvalid => "SIZE_INVALID",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::Denied => "DENIED",
            Self::Unsupported => "UNSUPPORTED",
            Self::TooManyRequests => "TOOMANYREQUESTS",
            Self::TagInvalid => "TAG_INVALID",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// An answer that says no.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    code: Code,
    message: Cow<'static, str>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, message: message.into(), headers: Vec::new() }
    }

    /// 400 with a reason.
    pub(crate) fn bad(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 404.
    pub(crate) fn absent(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    pub(crate) fn busy() -> Self {
        let message = "too many uploads at once: try again later";
        Self::new(StatusCode::TOO_MANY_REQUESTS, Code::TooManyRequests, message)
            .with(header::RETRY_AFTER, HeaderValue::from_static("5"))
    }

    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(crate) fn response(self) -> Response<Body> {
        let text = json!({ "errors": [{ "code": self.code.text(), "message": self.message }] }).to_string();
        let mut response = Response::new(Body::memory(text));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.extend(self.headers.into_iter().map(|(name, value)| (Some(name), value)));
        response
    }
}

impl From<io::Error> for Refusal {
    /// Full disks are the operator's matter and said; the rest is in the log.
    fn from(error: io::Error) -> Self {
        if is_full(&error) {
            tracing::warn!(%error, "the registry's disk is full");
            let message = "the registry's disk is full: ask its operator for space, then push again";
            return Self::new(StatusCode::INSUFFICIENT_STORAGE, Code::Unknown, message);
        }
        tracing::error!(%error, "the registry's files cannot be used");
        let message = "the registry cannot use its files: its log says why";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, Code::Unknown, message)
    }
}

/// Whether there is no space, or no more is allowed.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl From<DigestError> for Refusal {
    fn from(error: DigestError) -> Self {
        Self::bad(Code::DigestInvalid, error.to_string())
    }
}

impl From<NameError> for Refusal {
    fn from(error: NameError) -> Self {
        let code = if error == NameError::Tag { Code::TagInvalid } else { Code::NameInvalid };
        Self::bad(code, error.to_string())
    }
}
