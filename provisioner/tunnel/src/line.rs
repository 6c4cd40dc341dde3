//! The first line of each direction: bytes of a peer to an [`Open`] or [`Opened`] that may be acted upon.

use cairn_contract::workload::tunnel::{MAX_LINE, Open, Opened};
use serde::Serialize;

/// Longest user name or group.
const MAX_NAME: usize = 256;
/// Groups of one user.
const MAX_GROUPS: usize = 64;
/// Arguments of a program.
const MAX_ARGUMENTS: usize = 256;
/// Most lines of a log at first.
pub const MAX_TAIL: u32 = 100_000;

/// Why a line is not acted upon.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// The stream broke.
    #[error("the stream broke before its first line ended")]
    Broken(#[source] std::io::Error),
    /// No line feed within the bound.
    #[error("the first line is longer than {MAX_LINE} bytes")]
    Long,
    /// The stream ended before the line did.
    #[error("the stream ended within its first line")]
    Short,
    /// Not JSON of the contract.
    #[error("the first line is not understood")]
    Json(#[source] serde_json::Error),
    /// Of the contract, but not to be acted upon.
    #[error("the first line is not valid: {0}")]
    Invalid(&'static str),
}

/// Reads a line without its line feed.
///
/// # Errors
/// [`LineError::Long`], [`LineError::Json`], [`LineError::Invalid`].
pub fn read_open(line: &[u8]) -> Result<Open, LineError> {
    let open = read(line)?;
    match &open {
        Open::ApiServer { user, groups, .. } => {
            if !is_name(user) || groups.len() > MAX_GROUPS || !groups.iter().all(|g| is_name(g)) {
                return Err(LineError::Invalid("a user or group has no name that a header can carry"));
            }
        }
        Open::Logs { application, tail, .. } => {
            is_label(application)?;
            if *tail > MAX_TAIL {
                return Err(LineError::Invalid("so many lines are not kept"));
            }
        }
        Open::Exec { application, run, .. } => {
            is_label(application)?;
            if run.is_empty() || run.len() > MAX_ARGUMENTS || run.iter().any(|a| a.contains('\0')) {
                return Err(LineError::Invalid("no program can be started so"));
            }
        }
        Open::Console { application, .. } => is_label(application)?,
    }
    Ok(open)
}

/// The same for an answer; its text is made fit to be shown.
///
/// # Errors
/// [`LineError::Long`], [`LineError::Json`].
pub fn read_opened(line: &[u8]) -> Result<Opened, LineError> {
    Ok(match read(line)? {
        Opened::Yes => Opened::Yes,
        Opened::No(why) => Opened::No(why.chars().filter(|c| !c.is_control()).take(600).collect()),
    })
}

/// One line with its line feed.
///
/// # Errors
/// [`LineError::Long`] when the other end would refuse it.
pub fn write(value: &impl Serialize) -> Result<Vec<u8>, LineError> {
    let mut line = serde_json::to_vec(value).map_err(LineError::Json)?;
    line.push(b'\n');
    if line.len() > MAX_LINE { Err(LineError::Long) } else { Ok(line) }
}

fn read<T: serde::de::DeserializeOwned>(line: &[u8]) -> Result<T, LineError> {
    if line.len() >= MAX_LINE {
        return Err(LineError::Long);
    }
    serde_json::from_slice(line).map_err(LineError::Json)
}

/// What `Impersonate-User` and `-Group` can carry (RFC 9110, 5.5, without obs-text).
fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_NAME
        && text.trim() == text
        && text.bytes().all(|b| (0x20..0x7f).contains(&b))
}

fn is_label(text: &str) -> Result<(), LineError> {
    let is_inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let ends = text.starts_with('-') || text.ends_with('-');
    if text.is_empty() || text.len() > 63 || ends || !text.bytes().all(is_inner) {
        return Err(LineError::Invalid("an application has no such name"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn api(user: &str, groups: &[&str]) -> Open {
        let groups = groups.iter().map(|g| (*g).to_owned()).collect();
        Open::ApiServer { cluster: Uuid::nil(), user: user.to_owned(), groups }
    }

    #[track_caller]
    fn through(open: &Open) -> Result<Open, LineError> {
        let line = write(open).unwrap();
        read_open(line.strip_suffix(b"\n").unwrap())
    }

    #[test]
    fn what_may_be_asked_survives_the_line() {
        let of = (Uuid::from_u128(7), "web".to_owned());
        let run = vec!["/bin/sh".to_owned(), "-c".to_owned(), "a\nb".to_owned()];
        for open in [
            api("cairn:ann", &["cairn:viewer"]),
            Open::Logs { deployment: of.0, application: of.1.clone(), tail: 10, follow: true },
            Open::Exec { deployment: of.0, application: of.1.clone(), run, terminal: Some((80, 24)) },
            Open::Console { deployment: of.0, application: of.1 },
        ] {
            assert_eq!(through(&open).unwrap(), open);
        }
    }

    #[test]
    fn names_that_would_break_a_header_or_a_path_are_refused() {
        for user in ["", "a\r\nImpersonate-Group: system:masters", " a", "ä", &"x".repeat(257)] {
            assert!(matches!(through(&api(user, &[])), Err(LineError::Invalid(_))), "{user}");
            assert!(matches!(through(&api("a", &[user])), Err(LineError::Invalid(_))), "{user}");
        }
        for application in ["", "..", "a/b", "-a", "A", &"a".repeat(64)] {
            let open = Open::Console { deployment: Uuid::nil(), application: application.to_owned() };
            assert!(matches!(through(&open), Err(LineError::Invalid(_))), "{application}");
        }
        let none =
            Open::Exec { deployment: Uuid::nil(), application: "a".into(), run: Vec::new(), terminal: None };
        assert!(matches!(through(&none), Err(LineError::Invalid(_))));
    }

    #[test]
    fn a_line_that_is_too_long_is_neither_written_nor_read() {
        let long = Opened::No("x".repeat(MAX_LINE));
        assert!(matches!(write(&long), Err(LineError::Long)));
        assert!(matches!(read_opened(&vec![b' '; MAX_LINE]), Err(LineError::Long)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
            let _ = read_open(&bytes);
            let _ = read_opened(&bytes);
        }

        #[test]
        fn any_json_is_read_or_refused_and_what_is_read_fits_headers(user in ".{0,40}", group in ".{0,40}") {
            if let Ok(Open::ApiServer { user, groups, .. }) = through(&api(&user, &[&group])) {
                for text in groups.iter().chain([&user]) {
                    prop_assert!(http::HeaderValue::from_str(text).is_ok());
                }
            }
        }
    }
}
