//! Runs one of the system's tools to its end and, when it fails, says what it said.
//!
//! Not for programs that stay: those are `child::Owned`.

use std::process::{Command, ExitStatus, Stdio};

/// Why a tool did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// The program could not be started: not installed, or no permission.
    #[error("cannot start `{command}`")]
    Start {
        /// The command line.
        command: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The program ran and reported failure.
    #[error("`{command}` ended with {status}: {said}")]
    Failed {
        /// The command line.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// The end of what it wrote to its error output, or to its output if that was empty.
        said: String,
    },
}

/// Runs `command` to its end and returns its standard output.
pub(crate) fn run(command: &mut Command) -> Result<Vec<u8>, ToolError> {
    let shown = shown(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|source| ToolError::Start { command: shown.clone(), source })?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = if output.stderr.is_empty() { &output.stdout } else { &output.stderr };
    Err(ToolError::Failed { command: shown, status: output.status, said: tail(said) })
}

/// The command line as a person would type it, without quoting.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

fn tail(bytes: &[u8]) -> String {
    const KEPT: usize = 2000;
    let from = bytes.len().saturating_sub(KEPT);
    String::from_utf8_lossy(bytes.get(from..).unwrap_or_default()).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_tool_is_quoted() {
        let error = run(Command::new("sh").args(["-c", "echo out; echo broken >&2; exit 3"])).unwrap_err();
        assert!(error.to_string().ends_with("exit status: 3: broken"), "{error}");
    }

    #[test]
    fn a_missing_tool_is_named() {
        let error = run(&mut Command::new("/nonexistent/tool")).unwrap_err();
        assert_eq!(error.to_string(), "cannot start `/nonexistent/tool`");
    }
}
