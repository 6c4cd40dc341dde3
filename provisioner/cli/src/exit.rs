//! Failures as people and scripts see them: a sentence, what to try, and a code.

use std::process::ExitCode;

use crate::{CallError, ClientFileError, Problem};

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) text: String,
    pub(crate) next: String,
    /// The server's own words, when it was the server that refused.
    pub(crate) problem: Option<Box<Problem>>,
}

impl Failure {
    pub(crate) fn new(text: impl Into<String>, next: impl Into<String>) -> Self {
        Self { code: 1, text: text.into(), next: next.into(), problem: None }
    }

    /// The command line itself is wrong.
    pub(crate) fn usage(text: impl Into<String>, next: impl Into<String>) -> Self {
        Self { code: 2, ..Self::new(text, next) }
    }

    /// Ends with `code` and prints nothing: all was said already.
    pub(crate) fn silent(code: u8) -> Self {
        Self { code, ..Self::new("", "") }
    }

    /// The server refused.
    pub(crate) fn refused(problem: Problem) -> Self {
        let code = match problem.status {
            404 => 3,
            409 | 410 | 412 => 4,
            401 | 403 => 6,
            _ => 1,
        };
        let next = match (problem.status, problem.next.as_str()) {
            (401, "") => "Log in: cairn login URL".to_owned(),
            (_, next) => next.to_owned(),
        };
        Self { code, text: problem.text(), next, problem: Some(Box::new(problem)) }
    }

    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }

    /// As programs read it.
    pub(crate) fn into_problem(self) -> Problem {
        let Self { code, text, next, problem } = self;
        let word = match code {
            2 => "usage",
            3 => "not-found",
            4 => "conflict",
            5 => "unreachable",
            6 => "forbidden",
            _ => "failed",
        };
        problem.map_or_else(
            || Problem {
                kind: format!("urn:cairn:problem:{word}"),
                title: "The command failed".into(),
                detail: text,
                next,
                ..Problem::default()
            },
            |problem| *problem,
        )
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        let chain = chain(&error);
        match error {
            CallError::Unreachable { url, source } => Self {
                code: 5,
                ..Self::new(
                    format!("cannot reach {url}: {}", self::chain(source.as_ref())),
                    "Is `cairn serve` running there? Its log says what it listens on. If the certificate is wrong, another \
                     site answers, or what you have is of an older one: cairn login URL",
                )
            },
            CallError::Refused(problem) => Self::refused(*problem),
            CallError::Broken(_) => Self { code: 5, ..Self::new(chain, "Try again.") },
            CallError::Content(_) => Self::new(chain, "Use the `cairn` of the server's version."),
            CallError::Connection(_) => Self::new(
                chain,
                "Log in again: cairn login URL; or copy client.json from the server's data folder.",
            ),
        }
    }
}

impl From<ClientFileError> for Failure {
    fn from(error: ClientFileError) -> Self {
        let next = match &error {
            ClientFileError::Missing(_) => {
                "Log in with `cairn login URL`, make a site with `cairn init`, or name its data folder: --data DIR"
            }
            ClientFileError::Io { .. } => {
                "It belongs to the user that ran `cairn init`: use that user, or root."
            }
            ClientFileError::Content { .. } => "Copy it again from the server's data folder.",
        };
        Self::new(chain(&error), next)
    }
}

/// An error with its causes, on one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |e| e.source());
    causes.fold(error.to_string(), |text, cause| match cause.to_string() {
        cause if text.ends_with(&cause) => text,
        cause => format!("{text}: {cause}"),
    })
}
