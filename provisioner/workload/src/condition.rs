//! Conditions of a status, and keeping the time of their last change.

use cairn_contract::Timestamp;
use cairn_domain::model::{Condition, Truth, rfc3339};
use serde_json::Value;

/// The conditions of one status.
#[derive(Debug)]
pub(crate) struct Conditions<'a> {
    before: Option<&'a Value>,
    now: Timestamp,
    all: Vec<Condition>,
}

impl<'a> Conditions<'a> {
    /// `before`: the status that there was.
    pub(crate) fn new(before: Option<&'a Value>, now: Timestamp) -> Self {
        Self { before, now, all: Vec::new() }
    }

    pub(crate) fn say(&mut self, r#type: &str, status: Truth, reason: &str, message: impl Into<String>) {
        let since = self.since(r#type, status).or_else(|| rfc3339(self.now));
        self.all.push(Condition {
            r#type: r#type.to_owned(),
            status,
            reason: reason.to_owned(),
            message: message.into(),
            last_transition_time: since,
        });
    }

    fn since(&self, r#type: &str, status: Truth) -> Option<String> {
        let all = self.before?.get("conditions")?.as_array()?;
        let old = all.iter().find(|c| c.get("type").and_then(Value::as_str) == Some(r#type))?;
        let same = old.get("status") == Some(&serde_json::to_value(status).ok()?);
        let since = old.get("lastTransitionTime").and_then(Value::as_str);
        since.filter(|_| same).map(str::to_owned)
    }

    pub(crate) fn into_all(self) -> Vec<Condition> {
        self.all
    }
}

/// `True` when it holds.
pub(crate) fn truth(holds: bool) -> Truth {
    if holds { Truth::True } else { Truth::False }
}

/// `a, b and 3 more` of many.
pub(crate) fn some_of<T: AsRef<str>>(names: &[T]) -> String {
    const SHOWN: usize = 5;
    let listed: Vec<&str> = names.iter().take(SHOWN).map(AsRef::as_ref).collect();
    let listed = listed.join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => listed,
        more => format!("{listed} and {more} more"),
    }
}
