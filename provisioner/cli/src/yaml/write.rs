//! Writes values as YAML, fields in alphabetical order: two looks at the same thing compare equal.

use serde_json::{Map, Value};

/// One document, without `---`, with its last line's end.
pub(crate) fn write(value: &Value) -> String {
    let sorted = sorted(value);
    match serde_saphyr::to_string(&sorted) {
        Ok(text) if text.ends_with('\n') => text,
        Ok(text) => text + "\n",
        // JSON is YAML too.
        Err(_) => serde_json::to_string_pretty(&sorted).unwrap_or_default(),
    }
}

/// `serde_json` keeps the order only by a feature that any crate of the build may switch.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut pairs: Vec<_> = map.iter().map(|(k, v)| (k.clone(), sorted(v))).collect();
            pairs.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(pairs.into_iter().collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        plain => plain.clone(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::yaml::read;

    #[test]
    fn fields_are_in_alphabetical_order() {
        let value = json!({"kind": "Site", "apiVersion": "cairn/v1", "spec": {"b": [1, {"y": 1, "x": []}], "a": "0755"}});
        let text = write(&value);
        let at = |word: &str| text.find(word).unwrap();
        assert!(at("apiVersion") < at("kind") && at("kind") < at("spec") && at("a:") < at("b:"), "{text}");
    }

    fn values() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            "[ -~]{0,12}",
            "[a-zé\n\t\"'#:~-]{0,12}",
            prop::sample::select(vec![
                "no",
                "0755",
                "~",
                "null",
                "1e3",
                "0x1f",
                "- a",
                "true",
                "2026-11-22",
                "1_0",
                "",
                ".5"
            ])
            .prop_map(str::to_owned)
        ];
        let leaf = prop_oneof![
            text.prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            Just(Value::Null)
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-zA-Z0-9/. -]{1,8}", inner, 0..4)
                    .prop_map(|m| Value::Object(m.into_iter().collect()))
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value in values()) {
            let value = json!({ "v": value });
            let text = write(&value);
            let back = read(text.as_bytes()).map_err(|e| TestCaseError::fail(format!("{e}\n{text}")))?;
            prop_assert_eq!(&back[0].value, &value, "{}", text);
        }
    }
}
