//! What a refused request gets: a problem (RFC 9457) with a word that stays and a hint that helps.

use axum::response::{IntoResponse, Response};
use cairn_domain::fact::plain;
use http::{HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bytes of a sentence that are kept.
const MAX_TEXT: usize = 600;

/// Kinds of refusal; each has a fixed status, type and title.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The body or the query is not even written correctly.
    Malformed,
    /// Nothing has that name, or nothing that may be seen.
    NotFound,
    /// It may be seen, but this may not be done with it.
    Forbidden,
    /// It may not be read from so long ago.
    Expired,
    /// `If-Match` names another version than the present one.
    Precondition,
    /// The idempotency key was used for another request.
    KeyReused,
    /// Something else has that name, or the record changed meanwhile.
    Conflict,
    /// The present state does not allow it.
    WrongState,
    /// The request says something impossible.
    Invalid,
    /// The request names a field that does not exist.
    UnknownField,
    /// The body is larger than allowed.
    TooLarge,
    /// The body is not what this path takes.
    WrongType,
    /// No token, or a wrong one.
    Unauthorized,
    /// The browser request comes from another site.
    ForeignOrigin,
    /// Too many failed logins, or too many at once.
    TooMany,
    /// The path takes another method.
    WrongMethod,
    /// It took too long.
    TooSlow,
    /// The disk is full.
    NoSpace,
    /// The host or cluster behind it cannot be reached now.
    NotConnected,
    /// The store does not answer.
    Unavailable,
    /// A defect of ours.
    Internal,
}

impl Kind {
    /// Status, last part of the type, title.
    fn facts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Malformed => (StatusCode::BAD_REQUEST, "malformed", "The request cannot be read"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "There is no such thing"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden", "A right is missing"),
            Self::Expired => (StatusCode::GONE, "expired", "That is too long ago"),
            Self::Precondition => {
                (StatusCode::PRECONDITION_FAILED, "precondition-failed", "It has changed meanwhile")
            }
            Self::KeyReused => {
                (StatusCode::UNPROCESSABLE_ENTITY, "key-reused", "The idempotency key was used already")
            }
            Self::Conflict => (StatusCode::CONFLICT, "conflict", "It conflicts with what is there"),
            Self::WrongState => (StatusCode::CONFLICT, "wrong-state", "Its state does not allow this"),
            Self::Invalid => (StatusCode::UNPROCESSABLE_ENTITY, "invalid", "The request is not valid"),
            Self::UnknownField => {
                (StatusCode::UNPROCESSABLE_ENTITY, "unknown-field", "There is no such field")
            }
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The request is too large"),
            Self::WrongType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "wrong-type", "This path takes another kind of body")
            }
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized", "Please log in"),
            Self::ForeignOrigin => {
                (StatusCode::FORBIDDEN, "foreign-origin", "The request comes from another site")
            }
            Self::TooMany => (StatusCode::TOO_MANY_REQUESTS, "too-many", "Too many requests"),
            Self::WrongMethod => {
                (StatusCode::METHOD_NOT_ALLOWED, "wrong-method", "This path takes another method")
            }
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, "too-slow", "The request took too long"),
            Self::NoSpace => (StatusCode::INSUFFICIENT_STORAGE, "no-space", "The disk is full"),
            Self::NotConnected => {
                (StatusCode::SERVICE_UNAVAILABLE, "not-connected", "It cannot be reached now")
            }
            Self::Unavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The store does not answer")
            }
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Cairn itself failed"),
        }
    }

    /// HTTP status.
    pub(crate) fn status(self) -> u16 {
        self.facts().0.as_u16()
    }

    /// The same for each problem of the kind.
    pub(crate) fn title(self) -> &'static str {
        self.facts().2
    }
}

/// One refusal, as `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// `urn:cairn:problem:<word>`; the word never changes its meaning.
    #[serde(rename = "type")]
    pub kind: Box<str>,
    /// The same for each problem of the type.
    pub title: Box<str>,
    /// HTTP status.
    pub status: u16,
    /// What is wrong this time.
    pub detail: Box<str>,
    /// What to try; may be empty.
    #[serde(default)]
    pub next: String,
    /// The field that is at fault, when one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<Box<str>>,
    /// All that is wrong, where it is more than one thing; the first is also in `detail`.
    #[serde(default, skip_serializing_if = "<[Fault]>::is_empty")]
    pub errors: Box<[Fault]>,
    /// Seconds to wait before another try.
    #[serde(skip)]
    pub retry_after: Option<u32>,
    /// It was refused for want of a right: the audit log is told.
    #[serde(skip)]
    pub(crate) denied: bool,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fault {
    /// Where: a path such as `spec.site`; empty for the whole.
    pub field: String,
    /// What.
    pub message: String,
    /// What to try; may be empty.
    pub next: String,
}

impl Problem {
    /// A problem with what is wrong and what to try.
    pub fn new(kind: Kind, detail: impl Into<String>, next: impl Into<String>) -> Self {
        let (status, word, title) = kind.facts();
        Self {
            kind: format!("urn:cairn:problem:{word}").into(),
            title: title.into(),
            status: status.as_u16(),
            // Parts of it may be a peer's or a file's own words.
            detail: plain(&detail.into(), MAX_TEXT).into(),
            next: plain(&next.into(), MAX_TEXT),
            field: None,
            errors: Box::default(),
            retry_after: None,
            denied: false,
        }
    }

    /// One problem of everything that is wrong: its own words are those of the first.
    pub(crate) fn of(kind: Kind, faults: Vec<Fault>) -> Self {
        let Some(first) = faults.first() else { return Self::new(kind, "It is not valid.", "") };
        let place = if first.field.is_empty() { String::new() } else { format!("{}: ", first.field) };
        let words = format!("{place}{}", first.message);
        let detail = if place.is_empty() { sentence(&words) } else { stopped(words) };
        let mut problem = Self::new(kind, detail, first.next.clone());
        if !first.field.is_empty() {
            problem = problem.at(first.field.clone());
        }
        if faults.len() > 1 {
            problem.errors = faults.into();
        }
        problem
    }

    /// Names the field that is at fault.
    #[must_use]
    pub fn at(mut self, field: impl Into<Box<str>>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Tells that a right was missing.
    #[must_use]
    pub(crate) fn denied(mut self) -> Self {
        self.denied = true;
        self
    }

    /// Asks for patience.
    #[must_use]
    pub fn after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// A defect or a fault below us: the chain goes to the log, the caller gets a sentence.
    pub fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut chain = error.to_string();
        let mut cause = error.source();
        while let Some(e) = cause {
            chain.push_str(": ");
            chain.push_str(&e.to_string());
            cause = e.source();
        }
        tracing::error!(error = %chain, "operator request failed");
        if ["disk is full", "No space left"].iter().any(|words| chain.contains(words)) {
            let next = "Make room where the data folder is (df), then try again: nothing was written.";
            return Self::new(Kind::NoSpace, "The disk of the provisioner is full.", next);
        }
        if cairn_store::trouble(error) == Some(cairn_store::Trouble::Away) {
            let next = "Try again in a few seconds. If it stays so: does PostgreSQL run (systemctl status postgresql)?";
            return Self::new(Kind::Unavailable, "The database does not answer.", next).after(5);
        }
        Self::new(
            Kind::Internal,
            "The request failed inside Cairn.",
            "See the server's log: journalctl -u cairn",
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"cairn\""));
        }
        response
    }
}

/// A fragment with a capital and a full stop.
pub(crate) fn sentence(fragment: &str) -> String {
    let mut chars = fragment.chars();
    let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
    stopped(format!("{first}{}", chars.as_str()))
}

fn stopped(mut text: String) -> String {
    if !text.ends_with(['.', '?', '!']) {
        text.push('.');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot write the database")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn a_full_disk_says_what_to_do_whichever_engine_is_on_it() {
        for words in ["database or disk is full", "could not extend file: No space left on device"] {
            let problem = Problem::internal(&Outer(std::io::Error::other(words)));
            assert_eq!((problem.status, problem.kind.as_ref()), (507, "urn:cairn:problem:no-space"));
        }
        assert_eq!(Problem::internal(&Outer(std::io::Error::other("x"))).status, 500);
    }
}
