//! What the API server says when it does not do something: a `Status` object, read without believing its form. Pure.

use std::fmt;

use serde_json::Value;

use crate::key::{each, number, text};

/// Longest message that is passed on, in characters.
const LONGEST: usize = 600;
/// Most causes that are looked at.
const CAUSES: usize = 20;

/// How the server says that a field cannot be changed.
const IMMUTABLE: [&str; 3] = ["immutable", "may not change once set", "for fields other than"];

/// A `Status` that is no success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub code: u16,
    /// One word in upper camel case, such as `Invalid`; may be empty.
    pub reason: String,
    /// For people.
    pub message: String,
    /// Single fields.
    pub causes: Vec<Cause>,
    /// It says that a field cannot be changed after creation.
    pub immutable: bool,
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// One word.
    pub reason: String,
    /// Path of the field.
    pub field: String,
    /// For people.
    pub message: String,
}

impl Refusal {
    /// From an answer with status `code`.
    #[must_use]
    pub fn read(code: u16, body: &[u8]) -> Self {
        let value: Value = serde_json::from_slice(body).unwrap_or_default();
        let said = text(&value, &["message"]);
        let message =
            if said.is_empty() { String::from_utf8_lossy(body).into_owned() } else { said.to_owned() };
        let cause = |v: &Value| Cause {
            reason: short(text(v, &["reason"])),
            field: short(text(v, &["field"])),
            message: short(text(v, &["message"])),
        };
        let code = u16::try_from(number(&value, &["code"])).ok().filter(|c| *c >= 400).unwrap_or(code);
        Self {
            code,
            reason: short(text(&value, &["reason"])),
            message: short(&message),
            causes: each(&value, &["details", "causes"]).take(CAUSES).map(cause).collect(),
            // Of the whole text: Go prints the value first, and it may be long.
            immutable: code == 422
                && IMMUTABLE.iter().any(|words| {
                    let mut causes = each(&value, &["details", "causes"]).take(CAUSES);
                    message.contains(words) || causes.any(|c| text(c, &["message"]).contains(words))
                }),
        }
    }

    /// Nothing is wrong with what was asked: the same may go well later.
    #[must_use]
    pub fn passes(&self) -> bool {
        // An object that does not fit its schema is a 500 of server-side apply, in words of structured-merge-diff.
        let misfit =
            self.message.contains("typed patch object") || self.message.contains("failed to create typed");
        self.code >= 500 && !misfit || matches!(self.code, 401 | 403 | 408 | 409 | 410 | 429)
    }

    /// Fields that others set, with who: server-side apply without force.
    #[must_use]
    pub fn field_conflicts(&self) -> Vec<FieldConflict> {
        let conflicts = self.causes.iter().filter(|c| self.code == 409 && c.reason == "FieldManagerConflict");
        conflicts.map(|c| FieldConflict { field: c.field.clone(), manager: quoted(&c.message) }).collect()
    }

    /// The same without the server's own words, which may repeat values: for objects that hold secrets.
    #[must_use]
    pub fn without_values(&self) -> String {
        let fields: Vec<&str> =
            self.causes.iter().map(|c| c.field.as_str()).filter(|f| !f.is_empty()).collect();
        let at = if fields.is_empty() { String::new() } else { format!(" at {}", fields.join(", ")) };
        format!(
            "{} ({}){at}; its words are withheld because the object holds secrets",
            self.word(),
            self.code
        )
    }

    fn word(&self) -> &str {
        if self.reason.is_empty() { "refused" } else { &self.reason }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.word(), self.code, self.message)
    }
}

/// A field that another manager set to another value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldConflict {
    /// Its path, such as `.spec.replicas`.
    pub field: String,
    /// Who, such as `kubectl-edit`.
    pub manager: String,
}

impl fmt::Display for FieldConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is set by {}", self.field, self.manager)
    }
}

/// `conflict with "kubectl-edit" using apps/v1` names its manager in quotes.
fn quoted(message: &str) -> String {
    message.split('"').nth(1).filter(|m| !m.is_empty()).unwrap_or("another manager").to_owned()
}

/// Beginning and end: Go prints whole structures in between.
fn short(text: &str) -> String {
    let count = text.chars().count();
    if count <= LONGEST {
        return text.to_owned();
    }
    let half = LONGEST / 2;
    let (head, tail) = (text.chars().take(half), text.chars().skip(count.saturating_sub(half)));
    head.chain(std::iter::once('…')).chain(tail).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As kube-apiserver 1.20 says it.
    const CONFLICT: &str = r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",
        "message":"Apply failed with 1 conflict: conflict with \"kubectl-edit\" using apps/v1: .spec.replicas",
        "reason":"Conflict","details":{"causes":[{"reason":"FieldManagerConflict",
        "message":"conflict with \"kubectl-edit\" using apps/v1","field":".spec.replicas"}]},"code":409}"#;

    #[test]
    fn a_conflict_names_field_and_manager() {
        let read = Refusal::read(409, CONFLICT.as_bytes());
        let said: Vec<String> = read.field_conflicts().iter().map(ToString::to_string).collect();
        assert_eq!(said, [".spec.replicas is set by kubectl-edit"]);
        assert!(read.passes());
    }

    #[test]
    fn values_are_withheld_and_fields_are_not() {
        let body = r#"{"code":422,"reason":"Invalid","message":"x is invalid: spec.a: Invalid value: \"hunter2\"",
            "details":{"causes":[{"field":"spec.a","message":"Invalid value: \"hunter2\": field is immutable"}]}}"#;
        let read = Refusal::read(422, body.as_bytes());
        assert!(read.immutable && !read.passes());
        let said = read.without_values();
        assert!(!said.contains("hunter2") && said.contains("spec.a"), "{said}");
    }

    #[test]
    fn what_is_no_status_is_passed_on_shortened() {
        assert_eq!(
            Refusal::read(503, b"apiserver not ready").to_string(),
            "refused (503): apiserver not ready"
        );
        assert!(Refusal::read(500, &[b'x'; 9000]).message.len() < 700);
        let long =
            format!(r#"{{"code":422,"message":"x is invalid: {}: field is immutable"}}"#, "y".repeat(2000));
        let read = Refusal::read(422, long.as_bytes());
        assert!(read.immutable && read.message.ends_with("field is immutable"), "{read}");
        let misfit = r#"{"code":500,"message":"failed to create typed patch object: .spec.x: field not declared in schema"}"#;
        assert!(!Refusal::read(500, misfit.as_bytes()).passes());
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(code: u16, body: Vec<u8>, words in "\\PC{0,20}") {
            let _ = Refusal::read(code, &body).field_conflicts();
            let status = serde_json::json!({"code": words, "details": {"causes": [words, {"message": words}]}});
            let _ = Refusal::read(code, status.to_string().as_bytes()).without_values();
        }
    }
}
