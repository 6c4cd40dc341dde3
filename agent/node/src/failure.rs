//! Why a node does not get on: one word for programs, a sentence for people.

use std::error::Error;
use std::fmt::Write as _;

/// Why a step was not done. It is tried again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {message}")]
pub struct Failure {
    /// One word in upper camel case, such as `DigestMismatch`.
    pub reason: &'static str,
    /// For people, with what to do.
    pub message: String,
}

impl Failure {
    pub(crate) fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }

    /// With the causes of an error.
    pub(crate) fn of(reason: &'static str, error: &dyn Error) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            let _ = write!(message, ": {inner}");
            cause = inner.source();
        }
        Self { reason, message }
    }
}
