//! One resource of any kind in full: its fields as a tree of lines.

use cairn_domain::fact::plain;
use serde_json::Value;

use super::words::{Tone, Words, tone};
use crate::target::{full_name, text};

/// Bytes of one value.
const VALUE: usize = 600;
/// Levels of fields.
const MAX_DEPTH: usize = 12;

/// The resource.
pub(crate) fn object(object: &Value, words: &Words) -> String {
    let mut out = vec![format!(
        "{} {}",
        text(object, "/kind"),
        words.paint(&plain(&full_name(object), 300), Tone::Good)
    )];
    let created = words.when(object.pointer("/metadata/creationTimestamp"));
    let created = created.map(|at| format!("{} ({})", words.stamp(at), words.ago(at)));
    let version = |name: &str| object.pointer(name).map_or_else(String::new, bare);
    let facts = [
        ("uid", text(object, "/metadata/uid").to_owned()),
        ("created", created.unwrap_or_default()),
        ("generation", version("/metadata/generation")),
        ("version", version("/metadata/resourceVersion")),
    ];
    for (key, value) in facts {
        if !value.is_empty() {
            out.push(format!("  {key:<12} {}", plain(&value, VALUE)));
        }
    }
    for (head, pointer) in [
        ("labels", "/metadata/labels"),
        ("annotations", "/metadata/annotations"),
        ("spec", "/spec"),
        ("status", "/status"),
    ] {
        let Some(value) = object.pointer(pointer).filter(|v| !is_empty(v)) else { continue };
        let mut shown = value.clone();
        if let Value::Object(map) = &mut shown {
            map.remove("conditions");
            map.remove("cairn/last-applied");
        }
        if is_empty(&shown) {
            continue;
        }
        out.push(head.to_owned());
        fields(&shown, 1, &mut out);
    }
    conditions(object, words, &mut out);
    out.join("\n")
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

pub(crate) fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn fields(value: &Value, depth: usize, out: &mut Vec<String>) {
    let indent = "  ".repeat(depth);
    match value {
        _ if depth > MAX_DEPTH => out.push(format!("{indent}...")),
        Value::Object(map) => {
            let width = map.keys().map(|k| k.chars().count()).max().unwrap_or_default().min(24);
            let mut pairs: Vec<_> = map.iter().filter(|(_, v)| !is_empty(v)).collect();
            pairs.sort_by_key(|(k, _)| *k);
            for (key, inner) in pairs {
                let key = plain(key, 200);
                match inner {
                    Value::Object(_) => {
                        out.push(format!("{indent}{key}"));
                        fields(inner, depth + 1, out);
                    }
                    Value::Array(items) if items.iter().any(|i| i.is_object() || i.is_array()) => {
                        out.push(format!("{indent}{key}"));
                        fields(inner, depth + 1, out);
                    }
                    Value::Array(items) => {
                        let all = items.iter().map(bare).collect::<Vec<_>>().join(", ");
                        out.push(format!("{indent}{key:<width$}  {}", plain(&all, VALUE)));
                    }
                    single => out.push(format!("{indent}{key:<width$}  {}", plain(&bare(single), VALUE))),
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                match item {
                    Value::Object(_) | Value::Array(_) => {
                        out.push(format!("{indent}-"));
                        fields(item, depth + 1, out);
                    }
                    single => out.push(format!("{indent}- {}", plain(&bare(single), VALUE))),
                }
            }
        }
        single => out.push(format!("{indent}{}", plain(&bare(single), VALUE))),
    }
}

fn conditions(object: &Value, words: &Words, out: &mut Vec<String>) {
    let Some(all) = object.pointer("/status/conditions").and_then(Value::as_array).filter(|a| !a.is_empty())
    else {
        return;
    };
    out.push("conditions".to_owned());
    for condition in all {
        let said = |name: &str| text(condition, name);
        let tone = match said("/status") {
            "True" => Tone::Good,
            "False" => Tone::Warn,
            _ => Tone::Faint,
        };
        let since =
            words.when(condition.pointer("/lastTransitionTime")).map(|at| format!(", {}", words.ago(at)));
        let status = words.paint(&format!("{:<7}", plain(said("/status"), 20)), tone);
        let message = plain(said("/message"), VALUE);
        out.push(format!(
            "  {:<12} {status} {message}{}",
            plain(said("/type"), 60),
            since.unwrap_or_default()
        ));
    }
}

/// A phase in its colour, for lines.
pub(crate) fn phase(object: &Value, words: &Words) -> String {
    let phase = text(object, "/status/phase");
    words.paint(phase, tone(phase))
}

#[cfg(test)]
mod tests {
    use cairn_contract::Timestamp;
    use jiff::tz::TimeZone;
    use serde_json::json;

    use super::*;
    use crate::show::Look;

    fn words() -> Words {
        Words { now: Timestamp(10_000), zone: TimeZone::UTC, look: Look::Plain }
    }

    #[test]
    fn any_resource_is_described() {
        let site = json!({"kind": "Site", "metadata": {"name": "north", "namespace": "retail.acme", "uid": "u1",
                "creationTimestamp": "1970-01-01T00:00:00Z", "labels": {"tier": "prod"}, "annotations": {}},
            "spec": {"region": "de", "timezone": "Europe/Berlin", "windows": [{"start": "0 2 * * sun", "minutes": 60}]},
            "status": {"conditions": [{"type": "Ready", "status": "True", "message": "all is \u{1b}well"}]}});
        assert_eq!(
            object(&site, &words()),
            "Site north.retail.acme\n  uid          u1\n  created      1970-01-01 00:00:00 (10 s ago)\nlabels\n  tier  prod\n\
             spec\n  region    de\n  timezone  Europe/Berlin\n  windows\n    -\n      minutes  60\n      start    0 2 * * sun\n\
             conditions\n  Ready        True    all is  well"
        );
    }
}
