//! What differs between two JSON values, path by path.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Differences that are told of one resource.
const MOST: usize = 200;

/// One place that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// Such as `spec.settings.ntp`.
    pub path: String,
    /// Absent: it was not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// Absent: it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// All places that differ; lists are compared as a whole.
pub(crate) fn diff(before: &Value, after: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    walk(String::new(), Some(before), Some(after), &mut found);
    found
}

fn walk(path: String, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<Difference>) {
    if before == after || found.len() >= MOST {
        return;
    }
    let fields = |value: Option<&Value>| value.and_then(Value::as_object).cloned();
    match (fields(before), fields(after)) {
        (old, new) if (old.is_some() || before.is_none()) && (new.is_some() || after.is_none()) => {
            let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
            if old.is_empty() && new.is_empty() {
                found.push(Difference { path, before: before.cloned(), after: after.cloned() });
                return;
            }
            let keys: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for key in keys {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                walk(path, old.get(key), new.get(key), found);
            }
        }
        _ => found.push(Difference { path, before: before.cloned(), after: after.cloned() }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_place_that_differs_is_told_once() {
        let before = json!({"a": {"b": 1, "c": [1]}, "d": null, "e": {"f": 1}});
        let after = json!({"a": {"b": 2, "c": [1, 2]}, "e": {}, "g": {"h": true}});
        let found: Vec<String> = diff(&before, &after).into_iter().map(|d| d.path).collect();
        assert_eq!(found, ["a.b", "a.c", "d", "e.f", "g.h"]);
        assert!(diff(&before, &before).is_empty());
    }
}
