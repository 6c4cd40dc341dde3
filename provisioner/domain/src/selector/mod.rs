//! Selectors: which objects are meant. Label selectors as Kubernetes has them, in their JSON and their text form, the
//! rules of labels, and field selectors.
//!
//! Not here: what an object's labels are (inheritance, `crate::tree`) and how a list is searched (`crate::index`).
//! Called by the API (query strings), by policies and claim rules (`spec.selector`) and by the importer.
//!
//! Source: <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/>.

mod field;
mod label;
mod text;

pub use field::{Comparison, FieldRequirement, FieldSelector, FieldSelectorError};
pub use label::{LabelError, LabelRule, LabelsError, check_key, check_labels, check_value};
pub use label::{MAX_LABELS, MAX_LABELS_BYTES, MAX_NAME, MAX_PREFIX};

use std::{collections::BTreeMap, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most requirements of one selector, `matchLabels` included.
pub const MAX_REQUIREMENTS: usize = 64;
/// Most values of one requirement.
pub const MAX_VALUES: usize = 256;
/// Longest text form, in bytes.
pub const MAX_TEXT: usize = 16 << 10;

/// What labels must be: all of `match_labels` and all of `match_expressions`. An empty selector matches everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Selector {
    /// Key and the value that it must have.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    /// Further requirements.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<Requirement>,
}

/// One requirement on one label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Requirement {
    /// The label's key.
    pub key: String,
    /// How it is compared.
    pub operator: Operator,
    /// For `In` and `NotIn` one or more; else none. Order and repetition mean nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// How a label is compared. As in Kubernetes, `NotIn` also holds where the key is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Operator {
    /// Present, with one of the values.
    In,
    /// Absent, or present with another value.
    NotIn,
    /// Present.
    Exists,
    /// Absent.
    DoesNotExist,
}

/// Where in a selector something is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The whole of it.
    Whole,
    /// Text form: the character, counted from 1.
    Character(usize),
    /// JSON form: the entry of `matchLabels` with this key (cut to a readable length).
    MatchLabel(String),
    /// JSON form: this one of `matchExpressions`, counted from 0.
    Expression(usize),
}

/// What is wrong in a selector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rule {
    /// Longer than [`MAX_TEXT`].
    #[error("a selector has at most {MAX_TEXT} bytes")]
    Long,
    /// More than [`MAX_REQUIREMENTS`].
    #[error("a selector has at most {MAX_REQUIREMENTS} requirements")]
    ManyRequirements,
    /// More than [`MAX_VALUES`].
    #[error("a requirement has at most {MAX_VALUES} values")]
    ManyValues,
    /// `In` or `NotIn` without values.
    #[error("`in` and `notin` need at least one value")]
    NoValues,
    /// `Exists` or `DoesNotExist` with values.
    #[error("`exists` and `does not exist` take no values")]
    UselessValues,
    /// A key or value that no label can have.
    #[error(transparent)]
    Label(#[from] LabelError),
    /// Something else should stand here.
    #[error("expected {0}")]
    Expected(&'static str),
}

/// Why a selector is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("label selector, {place}: {rule}")]
pub struct SelectorError {
    /// Where.
    pub place: Place,
    /// What.
    pub rule: Rule,
}

impl Selector {
    /// Whether labels match; `label` gives the value of a key, or `None` where the key is absent.
    pub fn matches<V: AsRef<str>>(&self, label: impl Fn(&str) -> Option<V>) -> bool {
        self.match_labels.iter().all(|(key, value)| label(key).is_some_and(|v| v.as_ref() == value))
            && self.match_expressions.iter().all(|r| r.matches(label(&r.key)))
    }

    /// Whether every object matches.
    pub fn is_empty(&self) -> bool {
        self.match_labels.is_empty() && self.match_expressions.is_empty()
    }

    /// Holds a selector that came as JSON to the rules that [`str::parse`] holds the text form to.
    ///
    /// # Errors
    /// The first place that breaks a rule.
    pub fn check(&self) -> Result<(), SelectorError> {
        if self.match_labels.len().saturating_add(self.match_expressions.len()) > MAX_REQUIREMENTS {
            return Err(SelectorError { place: Place::Whole, rule: Rule::ManyRequirements });
        }
        for (key, value) in &self.match_labels {
            check_key(key).and_then(|()| check_value(value)).map_err(|e| SelectorError {
                place: Place::MatchLabel(label::shown(key)),
                rule: Rule::Label(e),
            })?;
        }
        for (at, requirement) in self.match_expressions.iter().enumerate() {
            requirement.check().map_err(|rule| SelectorError { place: Place::Expression(at), rule })?;
        }
        Ok(())
    }
}

impl Requirement {
    /// Whether a label of this `value` (`None`: no such label) is what is required.
    pub fn matches<V: AsRef<str>>(&self, value: Option<V>) -> bool {
        let listed = |v: &V| self.values.iter().any(|mine| mine == v.as_ref());
        match self.operator {
            Operator::In => value.as_ref().is_some_and(listed),
            Operator::NotIn => !value.as_ref().is_some_and(listed),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
        }
    }

    fn check(&self) -> Result<(), Rule> {
        check_key(&self.key)?;
        match (self.operator, self.values.len()) {
            (Operator::In | Operator::NotIn, 0) => return Err(Rule::NoValues),
            (Operator::Exists | Operator::DoesNotExist, 1..) => return Err(Rule::UselessValues),
            (_, n) if n > MAX_VALUES => return Err(Rule::ManyValues),
            _ => {}
        }
        self.values.iter().try_for_each(|v| check_value(v)).map_err(Rule::Label)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => f.write_str("as a whole"),
            Self::Character(at) => write!(f, "character {at}"),
            Self::MatchLabel(key) => write!(f, "matchLabels {key:?}"),
            Self::Expression(at) => write!(f, "matchExpressions[{at}]"),
        }
    }
}
