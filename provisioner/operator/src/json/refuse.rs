//! What serde refused, as a problem that names the field and the nearest known name.

use cairn_domain::{fact::plain, nearest::nearest};

use crate::problem::{Fault, Kind, Problem};

/// The problem of a value that is not what it should be.
pub(crate) fn refuse(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let inner = error.inner();
    if matches!(inner.classify(), serde_json::error::Category::Syntax | serde_json::error::Category::Eof) {
        return super::malformed(inner);
    }
    let path = error.path().to_string();
    let path = if path == "." { String::new() } else { path };
    of_message(&path, &inner.to_string())
}

/// The problem of a query that is not what it should be; the path of the value may stand before serde's words.
pub(super) fn query(cause: &str) -> Problem {
    let known = ["unknown field `", "missing field `"].iter().find_map(|words| cause.find(words));
    match known.and_then(|at| cause.get(at..)) {
        Some(words) => of_message("", words),
        None => {
            let field = cause.split_once(": ").map_or("", |(field, _)| field);
            let fault = fault(field, format!("the query does not fit: {cause}"), "Correct it.".to_owned());
            Problem::of(Kind::Invalid, vec![fault])
        }
    }
}

/// `message` is serde's, such as "unknown field `x`, expected one of `y`, `z`"; `path` is where it was.
pub(crate) fn of_message(path: &str, message: &str) -> Problem {
    let message = message.split(" at line ").next().unwrap_or_default();
    let quoted = |words: &str| message.strip_prefix(words).and_then(|rest| rest.split('`').next());
    if let Some(field) = quoted("unknown field `") {
        let text = format!("there is no field \"{}\"{}", plain(field, 80), inside(path, field));
        let next = advice(field, message, "Fields");
        return Problem::of(Kind::UnknownField, vec![fault(&join(path, field), text, next)]);
    }
    if let Some(word) = quoted("unknown variant `") {
        let text = format!("\"{}\" is not one of the values of {path}", plain(word, 80));
        return Problem::of(Kind::Invalid, vec![fault(path, text, advice(word, message, "Values"))]);
    }
    if let Some(field) = quoted("missing field `") {
        let text = format!("{} is missing", join(path, field));
        return Problem::of(Kind::Invalid, vec![fault(&join(path, field), text, "Add it.".to_owned())]);
    }
    let place = if path.is_empty() { "the body" } else { path };
    let text = format!("{place} does not fit: {message}");
    Problem::of(Kind::Invalid, vec![fault(path, text, "Correct it.".to_owned())])
}

fn fault(field: &str, message: String, next: String) -> Fault {
    Fault { field: plain(field, 200), message, next }
}

fn inside(path: &str, field: &str) -> String {
    let path = path.strip_suffix(field).map_or(path, |p| p.trim_end_matches('.'));
    if path.is_empty() { String::new() } else { format!(" in {path}") }
}

/// serde names the unknown field as the end of the path in some places, and not in others.
fn join(path: &str, field: &str) -> String {
    match path {
        "" => field.to_owned(),
        path if path == field || path.ends_with(&format!(".{field}")) => path.to_owned(),
        path => format!("{path}.{field}"),
    }
}

/// The nearest known word, else all of them.
fn advice(word: &str, message: &str, what: &str) -> String {
    let known = message.split_once("expected ").map_or("", |(_, known)| known);
    let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
    match (nearest(word, &known), known.is_empty()) {
        (Some(near), _) => format!("Did you mean {near}? {what}: {}.", known.join(", ")),
        (None, false) => format!("{what}: {}.", known.join(", ")),
        (None, true) => "It has no fields.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use cairn_domain::HostSpec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_message_becomes_a_problem(path: String, message: String) {
            prop_assert_eq!(of_message(&path, &message).status, 422);
            prop_assert_eq!(of_message(&path, &format!("unknown field `{message}")).status, 422);
            prop_assert_eq!(query(&message).status, 422);
        }

        /// A registration with bytes changed is read or refused, never a panic.
        #[test]
        fn any_body_is_read_or_refused(at in 0..SPEC.len(), byte: u8, cut in 0..SPEC.len()) {
            let mut bytes = SPEC.to_vec();
            bytes[at] = byte;
            bytes.truncate(bytes.len() - cut);
            if let Err(problem) = crate::json::parse::<HostSpec>(&bytes) {
                prop_assert!(matches!(problem.status, 400 | 422));
            }
        }
    }

    const SPEC: &[u8] = br#"{"name":"web-1","serial":"S","macs":["52:54:00:12:34:56"],"disk":{"min_size":1,"transports":["nvme"]}}"#;

    #[test]
    fn an_unknown_field_is_named_with_the_nearest_that_exists() {
        let problem = crate::json::parse::<HostSpec>(br#"{"disk":{"serail":"x"}}"#).unwrap_err();
        assert_eq!((problem.status, problem.kind.as_ref()), (422, "urn:cairn:problem:unknown-field"));
        assert_eq!(problem.field.as_deref(), Some("disk.serail"));
        assert!(problem.next.starts_with("Did you mean serial?"), "{}", problem.next);
    }

    #[test]
    fn what_is_no_json_is_malformed() {
        for body in ["", "[]", "{", "{\"name\":}", "{} {}", "\u{feff}{}", "{\"name\":\"\u{1}\"}"] {
            assert_eq!(crate::json::parse::<HostSpec>(body.as_bytes()).unwrap_err().status, 400, "{body}");
        }
        assert_eq!(
            crate::json::parse::<HostSpec>(b"{\"name\":\"a\",\"name\":\"b\"}").unwrap_err().status,
            422
        );
    }
}
