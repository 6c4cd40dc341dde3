//! What the server answers when it refuses (RFC 9457), and the same shape for what this program refuses itself.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One refusal. Members that this version does not know stay in it, so that `-o json` shows the server's own words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// `urn:cairn:problem:<word>`; the word never changes its meaning.
    #[serde(rename = "type")]
    pub kind: String,
    /// The same for each problem of the type.
    pub title: String,
    /// HTTP status; 0 when this program refused.
    pub status: u16,
    /// What is wrong this time.
    pub detail: String,
    /// What to try; may be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub next: String,
    /// Each thing that is wrong, when there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Value>,
    /// Further members.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl Problem {
    /// Reads one; `None` when the answer is no problem.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let problem: Self = serde_json::from_slice(bytes).ok()?;
        (!problem.detail.is_empty() || !problem.title.is_empty()).then_some(problem)
    }

    /// From a value inside an answer.
    pub(crate) fn of(value: &Value) -> Option<Self> {
        serde_json::from_value(value.clone()).ok()
    }

    /// The detail, and each single error on a line of its own.
    pub(crate) fn text(&self) -> String {
        let mut text = if self.detail.is_empty() { self.title.clone() } else { self.detail.clone() };
        for error in &self.errors {
            let said = |name: &str| error.get(name).and_then(Value::as_str).filter(|t| !t.is_empty());
            let field = said("field").or_else(|| said("path")).or_else(|| said("pointer"));
            let detail = said("detail").or_else(|| said("message")).or_else(|| error.as_str());
            let line = match (field, detail) {
                (Some(field), Some(detail)) => format!("{field}: {detail}"),
                (None, Some(detail)) => detail.to_owned(),
                (_, None) => error.to_string(),
            };
            // The first one is often the detail itself.
            if !text.contains(&line) && !detail.is_some_and(|d| text.contains(d)) {
                text = format!("{text}\n  {line}");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_tells_each_error_once_and_keeps_what_it_does_not_know() {
        let bytes = br#"{"type":"urn:cairn:problem:invalid","title":"T","status":422,"detail":"Two are wrong.","next":"Mend them.",
            "errors":[{"field":"spec.site","detail":"no such site"},"and this"],"trace":"x"}"#;
        let problem = Problem::read(bytes).unwrap();
        assert_eq!(problem.text(), "Two are wrong.\n  spec.site: no such site\n  and this");
        assert_eq!(serde_json::to_value(&problem).unwrap()["trace"], "x");
        for bytes in [b"<html>".as_slice(), b"{}", b"[]", b"\"x\""] {
            assert_eq!(Problem::read(bytes), None);
        }
    }
}
