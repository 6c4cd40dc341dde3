//! Expected lines with `<name>` for what varies, `...` for any text and `...` alone for any lines.
//!
//! Some names stand for a form (`<age>`, `<time>`); every other is bound to the first word that it meets and stands for that
//! word from then on, in commands as well.

use std::collections::BTreeMap;

use regex::{Captures, Regex};

/// Names that stand for a form, not for one value.
const FORMS: [(&str, &str); 6] = [
    ("age", r"[0-9]+(?:ms|s|m|h|d)(?:[0-9]+(?:ms|s|m|h))?"),
    ("time", r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]{5,}(?:Z|[+-][0-9:]+)?"),
    ("uid", r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    ("number", r"[0-9]+(?:\.[0-9]+)?"),
    ("hex", r"[0-9a-f]{16,}"),
    ("any", r"\S+"),
];
/// Any lines, or within a line any text.
pub(crate) const ANY: &str = "...";

/// What names are bound to.
pub(crate) type Names = BTreeMap<String, String>;

/// Whether `actual` is what `expected` describes; binds names when it is.
pub(crate) fn matches(expected: &[String], actual: &[&str], names: &mut Names) -> bool {
    let found = rest(expected, actual, names.clone());
    found.map(|bound| *names = bound).is_some()
}

fn rest(expected: &[String], actual: &[&str], names: Names) -> Option<Names> {
    match (expected.split_first(), actual.split_first()) {
        (None, None) => Some(names),
        (Some((first, after)), _) if first == ANY => {
            (0..=actual.len()).find_map(|skip| rest(after, actual.get(skip..)?, names.clone()))
        }
        (Some((first, after)), Some((line, others))) => {
            rest(after, others, line_matches(first, line, &names)?)
        }
        (None, Some(_)) | (Some(_), None) => None,
    }
}

/// The names after `line` was found to be what `pattern` describes.
pub(crate) fn line_matches(pattern: &str, line: &str, names: &Names) -> Option<Names> {
    let (pattern, line) = (pattern.trim_end(), line.trim_end());
    if pattern == line {
        return Some(names.clone());
    }
    let (regex, unbound) = compile(pattern, names)?;
    let captures = regex.captures(line)?;
    let mut bound = names.clone();
    for (index, name) in unbound.into_iter().enumerate() {
        let value = captures.get(index + 1)?.as_str();
        // The same new name twice in a line must be the same word twice.
        if bound.get(&name).is_some_and(|before| before != value) {
            return None;
        }
        bound.insert(name, value.to_owned());
    }
    Some(bound)
}

/// The pattern as an expression, and the names of its groups; `None` when nothing in it varies.
fn compile(pattern: &str, names: &Names) -> Option<(Regex, Vec<String>)> {
    let parts = parts();
    let mut text = String::from("^");
    let mut unbound = Vec::new();
    let mut end = 0;
    for part in parts.find_iter(pattern) {
        text.push_str(&literal(pattern.get(end..part.start())?));
        text.push_str(&variable(part.as_str(), names, &mut unbound));
        end = part.end();
    }
    if end == 0 {
        return None;
    }
    text.push_str(&literal(pattern.get(end..)?));
    text.push('$');
    Some((Regex::new(&text).ok()?, unbound))
}

fn parts() -> Regex {
    Regex::new(r"<[a-z][a-z0-9-]*>|\.\.\.").expect("a valid expression")
}

/// Columns move with what varies: any number of spaces is as good as another, but none is not.
fn literal(text: &str) -> String {
    let mut out = String::new();
    for (index, word) in text.split(' ').enumerate() {
        if index > 0 && !out.ends_with(" +") {
            out.push_str(" +");
        }
        out.push_str(&regex::escape(word));
    }
    out
}

fn variable(part: &str, names: &Names, unbound: &mut Vec<String>) -> String {
    let name = part.trim_matches(['<', '>']);
    if part == ANY {
        return ".*".to_owned();
    }
    if let Some((_, form)) = FORMS.iter().find(|(form, _)| *form == name) {
        return (*form).to_owned();
    }
    match names.get(name) {
        Some(value) => regex::escape(value),
        None => {
            unbound.push(name.to_owned());
            r"(\S+)".to_owned()
        }
    }
}

/// A command or file with the values of bound names in the places of their names.
pub(crate) fn filled(text: &str, names: &Names) -> String {
    let name = |c: &Captures<'_>| c.get(0).map_or("", |m| m.as_str()).trim_matches(['<', '>']).to_owned();
    let value = |c: &Captures<'_>| match names.get(&name(c)) {
        Some(value) => value.clone(),
        None => c.get(0).map_or("", |m| m.as_str()).to_owned(),
    };
    parts().replace_all(text, value).into_owned()
}

/// A line that was printed, with names in the places of what will differ the next time.
pub(crate) fn generalised(line: &str, names: &Names) -> String {
    let mut line = line.trim_end().to_owned();
    let mut by_length: Vec<_> = names.iter().filter(|(_, value)| value.len() > 3).collect();
    by_length.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
    for (name, value) in by_length {
        line = named(&line, &regex::escape(value), name);
    }
    // What could be read as a part of another comes after it.
    for wanted in ["uid", "time", "hex", "age"] {
        let form = FORMS.iter().find(|(name, _)| *name == wanted).map_or("", |(_, form)| form);
        line = named(&line, &format!(r"\b{form}\b"), wanted);
    }
    line
}

/// The line with a name for each text of that form; columns to the right stay where they are as far as there is room.
fn named(line: &str, form: &str, name: &str) -> String {
    let whole = Regex::new(&format!("({form})( *)")).expect("forms and escaped texts are valid expressions");
    let name = format!("<{name}>");
    let replaced = |captures: &Captures<'_>| {
        let [_, found, spaces] = [0, 1, 2].map(|n| captures.get(n).map_or("", |m| m.as_str()));
        // One space separates words, more separate columns.
        let width = match spaces.len() {
            few @ 0..=1 => few,
            many => (found.len() + many).saturating_sub(name.len()).max(2),
        };
        format!("{name}{}", " ".repeat(width))
    };
    whole.replace_all(line, replaced).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(expected: &str, actual: &str, same: bool) -> Names {
        let mut names = Names::from([("port".to_owned(), "8443".to_owned())]);
        let expected: Vec<String> = expected.lines().map(str::to_owned).collect();
        let actual: Vec<&str> = actual.lines().collect();
        assert_eq!(matches(&expected, &actual, &mut names), same, "{expected:?} {actual:?}");
        names
    }

    #[test]
    fn plain_lines_must_be_the_same() {
        check("a  b\nc", "a  b\nc", true);
        check("a  b", "a b", false);
        check("a", "a\nb", false);
        check("a\nb", "a", false);
    }

    #[test]
    fn forms_vary_and_columns_move_with_them() {
        check("NAME  AGE\nx     <age>  y", "NAME  AGE\nx     12m  y", true);
        check("x <age>", "x soon", false);
        check("<uid> <time>", "00000000-0000-0000-0000-000000000001 2026-11-22T16:00:00.123Z", true);
        check("at <number> ms", "at 1.5 ms", true);
        check("a<age>", "a 1s", false);
    }

    #[test]
    fn a_name_stands_for_the_first_word_that_it_met() {
        let names = check("code <code>\nagain <code>", "code X1\nagain X1", true);
        assert_eq!(filled("login <port> --code <code> <none>", &names), "login 8443 --code X1 <none>");
        check("code <code>\nagain <code>", "code X1\nagain X2", false);
        check("<pair> <pair>", "a b", false);
        check("<none>", "<none>", true);
    }

    #[test]
    fn three_dots_are_any_lines_or_any_text() {
        check("a\n...\nz", "a\nb\nc\nz", true);
        check("a\n...", "a", true);
        check("a ... z", "a bcd z", true);
        check("...\nz", "a\nb", false);
    }

    #[test]
    fn what_will_differ_is_named() {
        let names =
            Names::from([("code".to_owned(), "ABCD-EFGH".to_owned()), ("one".to_owned(), "1".to_owned())]);
        let line = "ABCD-EFGH 1 4s 0190b5a3-0000-7000-8000-000000000001 2026-11-22T16:00:00Z  ";
        assert_eq!(generalised(line, &names), "<code> 1 <age> <uid> <time>");
        assert_eq!(generalised("x  4s       y", &names), "x  <age>    y");
    }
}
