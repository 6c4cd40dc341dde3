//! Failures as people and scripts see them: a sentence, what to try, and a code.

use std::process::ExitCode;

use crate::{CallError, ClientFileError};

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) text: String,
    pub(crate) next: String,
}

impl Failure {
    pub(crate) fn new(text: impl Into<String>, next: impl Into<String>) -> Self {
        Self { code: 1, text: text.into(), next: next.into() }
    }

    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        let chain = chain(&error);
        match error {
            CallError::Unreachable { url, source } => Self {
                code: 5,
                text: format!("cannot reach {url}: {}", self::chain(source.as_ref())),
                next: "Is `cairn serve` running there? Its log says what it listens on. If the certificate is wrong, another \
                       site answers, or client.json is of an older one."
                    .to_owned(),
            },
            CallError::Refused(problem) => {
                let code = match problem.status {
                    404 => 3,
                    409 => 4,
                    401 | 403 => 6,
                    _ => 1,
                };
                Self { code, text: problem.detail, next: problem.next }
            }
            CallError::Broken(_) => Self { code: 5, ..Self::new(chain, "Try again.") },
            CallError::Content(_) => Self::new(chain, "Use the `cairn` of the server's version."),
            CallError::File(_) => {
                Self::new(format!("client.json: {chain}"), "Copy it again from the server's data folder.")
            }
        }
    }
}

impl From<ClientFileError> for Failure {
    fn from(error: ClientFileError) -> Self {
        let next = match &error {
            ClientFileError::Missing(_) => {
                "Make a site with `cairn init`, or name its data folder: --data DIR"
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
