//! An audit entry as a line of syslog (RFC 5424): what happened as structured data, for people in words.

use std::fmt::Write as _;

use cairn_domain::{
    audit::{AuditEntry, Outcome},
    model::rfc3339,
};

/// Facility 13, log audit (RFC 5424, 6.2.1).
const FACILITY: u8 = 13;
/// Normal but significant.
const NOTICE: u8 = 5;
const WARNING: u8 = 4;
/// 32473 is the enterprise number of examples (RFC 5612): Cairn has none of its own.
const ID: &str = "cairn@32473";
/// Bytes of a value; the whole entry is in the JSON lines.
const LONGEST: usize = 1024;

/// One line, without its end.
pub(super) fn line(entry: &AuditEntry) -> String {
    let deed = &entry.deed;
    let (severity, outcome) = match deed.outcome {
        Outcome::Done => (NOTICE, "done"),
        Outcome::Refused => (WARNING, "refused"),
    };
    let at = rfc3339(entry.at).unwrap_or_else(|| "-".to_owned());
    let mut line = format!("<{}>1 {at} - cairn - {} [{ID}", FACILITY * 8 + severity, word(&deed.verb));
    let kind = deed.kind.map(|k| k.name()).unwrap_or_default();
    let uid = deed.uid.map(|u| u.to_string()).unwrap_or_default();
    let namespace = deed.namespace.to_string();
    let seq = entry.seq.to_string();
    let values = [
        ("seq", seq.as_str()),
        ("actor", &deed.actor.name),
        ("origin", &deed.actor.origin),
        ("kind", kind),
        ("namespace", &namespace),
        ("name", &deed.name),
        ("uid", &uid),
        ("outcome", outcome),
        ("reason", &deed.reason),
        ("hash", &entry.hash),
    ];
    for (name, value) in values.into_iter().filter(|(_, value)| !value.is_empty()) {
        // Writing to a String does not fail.
        let _ = write!(line, " {name}=\"{}\"", escaped(value));
    }
    let who = if deed.actor.name.is_empty() { "somebody unknown" } else { &deed.actor.name };
    let what = [kind, &deed.name].into_iter().filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" ");
    let _ = write!(line, "] {}", plain(format!("{who}: {} {what} ({outcome})", deed.verb).as_str()));
    line
}

/// MSGID: 1 to 32 printable ASCII characters.
fn word(verb: &str) -> String {
    let word: String = verb.chars().filter(char::is_ascii_graphic).take(32).collect();
    if word.is_empty() { "-".to_owned() } else { word }
}

/// RFC 5424, 6.3.3: `"`, `\` and `]` are escaped.
fn escaped(value: &str) -> String {
    let mut out = String::new();
    for c in plain(value).chars() {
        if matches!(c, '"' | '\\' | ']') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn plain(text: &str) -> String {
    cairn_domain::fact::plain(text, LONGEST)
}

#[cfg(test)]
mod tests {
    use cairn_contract::Timestamp;
    use cairn_domain::{
        audit::{Actor, ActorKind, Deed},
        model::Kind,
    };
    use proptest::prelude::*;

    use super::*;

    fn entry(name: &str, reason: &str) -> AuditEntry {
        let actor = Actor { kind: ActorKind::User, name: "alice".into(), origin: "192.0.2.7:5".into() };
        let deed = Deed {
            actor,
            verb: "delete".into(),
            kind: Some(Kind::Host),
            uid: None,
            namespace: "retail.acme".parse().unwrap(),
            name: name.into(),
            outcome: if reason.is_empty() { Outcome::Done } else { Outcome::Refused },
            reason: reason.into(),
            before: None,
            after: None,
        };
        AuditEntry { seq: 7, at: Timestamp(0), deed, prev: String::new(), hash: "ab".into() }
    }

    #[test]
    fn an_entry_is_a_line_of_rfc_5424() {
        assert_eq!(
            line(&entry("till-7", "")),
            "<109>1 1970-01-01T00:00:00Z - cairn - delete [cairn@32473 seq=\"7\" actor=\"alice\" \
             origin=\"192.0.2.7:5\" kind=\"Host\" namespace=\"retail.acme\" name=\"till-7\" outcome=\"done\" \
             hash=\"ab\"] alice: delete Host till-7 (done)"
        );
    }

    #[test]
    fn values_cannot_end_their_place() {
        let line = line(&entry("x", "a\"]\\\nb"));
        assert!(line.starts_with("<108>1 ") && line.contains(r#"reason="a\"\]\\"#), "{line}");
        assert!(!line.contains('\n'));
    }

    proptest! {
        #[test]
        fn any_entry_is_one_line(name: String, reason: String) {
            let line = line(&entry(&name, &reason));
            prop_assert!(!line.chars().any(char::is_control));
        }
    }
}
