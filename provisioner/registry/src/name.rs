//! Names of repositories and tags (distribution-spec, "Pulling manifests"). A name that parses is safe as a path.

use std::{fmt, str::FromStr};

use cairn_contract::Digest;

use crate::{DigestError, parse_digest};

/// The longest name of a repository that clients take together with a host's name.
const LONGEST_NAME: usize = 255;
const LONGEST_TAG: usize = 128;

/// Why a text is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not of the form for repositories.
    #[error(
        "not the name of a repository: lowercase letters and digits, joined by `.`, `_`, `__` or `-`, in parts with `/` between"
    )]
    Repository,
    /// Longer than 255 bytes.
    #[error("the name of a repository has at most 255 bytes")]
    Long,
    /// Not of the form for tags.
    #[error("not a tag: at most 128 letters, digits, `_`, `.` and `-`, the first no `.` and no `-`")]
    Tag,
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*` in parts with `/` between. No part begins with `_` or `.`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepositoryName(String);

impl RepositoryName {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RepositoryName {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.len() > LONGEST_NAME {
            return Err(NameError::Long);
        }
        if !text.split('/').all(is_component) {
            return Err(NameError::Repository);
        }
        Ok(Self(text.to_owned()))
    }
}

/// Runs of letters and digits with one separator between each two.
fn is_component(text: &str) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let mut separator = String::new();
    let mut after_run = false;
    for byte in text.bytes() {
        if alphanumeric(byte) {
            let joined = separator.is_empty() || after_run && is_separator(&separator);
            if !joined {
                return false;
            }
            separator.clear();
            after_run = true;
        } else if byte.is_ascii() {
            separator.push(char::from(byte));
        } else {
            return false;
        }
    }
    after_run && separator.is_empty()
}

fn is_separator(text: &str) -> bool {
    matches!(text, "." | "_" | "__") || text.bytes().all(|b| b == b'-')
}

/// `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(String);

impl Tag {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Tag {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let first = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
        let all = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
        if !first || !all || text.len() > LONGEST_TAG {
            return Err(NameError::Tag);
        }
        Ok(Self(text.to_owned()))
    }
}

/// What names a manifest in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// A name that can be moved.
    Tag(Tag),
    /// The content itself.
    Digest(Digest),
}

/// Why a text is no reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReferenceError {
    #[error(transparent)]
    Tag(#[from] NameError),
    #[error(transparent)]
    Digest(#[from] DigestError),
}

impl Reference {
    /// A tag has no colon, a digest has.
    pub(crate) fn parse(text: &str) -> Result<Self, ReferenceError> {
        if text.contains(':') { Ok(Self::Digest(parse_digest(text)?)) } else { Ok(Self::Tag(text.parse()?)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_specs_names_are_taken() {
        for good in ["a", "0", "library/alpine", "a.b_c__d-e---f/0", "a/b/c/d", &"a".repeat(255)] {
            assert_eq!(good.parse::<RepositoryName>().map(|n| n.to_string()), Ok(good.to_owned()));
        }
    }

    #[test]
    fn all_else_is_refused() {
        let bad = [
            "", "/", "a/", "/a", "a//b", "A", "a..b", "a.-b", "a___b", "_a", "a_", "-a", "a-", ".", "..",
            "a/../b", "a/_blobs", "a b", "a\0", "ä", "a%2e", "a\\b", "a-_b",
        ];
        for bad in bad {
            assert_eq!(bad.parse::<RepositoryName>(), Err(NameError::Repository), "{bad}");
        }
        assert_eq!("a".repeat(256).parse::<RepositoryName>(), Err(NameError::Long));
    }

    #[test]
    fn tags_are_of_the_specs_form() {
        for good in ["latest", "_", "V1.0-rc_2", &"x".repeat(128)] {
            assert!(good.parse::<Tag>().is_ok(), "{good}");
        }
        for bad in ["", ".x", "-x", "a/b", "a:b", "ä", &"x".repeat(129)] {
            assert_eq!(bad.parse::<Tag>(), Err(NameError::Tag), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_name_that_parses_stays_below_its_folder(text in "[a-z0-9._/-]{0,40}|\\PC{0,40}") {
            if let Ok(name) = text.parse::<RepositoryName>() {
                let one_by_one = name.as_str().split('/').all(|part| {
                    !part.is_empty() && part.as_bytes()[0].is_ascii_alphanumeric() && part != ".."
                });
                prop_assert!(one_by_one && name.as_str() == text);
            }
            let _never_panics = (text.parse::<Tag>(), Reference::parse(&text));
        }

        #[test]
        fn names_are_what_the_specs_expression_says(text in "[a-b._/-]{0,12}") {
            let spec = regex();
            prop_assert_eq!(text.parse::<RepositoryName>().is_ok(), spec(&text), "{}", text);
        }
    }

    /// The expression of the specification, carried out literally with backtracking.
    fn regex() -> impl Fn(&str) -> bool {
        fn tail(text: &str) -> bool {
            if text.is_empty() {
                return true;
            }
            let dashes = text.len() - text.trim_start_matches('-').len();
            let separators = [".", "_", "__", "/"]
                .map(str::to_owned)
                .into_iter()
                .chain((1..=dashes).map(|n| "-".repeat(n)));
            separators.filter_map(|s| text.strip_prefix(s.as_str()).map(str::to_owned)).any(|rest| run(&rest))
        }
        fn run(text: &str) -> bool {
            let letters = text.bytes().take_while(|b| b.is_ascii_alphanumeric()).count();
            (1..=letters).any(|n| tail(&text[n..]))
        }
        run
    }
}
