//! Changes single settings in the text of `cairn.toml` and leaves the rest as a person wrote it. Each caller reads the result
//! again: a text that is written in a way not foreseen here is refused, never spoilt.

use std::path::Path;

/// Sets the top-level `key` to `value` (a TOML value), or removes it.
pub(crate) fn set(text: &str, key: &str, value: Option<&str>) -> String {
    let (top, tables) = split(text);
    let line = value.map(|value| format!("{key} = {value}"));
    let is_it = |l: &str| l.trim_start().strip_prefix(key).is_some_and(|l| l.trim_start().starts_with('='));
    let kept = top.lines().filter(|l| !is_it(l)).map(str::to_owned);
    let mut lines: Vec<String> = kept.collect();
    let at = lines.iter().rposition(|l| !l.trim().is_empty()).map_or(0, |last| last.saturating_add(1));
    line.into_iter().for_each(|line| lines.insert(at, line));
    let top = lines.iter().map(|l| format!("{l}\n")).collect::<String>();
    top + tables
}

/// Removes `[table]` with all that is below it.
pub(crate) fn without(text: &str, table: &str) -> String {
    let (top, tables) = split(text);
    let mut kept = top.to_owned();
    let mut drops = false;
    for line in tables.split_inclusive('\n') {
        if line.starts_with('[') {
            let name = line.trim_start_matches('[').split([']', '.']).next().unwrap_or_default().trim();
            drops = name == table;
        }
        if !drops {
            kept.push_str(line);
        }
    }
    kept
}

/// Writes another path wherever `old` stands in quotes.
pub(crate) fn path(text: &str, old: &Path, new: &Path) -> String {
    let quoted = |path: &Path| format!("{:?}", path.display().to_string());
    let literal = format!("'{}'", old.display());
    text.replace(&quoted(old), &quoted(new)).replace(&literal, &quoted(new))
}

/// What stands before the first table, and the rest.
fn split(text: &str) -> (&str, &str) {
    let at = if text.starts_with('[') { Some(0) } else { text.find("\n[").map(|n| n.saturating_add(1)) };
    text.split_at(at.unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Ours.\nsite = \"a\"\ndatabase = \"postgres://x\" # old\n\n[listen]\ntls = 1\n[dhcp]\npool = []\n\
                        [[dhcp.reservations]]\nmac = 1\n[audit]\nroots = [\"/a b/x.pem\"]\n";

    #[test]
    fn one_setting_changes_and_the_rest_stays() {
        let set_ = set(TEXT, "database", Some("\"postgres://y\""));
        assert_eq!(set_.replace("database = \"postgres://y\"", "database = \"postgres://x\" # old"), TEXT);
        assert!(!set(TEXT, "database", None).contains("database"));
        assert_eq!(set("[a]\n", "b", Some("1")), "b = 1\n[a]\n");
        assert_eq!(set("", "b", Some("1")), "b = 1\n");
    }

    #[test]
    fn a_table_goes_with_what_is_below_it() {
        let rest = without(TEXT, "dhcp");
        assert!(!rest.contains("dhcp") && !rest.contains("mac"), "{rest}");
        assert!(rest.contains("[listen]\ntls = 1\n[audit]\n"), "{rest}");
        assert_eq!(without(TEXT, "policy"), TEXT);
    }

    #[test]
    fn a_path_is_changed_however_it_is_quoted() {
        let (old, new) = (Path::new("/a b/x.pem"), Path::new("/y"));
        assert!(path(TEXT, old, new).contains("[\"/y\"]"));
        assert!(path("roots = ['/a b/x.pem']", old, new).contains("[\"/y\"]"));
    }
}
