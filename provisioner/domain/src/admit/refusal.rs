//! Why a write is refused, and what to do about it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::metadata::described;
use crate::{
    fact::plain,
    model::{Kind, Namespace},
};

/// Most refusals of one write that are told.
const MAX: usize = 50;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// Path of the field, such as `spec.parent` or `spec.rules[0].verbs[1]`; empty: the whole.
    pub field: String,
    /// What is wrong, a sentence fragment.
    pub message: String,
    /// What to do now.
    pub next: String,
    /// Of what sort it is.
    pub kind: RefusalKind,
}

/// Sorts of refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RefusalKind {
    /// The value cannot be (422).
    Invalid,
    /// It does not fit to what is there now (409).
    Conflict,
    /// It names something that does not exist (422; 404 for a namespace).
    NotFound,
    /// Nobody can write this here (403).
    Forbidden,
}

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<Refusal>);

impl Problems {
    pub(super) fn push(&mut self, refusal: Refusal) {
        if self.0.len() < MAX {
            self.0.push(refusal);
        }
    }

    pub(super) fn add(
        &mut self,
        kind: RefusalKind,
        field: impl Into<String>,
        message: impl Into<String>,
        next: impl Into<String>,
    ) {
        self.push(Refusal { field: field.into(), message: message.into(), next: next.into(), kind });
    }

    pub(super) fn invalid(
        &mut self,
        field: impl Into<String>,
        message: impl Into<String>,
        next: impl Into<String>,
    ) {
        self.add(RefusalKind::Invalid, field, message, next);
    }

    pub(super) fn conflict(
        &mut self,
        field: impl Into<String>,
        message: impl Into<String>,
        next: impl Into<String>,
    ) {
        self.add(RefusalKind::Conflict, field, message, next);
    }

    pub(super) fn not_found(
        &mut self,
        field: impl Into<String>,
        message: impl Into<String>,
        next: impl Into<String>,
    ) {
        self.add(RefusalKind::NotFound, field, message, next);
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn all(self) -> Vec<Refusal> {
        self.0
    }
}

/// What is said of a namespace that does not exist, and of one that is hidden.
pub(crate) fn no_space(namespace: &Namespace) -> String {
    format!("there is no {}", described(namespace))
}

/// What is said of a node that does not exist, and of one that is hidden.
pub(crate) fn no_node(kind: Kind, name: &str, namespace: &Namespace) -> String {
    format!("there is no {kind} {} in {}", shown(name), described(namespace))
}

/// Foreign text for a message.
pub(super) fn shown(text: &str) -> String {
    plain(text, 80)
}

/// An error and its causes in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut out = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        out = format!("{out}: {next}");
        cause = next.source();
    }
    plain(&out, 400)
}

/// `a, b and 3 more` of many.
pub(super) fn some_of(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let listed: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
    let listed = listed.join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => listed,
        more => format!("{listed} and {more} more"),
    }
}
