//! Merging descriptions: merge patches (RFC 7396), and the three-way merge of `apply`.

use serde_json::{Map, Value};

/// RFC 7396 §2.
pub(crate) fn patch(target: &mut Value, change: Value) {
    let Value::Object(change) = change else {
        *target = change;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else { return };
    for (key, value) in change {
        if value.is_null() {
            target.remove(&key);
        } else {
            patch(target.entry(key).or_insert(Value::Null), value);
        }
    }
}

/// `live` with what changed from `last` to `next`: fields that are no longer said are taken back, fields that others set
/// stay. Lists are replaced as a whole.
pub(crate) fn three_way(live: &Value, last: &Value, next: &Value) -> Value {
    let (Value::Object(live), Value::Object(next)) = (live, next) else { return next.clone() };
    let empty = Map::new();
    let last = last.as_object().unwrap_or(&empty);
    let mut merged = live.clone();
    for key in last.keys().filter(|key| !next.contains_key(*key)) {
        merged.remove(key);
    }
    for (key, value) in next {
        // "null" says that there is to be none, as in a patch.
        if value.is_null() {
            merged.remove(key);
            continue;
        }
        let null = Value::Null;
        let (now, before) = (live.get(key).unwrap_or(&null), last.get(key).unwrap_or(&null));
        merged.insert(key.clone(), three_way(now, before, value));
    }
    Value::Object(merged)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// RFC 7396, Appendix A.
    #[test]
    fn patches_do_what_the_standard_says() {
        for (target, change, expected) in [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (json!({"a":"b"}), json!({"a":null}), json!({})),
            (json!({"a":"b","b":"c"}), json!({"a":null}), json!({"b":"c"})),
            (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"c"}), json!({"a":["b"]}), json!({"a":["b"]})),
            (json!({"a":{"b":"c"}}), json!({"a":{"b":"d","c":null}}), json!({"a":{"b":"d"}})),
            (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({"a":"b"}), json!(["c"]), json!(["c"])),
            (json!({"a":"foo"}), json!(null), json!(null)),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
            (json!([1, 2]), json!({"a":"b","c":null}), json!({"a":"b"})),
            (json!({}), json!({"a":{"bb":{"ccc":null}}}), json!({"a":{"bb":{}}})),
        ] {
            let mut merged = target.clone();
            patch(&mut merged, change.clone());
            assert_eq!(merged, expected, "{target} {change}");
        }
    }

    #[test]
    fn apply_takes_back_what_it_said_and_keeps_what_others_said() {
        let live = json!({"labels": {"env": "prod", "by-hand": "1", "old": "x"}, "spec": {"image": "a"}});
        let last = json!({"labels": {"env": "prod", "old": "x"}, "spec": {"image": "a"}});
        let next = json!({"labels": {"env": "test"}, "spec": {}});
        assert_eq!(
            three_way(&live, &last, &next),
            json!({"labels": {"env": "test", "by-hand": "1"}, "spec": {}})
        );
    }

    proptest! {
        #[test]
        fn applying_twice_is_applying_once(a in "[ab]{0,3}", b in "[ab]{0,3}", c in "[ab]{0,3}") {
            let map = |s: &str| Value::Object(s.chars().enumerate().map(|(i, c)| (c.to_string(), json!(i))).collect());
            let (live, last, next) = (map(&a), map(&b), map(&c));
            let once = three_way(&live, &last, &next);
            prop_assert_eq!(three_way(&once, &next, &next), once);
        }
    }
}
