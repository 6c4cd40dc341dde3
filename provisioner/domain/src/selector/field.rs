//! Field selectors of lists: `metadata.name=x,status.phase!=running,spec.site=berlin`.
//!
//! Which fields a kind has is the caller's knowledge: [`FieldSelector::check`] holds a selector to it. In values, `\`
//! before `,`, `=` or `\` takes their meaning away, as in Kubernetes.

use std::{fmt, str::FromStr};

use crate::nearest::nearest;

/// Most requirements of one field selector.
const MAX_REQUIREMENTS: usize = 16;
/// Longest text form, in bytes.
const MAX_TEXT: usize = 4 << 10;

/// What fields must be: all of the requirements. An empty one matches everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct FieldSelector {
    /// All must hold.
    pub requirements: Vec<FieldRequirement>,
}

/// One requirement on one field.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FieldRequirement {
    /// Path with dots: `spec.site`.
    pub path: String,
    /// How it is compared.
    pub comparison: Comparison,
    /// With what.
    pub value: String,
}

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `=` or `==`.
    Is,
    /// `!=`.
    IsNot,
}

/// Why a field selector is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldSelectorError {
    /// Longer than it may be.
    #[error("a field selector has at most {MAX_TEXT} bytes")]
    Long,
    /// More requirements than there may be.
    #[error("a field selector has at most {MAX_REQUIREMENTS} requirements")]
    Many,
    /// No comparison.
    #[error("field selector, requirement {0}: expected FIELD=VALUE or FIELD!=VALUE")]
    Shape(usize),
    /// Not a path.
    #[error("field selector, requirement {0}: a field is a path with dots, such as spec.site")]
    Path(usize),
    /// A `\` before something else than `,`, `=` or `\`, or at the end.
    #[error("field selector, requirement {0}: `\\` stands only before `,`, `=` or `\\`")]
    Escape(usize),
    /// Nothing of this kind has such a field.
    #[error("there is no field {path:?} to select by{}", hint(.nearest))]
    Unknown {
        /// What was asked for.
        path: String,
        /// The nearest one there is.
        nearest: Option<String>,
    },
}

impl FieldSelector {
    /// Whether fields match; `field` gives a field's value. An absent field reads as empty, as in Kubernetes.
    pub fn matches<V: AsRef<str>>(&self, field: impl Fn(&str) -> Option<V>) -> bool {
        self.requirements.iter().all(|r| {
            let value = field(&r.path);
            let same = value.as_ref().map_or("", AsRef::as_ref) == r.value;
            same == (r.comparison == Comparison::Is)
        })
    }

    /// Whether every object matches.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// Holds the paths to those that there are.
    ///
    /// # Errors
    /// [`FieldSelectorError::Unknown`] with the nearest known path.
    pub fn check(&self, known: &[&str]) -> Result<(), FieldSelectorError> {
        match self.requirements.iter().find(|r| !known.contains(&r.path.as_str())) {
            None => Ok(()),
            Some(r) => Err(FieldSelectorError::Unknown {
                path: r.path.clone(),
                nearest: nearest(&r.path, known).map(str::to_owned),
            }),
        }
    }
}

impl FromStr for FieldSelector {
    type Err = FieldSelectorError;

    /// # Errors
    /// The first requirement (counted from 1) that is none. An empty text is the empty selector.
    fn from_str(text: &str) -> Result<Self, FieldSelectorError> {
        if text.len() > MAX_TEXT {
            return Err(FieldSelectorError::Long);
        }
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let parts = split(text);
        if parts.len() > MAX_REQUIREMENTS {
            return Err(FieldSelectorError::Many);
        }
        let requirements = parts.iter().enumerate().map(|(at, part)| requirement(at + 1, part));
        Ok(Self { requirements: requirements.collect::<Result<_, _>>()? })
    }
}

impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        for r in &self.requirements {
            let sign = match r.comparison {
                Comparison::Is => "=",
                Comparison::IsNot => "!=",
            };
            write!(f, "{comma}{}{sign}{}", r.path, escaped(&r.value))?;
            comma = ",";
        }
        Ok(())
    }
}

/// At commas that no `\` stands before.
fn split(text: &str) -> Vec<&str> {
    let mut escaped = false;
    let ends = |c: char| {
        let end = c == ',' && !escaped;
        escaped = c == '\\' && !escaped;
        end
    };
    text.split(ends).collect()
}

fn requirement(number: usize, part: &str) -> Result<FieldRequirement, FieldSelectorError> {
    let (left, right) = part.split_once('=').ok_or(FieldSelectorError::Shape(number))?;
    let (left, comparison) = match left.strip_suffix('!') {
        Some(left) => (left, Comparison::IsNot),
        None => (left, Comparison::Is),
    };
    let right = match comparison {
        Comparison::Is => right.strip_prefix('=').unwrap_or(right),
        Comparison::IsNot => right,
    };
    let path = left.trim();
    if !is_path(path) {
        return Err(FieldSelectorError::Path(number));
    }
    Ok(FieldRequirement { path: path.to_owned(), comparison, value: unescaped(number, right)? })
}

fn is_path(path: &str) -> bool {
    path.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric()))
}

fn unescaped(number: usize, value: &str) -> Result<String, FieldSelectorError> {
    let mut out = String::new();
    let mut rest = value.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => match rest.next() {
                Some(c @ (',' | '=' | '\\')) => out.push(c),
                _ => return Err(FieldSelectorError::Escape(number)),
            },
            '=' => return Err(FieldSelectorError::Shape(number)),
            c => out.push(c),
        }
    }
    Ok(out)
}

fn escaped(value: &str) -> String {
    let mut out = String::new();
    for c in value.chars() {
        if matches!(c, ',' | '=' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn hint(nearest: &Option<String>) -> String {
    nearest.as_ref().map_or_else(String::new, |n| format!("; did you mean {n}?"))
}
