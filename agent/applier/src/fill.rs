//! Placeholders of secrets become their values, at the last moment before an object is sent. Pure. Not where values come from
//! (the caller's `Order`), and nothing here is ever logged.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::key::text;

/// See [`cairn_contract::workload::placeholder`].
const START: &str = "cairn-secret-";
const DIGITS: usize = 32;

/// Whether a placeholder stands anywhere in the object.
#[must_use]
pub fn mentions(object: &Value) -> bool {
    let mut found = false;
    let mut copy = object.clone();
    walk(&mut copy, is_secret(object), &mut |text| {
        found |= next(text, 0).is_some();
        None
    });
    found
}

/// Puts `values` in the place of placeholders, once: a value that looks like a placeholder stays as it is. In `data` of a Secret
/// they may stand base64-encoded. What it gives back are the placeholders without a value; the object is not fit to be sent then.
pub fn fill(object: &mut Value, values: &BTreeMap<String, String>) -> BTreeSet<String> {
    let mut missing = BTreeSet::new();
    let encoded = is_secret(object);
    walk(object, encoded, &mut |text| filled(text, values, &mut missing));
    missing
}

/// Moves `stringData` of a Secret into `data`: server-side apply would leave keys behind that are no longer in it.
pub fn encode(object: &mut Value) {
    if !is_secret(object) {
        return;
    }
    let Value::Object(fields) = object else { return };
    let Some(Value::Object(plain)) = fields.remove("stringData") else { return };
    let data = fields.entry("data").or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(data) = data {
        let encoded = |(name, value): (String, Value)| {
            (name, Value::from(STANDARD.encode(value.as_str().unwrap_or_default())))
        };
        data.extend(plain.into_iter().map(encoded));
    }
}

fn is_secret(object: &Value) -> bool {
    text(object, &["kind"]) == "Secret" && text(object, &["apiVersion"]) == "v1"
}

/// Visits every text; another one that `visit` gives takes its place. `encoded`: the texts of `data` are in base64.
fn walk(value: &mut Value, encoded: bool, visit: &mut dyn FnMut(&str) -> Option<String>) {
    match value {
        Value::String(text) => {
            if let Some(other) = visit(text) {
                *text = other;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|v| walk(v, false, visit)),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::Object(data) if encoded && name == "data" => {
                        data.values_mut().for_each(|v| encoded_text(v, visit));
                    }
                    other => walk(other, false, visit),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn encoded_text(value: &mut Value, visit: &mut dyn FnMut(&str) -> Option<String>) {
    let Value::String(text) = value else { return };
    // A placeholder that somebody forgot to encode: its own letters are no valid base64 (`-`).
    if let Some(other) = visit(text) {
        *text = STANDARD.encode(other);
        return;
    }
    let plain = STANDARD.decode(text.as_bytes()).ok().and_then(|b| String::from_utf8(b).ok());
    if let Some(other) = plain.and_then(|p| visit(&p)) {
        *text = STANDARD.encode(other);
    }
}

fn filled(text: &str, values: &BTreeMap<String, String>, missing: &mut BTreeSet<String>) -> Option<String> {
    let (mut out, mut from) = (String::new(), 0);
    while let Some((start, end)) = next(text, from) {
        out.push_str(text.get(from..start).unwrap_or_default());
        let name = text.get(start..end).unwrap_or_default();
        match values.get(name) {
            Some(value) => out.push_str(value),
            None => {
                missing.insert(name.to_owned());
            }
        }
        from = end;
    }
    (from > 0).then(|| out + text.get(from..).unwrap_or_default())
}

/// Where the first placeholder at or after `from` begins and ends.
fn next(text: &str, mut from: usize) -> Option<(usize, usize)> {
    loop {
        let start = from.checked_add(text.get(from..)?.find(START)?)?;
        let digits = start.checked_add(START.len())?;
        let end = digits.checked_add(DIGITS)?;
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.get(digits..end).is_some_and(|s| s.bytes().all(hex)) {
            return Some((start, end));
        }
        from = digits;
    }
}

#[cfg(test)]
mod tests {
    use cairn_contract::workload::placeholder;
    use proptest::prelude::*;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn one(value: &str) -> (String, BTreeMap<String, String>) {
        let name = placeholder(Uuid::nil(), "password");
        (name.clone(), BTreeMap::from([(name, value.to_owned())]))
    }

    #[test]
    fn values_come_into_texts_arrays_and_encoded_data() {
        let (name, values) = one("p\"ß");
        let encoded = STANDARD.encode(format!("user:{name}@db"));
        let mut secret = json!({"apiVersion":"v1","kind":"Secret","data":{"url":encoded,"raw":name},"stringData":{"a":[name]}});
        assert!(mentions(&secret));
        assert!(fill(&mut secret, &values).is_empty());
        assert_eq!(secret["data"]["url"], STANDARD.encode("user:p\"ß@db"));
        assert_eq!(secret["data"]["raw"], STANDARD.encode("p\"ß"));
        assert_eq!(secret["stringData"]["a"][0], "p\"ß");
        secret["stringData"] = json!({"b": "x"});
        encode(&mut secret);
        assert_eq!((secret["data"]["b"].as_str(), secret.get("stringData")), (Some("eA=="), None));
        let mut other = json!({"apiVersion":"v1","kind":"ConfigMap","data":{"url":encoded,"two":format!("{name}-{name}")}});
        fill(&mut other, &values);
        assert_eq!(other["data"], json!({"url": encoded, "two": "p\"ß-p\"ß"}));
    }

    #[test]
    fn what_has_no_value_is_told_and_looks_alike_stay() {
        let (name, _) = one("");
        let mut object = json!({"a": name, "b": "cairn-secret-zz", "c": "cairn-secret-"});
        assert_eq!(fill(&mut object, &BTreeMap::new()), BTreeSet::from([name]));
        assert_eq!(
            (object["b"].as_str(), object["c"].as_str()),
            (Some("cairn-secret-zz"), Some("cairn-secret-"))
        );
    }

    #[test]
    fn a_value_that_is_a_placeholder_is_not_filled_again() {
        let other = placeholder(Uuid::nil(), "other");
        let (name, mut values) = one(&other);
        values.insert(other.clone(), "never".into());
        let mut object = json!([name]);
        fill(&mut object, &values);
        assert_eq!(object[0], other);
    }

    proptest! {
        #[test]
        fn texts_without_placeholders_stay_and_others_lose_them(text in "\\PC{0,40}", value in "[^c]{0,9}") {
            let (name, values) = one(&value);
            let mut plain = json!({"apiVersion":"v1","kind":"Secret","data":{"a":text},"b":[text]});
            let before = plain.clone();
            fill(&mut plain, &values);
            prop_assert_eq!(&plain, &before);
            let mut held = json!([format!("{text}{name}{text}")]);
            prop_assert!(fill(&mut held, &values).is_empty());
            prop_assert_eq!(held[0].as_str().unwrap(), format!("{text}{value}{text}"));
        }
    }
}
