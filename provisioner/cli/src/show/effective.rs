//! What applies to a node and where each value comes from, for `cairn explain`.

use cairn_domain::fact::plain;
use serde_json::Value;

use super::{
    describe::bare,
    words::{Tone, Words},
};
use crate::target::text;

/// Bytes of one value.
const VALUE: usize = 600;
/// Columns that values are given before their source moves to the right.
const WIDEST: usize = 44;

/// One value with its source, and those that it hides.
struct Line {
    key: String,
    value: String,
    source: String,
    hidden: Vec<String>,
}

/// How an item of a section is read.
type Read = fn(&Value) -> Line;

const SECTIONS: [(&str, Read); 3] = [("labels", inherited), ("settings", inherited), ("policies", resolved)];

/// The answer of `GET /{plural}/{key}/effective`.
pub(crate) fn effective(answer: &Value, words: &Words) -> String {
    let mut out = Vec::new();
    for (head, read) in SECTIONS {
        let Some(items) = answer.get(head).and_then(Value::as_array) else { continue };
        out.push(words.paint(head, Tone::Good));
        if items.is_empty() {
            out.push("  none".to_owned());
        }
        section(&items.iter().map(read).collect::<Vec<_>>(), words, &mut out);
    }
    out.join("\n")
}

fn section(lines: &[Line], words: &Words, out: &mut Vec<String>) {
    let widest = |part: fn(&Line) -> &String| lines.iter().map(|l| part(l).chars().count()).max();
    let keys = widest(|l| &l.key).unwrap_or_default().min(WIDEST);
    let values = widest(|l| &l.value).unwrap_or_default().min(WIDEST);
    for line in lines {
        let source = words.paint(&format!("from {}", line.source), Tone::Faint);
        out.push(format!("  {:<keys$}  {:<values$}  {source}", line.key, line.value));
        for hidden in &line.hidden {
            out.push(words.paint(&format!("  {:<keys$}  {:<values$}  over {hidden}", "", ""), Tone::Faint));
        }
    }
}

/// A label or setting.
fn inherited(item: &Value) -> Line {
    Line {
        key: plain(text(item, "/key"), 200),
        value: plain(text(item, "/value"), VALUE),
        source: node(item.get("source")),
        hidden: each(item, "hides").map(|source| node(Some(source))).collect(),
    }
}

/// A field of policies.
fn resolved(item: &Value) -> Line {
    Line {
        key: plain(text(item, "/field"), 200),
        value: value(item.get("value").unwrap_or(&Value::Null)),
        source: origin(item.get("origin").unwrap_or(&Value::Null)),
        hidden: each(item, "overrides").map(origin).collect(),
    }
}

fn each<'a>(item: &'a Value, member: &str) -> impl Iterator<Item = &'a Value> {
    item.get(member).and_then(Value::as_array).into_iter().flatten()
}

fn value(value: &Value) -> String {
    let shown = match value {
        Value::Array(items) => items.iter().map(bare).collect::<Vec<_>>().join(", "),
        Value::Null => String::new(),
        single => bare(single),
    };
    if shown.is_empty() { "-".to_owned() } else { plain(&shown, VALUE) }
}

/// `region/dach.retail.acme`
fn node(source: Option<&Value>) -> String {
    let source = source.unwrap_or(&Value::Null);
    plain(&format!("{}/{}", text(source, "/kind").to_ascii_lowercase(), text(source, "/name")), 300)
}

/// `policy/strict.acme at organisation/acme, enforced`
fn origin(origin: &Value) -> String {
    let Some(policy) = origin.get("policy").filter(|p| p.is_object()) else {
        return "the appliance's defaults".to_owned();
    };
    let mut out = node(Some(policy));
    match origin.get("at").filter(|at| at.is_object()) {
        Some(at) if at != policy => out += &format!(" at {}", node(Some(at))),
        Some(_) => {}
        None => out += " at the appliance",
    }
    for (member, word) in [("bySelector", ", by selector"), ("enforced", ", enforced")] {
        if origin.get(member).and_then(Value::as_bool) == Some(true) {
            out += word;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use cairn_contract::Timestamp;
    use jiff::tz::TimeZone;
    use serde_json::json;

    use super::*;
    use crate::show::Look;

    #[test]
    fn effective_values_say_where_they_come_from() {
        let words = Words { now: Timestamp(0), zone: TimeZone::UTC, look: Look::Plain };
        let host = json!({"kind": "Host", "name": "till-7.retail.acme"});
        let answer = json!({
            "labels": [{"key": "tier", "value": "prod", "source": {"kind": "Region", "name": "de.retail.acme"},
                "hides": [{"kind": "Organisation", "name": "acme"}]}],
            "settings": [],
            "policies": [
                {"field": "attestation.mode", "value": "enforce",
                    "origin": {"policy": {"kind": "Policy", "name": "strict.acme"}, "at": {"kind": "Organisation", "name": "acme"},
                        "bySelector": true, "enforced": true},
                    "overrides": [{"policy": {"kind": "Policy", "name": "lax.retail.acme"}, "bySelector": false, "enforced": false}]},
                {"field": "image.name", "value": "tiny", "origin": {"policy": host, "at": host, "bySelector": false, "enforced": false}},
                {"field": "maintenance.windows", "value": [], "origin": {"bySelector": false, "enforced": false}}]});
        assert_eq!(
            effective(&answer, &words),
            "labels\n  tier  prod  from region/de.retail.acme\n              over organisation/acme\nsettings\n  none\npolicies\n  \
             attestation.mode     enforce  from policy/strict.acme at organisation/acme, by selector, enforced\n  \
             \x20                             over policy/lax.retail.acme at the appliance\n  \
             image.name           tiny     from host/till-7.retail.acme\n  \
             maintenance.windows  -        from the appliance's defaults"
        );
        assert_eq!(
            effective(&json!({"labels": [], "settings": []}), &words),
            "labels\n  none\nsettings\n  none"
        );
    }
}
