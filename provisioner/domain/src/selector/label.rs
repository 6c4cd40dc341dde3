//! The rules of labels, as Kubernetes has them: `[prefix/]name` and value. The bound on a whole label map is Cairn's.
//!
//! Called by selectors, by `crate::admit` for `metadata.labels` and by the importer.

use std::collections::BTreeMap;

/// Longest name (what stands after the `/`) and longest value, in characters.
pub const MAX_NAME: usize = 63;
/// Longest prefix (what stands before the `/`), in characters.
pub const MAX_PREFIX: usize = 253;
/// Most labels of one object.
pub const MAX_LABELS: usize = 64;
/// Most bytes of one object's label keys and values together.
pub const MAX_LABELS_BYTES: usize = 16 << 10;

/// How many characters of a refused text are shown.
const SHOWN: usize = 80;

/// What a label key or value must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LabelRule {
    /// No key, or nothing after the `/`.
    #[error("a label key must not be empty")]
    EmptyName,
    /// A `/` with nothing before it.
    #[error("the prefix before the `/` of a label key must not be empty")]
    EmptyPrefix,
    /// A second `/`.
    #[error("a label key has at most one `/`")]
    SecondSlash,
    /// Name longer than [`MAX_NAME`].
    #[error("the name of a label key has at most {MAX_NAME} characters")]
    LongName,
    /// Prefix longer than [`MAX_PREFIX`].
    #[error("the prefix of a label key has at most {MAX_PREFIX} characters")]
    LongPrefix,
    /// Value longer than [`MAX_NAME`].
    #[error("a label value has at most {MAX_NAME} characters")]
    LongValue,
    /// Another character in a name or value.
    #[error("only letters, digits, `-`, `_` and `.` are allowed in a label")]
    Character,
    /// A name or value that starts or ends with `-`, `_` or `.`.
    #[error("a label's name and value start and end with a letter or digit")]
    Edge,
    /// Another character in a prefix, or an empty part of it.
    #[error("the prefix of a label key is a DNS name in lower case, such as `example.com`")]
    Prefix,
}

/// Why a label key or value is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{rule} (character {at} of it)")]
pub struct LabelError {
    /// Which character, counted from 1.
    pub at: usize,
    /// Which rule.
    pub rule: LabelRule,
}

/// Why the labels of an object are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelsError {
    /// More than [`MAX_LABELS`].
    #[error("an object has at most {MAX_LABELS} labels, not {0}")]
    Many(usize),
    /// More than [`MAX_LABELS_BYTES`].
    #[error("the labels of an object have at most {MAX_LABELS_BYTES} bytes together, not {0}")]
    Large(usize),
    /// A key that is none.
    #[error("label key {key:?}: {error}")]
    Key {
        /// The key, cut to a readable length.
        key: String,
        /// What is wrong.
        error: LabelError,
    },
    /// A value that is none.
    #[error("value of label {key:?}: {error}")]
    Value {
        /// Whose value.
        key: String,
        /// What is wrong.
        error: LabelError,
    },
}

/// Holds all labels of one object to the rules.
///
/// # Errors
/// The first rule that is broken.
pub fn check_labels(labels: &BTreeMap<String, String>) -> Result<(), LabelsError> {
    if labels.len() > MAX_LABELS {
        return Err(LabelsError::Many(labels.len()));
    }
    let bytes = labels.iter().map(|(k, v)| k.len().saturating_add(v.len())).fold(0, usize::saturating_add);
    if bytes > MAX_LABELS_BYTES {
        return Err(LabelsError::Large(bytes));
    }
    for (key, value) in labels {
        check_key(key).map_err(|error| LabelsError::Key { key: shown(key), error })?;
        check_value(value).map_err(|error| LabelsError::Value { key: key.clone(), error })?;
    }
    Ok(())
}

/// Whether this can be a label's key: `[prefix/]name`.
///
/// # Errors
/// The first character that breaks a rule.
pub fn check_key(key: &str) -> Result<(), LabelError> {
    let Some((prefix, name)) = key.split_once('/') else { return check_name(key) };
    check_prefix(prefix)?;
    let before = prefix.chars().count().saturating_add(1);
    let moved = |e: LabelError| LabelError { at: e.at.saturating_add(before), rule: e.rule };
    if let Some(at) = name.chars().position(|c| c == '/') {
        return Err(moved(error(at, LabelRule::SecondSlash)));
    }
    check_name(name).map_err(moved)
}

/// Whether this can be a label's value; it may be empty.
///
/// # Errors
/// The first character that breaks a rule.
pub fn check_value(value: &str) -> Result<(), LabelError> {
    if value.is_empty() { Ok(()) } else { check_word(value, LabelRule::LongValue) }
}

/// The beginning of a refused text, for messages.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

fn check_name(name: &str) -> Result<(), LabelError> {
    if name.is_empty() { Err(error(0, LabelRule::EmptyName)) } else { check_word(name, LabelRule::LongName) }
}

fn check_word(word: &str, long: LabelRule) -> Result<(), LabelError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if let Some(at) = word.chars().position(|c| !allowed(c)) {
        return Err(error(at, LabelRule::Character));
    }
    if word.len() > MAX_NAME {
        return Err(error(MAX_NAME, long));
    }
    let last = word.len().saturating_sub(1);
    let edge = |c: Option<char>| c.is_some_and(|c| !c.is_ascii_alphanumeric());
    match (edge(word.chars().next()), edge(word.chars().last())) {
        (true, _) => Err(error(0, LabelRule::Edge)),
        (_, true) => Err(error(last, LabelRule::Edge)),
        _ => Ok(()),
    }
}

/// RFC 1123 names with dots between them. Kubernetes does not limit the parts to 63 characters here, nor do we.
fn check_prefix(prefix: &str) -> Result<(), LabelError> {
    if prefix.is_empty() {
        return Err(error(0, LabelRule::EmptyPrefix));
    }
    let mut last = '.';
    for (at, c) in prefix.chars().enumerate() {
        let inner = c.is_ascii_lowercase() || c.is_ascii_digit();
        let ok = match c {
            '.' => !matches!(last, '.' | '-'),
            '-' => last != '.',
            _ => inner,
        };
        if !ok {
            return Err(error(at, LabelRule::Prefix));
        }
        if at >= MAX_PREFIX {
            return Err(error(at, LabelRule::LongPrefix));
        }
        last = c;
    }
    if matches!(last, '.' | '-') {
        return Err(error(prefix.len().saturating_sub(1), LabelRule::Prefix));
    }
    Ok(())
}

/// `at` counted from 0.
fn error(at: usize, rule: LabelRule) -> LabelError {
    LabelError { at: at.saturating_add(1), rule }
}
