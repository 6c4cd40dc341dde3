//! Merge patches (RFC 7396): what an edit changed, and whether another's changes touch the same.

use serde_json::{Map, Value};

/// The patch that makes `after` of `before`.
pub(crate) fn patch(before: &Value, after: &Value) -> Value {
    let (Value::Object(old), Value::Object(new)) = (before, after) else { return after.clone() };
    let mut out = Map::new();
    for key in old.keys().filter(|k| !new.contains_key(*k)) {
        out.insert(key.clone(), Value::Null);
    }
    for (key, value) in new {
        match old.get(key) {
            Some(same) if same == value => {}
            Some(other) if other.is_object() && value.is_object() => {
                out.insert(key.clone(), patch(other, value));
            }
            _ => {
                out.insert(key.clone(), value.clone());
            }
        }
    }
    Value::Object(out)
}

/// Whether two patches set the same field, or one a part of what the other sets.
pub(crate) fn overlap(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            a.iter().any(|(key, x)| b.get(key).is_some_and(|y| overlap(x, y)))
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// RFC 7396, section 2.
    fn apply(target: Value, patch: &Value) -> Value {
        let Value::Object(patch) = patch else { return patch.clone() };
        let mut map = match target {
            Value::Object(map) => map,
            _ => Map::new(),
        };
        for (key, value) in patch {
            if value.is_null() {
                map.remove(key);
            } else {
                let old = map.remove(key).unwrap_or(Value::Null);
                map.insert(key.clone(), apply(old, value));
            }
        }
        Value::Object(map)
    }

    #[test]
    fn only_what_touches_the_same_overlaps() {
        let before = json!({"spec": {"a": 1, "b": 2, "c": {"d": 1}}});
        let mine = patch(&before, &json!({"spec": {"a": 9, "b": 2, "c": {"d": 1}}}));
        assert_eq!(mine, json!({"spec": {"a": 9}}));
        let theirs = |after: Value| patch(&before, &after);
        assert!(!overlap(&mine, &theirs(json!({"spec": {"a": 1, "c": {"d": 2}}}))));
        assert!(overlap(&mine, &theirs(json!({"spec": {"b": 2, "c": {"d": 1}}}))));
        assert!(overlap(&mine, &theirs(json!({"spec": 1}))));
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![any::<i8>().prop_map(Value::from), any::<bool>().prop_map(Value::from)];
        let inner = leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[a-c]", inner, 0..4)
                    .prop_map(|m| Value::Object(m.into_iter().collect()))
            ]
        });
        prop::collection::btree_map("[a-c]", inner, 0..4).prop_map(|m| Value::Object(m.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn a_patch_makes_the_one_of_the_other(before in values(), after in values()) {
            let patch = patch(&before, &after);
            prop_assert_eq!(apply(before.clone(), &patch), after);
        }
    }
}
