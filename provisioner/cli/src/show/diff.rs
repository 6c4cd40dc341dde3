//! What `apply` did or would do, in lines.

use cairn_domain::fact::plain;
use serde_json::Value;

use super::words::{Tone, Words};
use crate::{Problem, target};

/// Bytes of one value.
const VALUE: usize = 400;
/// Columns of a line with names.
const COLUMNS: usize = 100;

/// One item of an apply: what became of it, its changes, the hosts it touches.
pub(crate) fn item(item: &Value, name: &str, suffix: &str, words: &Words) -> String {
    let action = target::text(item, "/action");
    let tone = match action {
        "created" => Tone::Good,
        "configured" => Tone::Busy,
        "failed" => Tone::Bad,
        _ => Tone::Faint,
    };
    let mut out = format!("{} {}{suffix}", plain(name, 300), words.paint(action, tone));
    if let Some(problem) = item.get("problem").filter(|p| !p.is_null()).and_then(Problem::of) {
        for line in problem.text().lines() {
            out += &format!("\n  {}", plain(line.trim_start(), 600));
        }
        if !problem.next.is_empty() {
            out += &format!("\n  {} {}", words.paint("try:", Tone::Busy), plain(&problem.next, 600));
        }
    }
    out
}

/// The changed fields, one on each line: `spec.site: north -> south`.
pub(crate) fn changes(item: &Value, words: &Words) -> Vec<String> {
    let each = item.get("diff").and_then(Value::as_array).into_iter().flatten();
    each.map(|change| line(change, words)).collect()
}

fn line(change: &Value, words: &Words) -> String {
    let path = plain(target::text(change, "/path"), 200);
    match (there(change, "before"), there(change, "after")) {
        (None, Some(after)) => words.paint(&format!("  + {path}: {after}"), Tone::Good),
        (Some(before), None) => words.paint(&format!("  - {path}: {before}"), Tone::Bad),
        (Some(before), Some(after)) => format!(
            "  {} {path}: {} {} {}",
            words.paint("~", Tone::Busy),
            words.paint(&before, Tone::Bad),
            words.paint("->", Tone::Faint),
            words.paint(&after, Tone::Good)
        ),
        (None, None) => format!("  ~ {path}"),
    }
}

fn there(change: &Value, name: &str) -> Option<String> {
    let value = change.get(name).filter(|v| !v.is_null())?;
    Some(plain(&value.as_str().map_or_else(|| value.to_string(), str::to_owned), VALUE))
}

/// Which hosts feel it, and how.
pub(crate) fn affected(item: &Value) -> Vec<String> {
    let Some(affected) = item.get("affected").filter(|a| !a.is_null()) else { return Vec::new() };
    let hosts = affected.get("hosts").and_then(Value::as_u64).unwrap_or_default();
    let mut out = vec![match hosts {
        0 => "  touches no host".to_owned(),
        1 => "  touches 1 host".to_owned(),
        n => format!("  touches {n} hosts"),
    }];
    let sample = affected.get("sample").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for (changes, names) in alike(sample) {
        out.extend(wrapped(&names));
        out.extend(changes.iter().map(|change| format!("      {change}")));
    }
    let shown = sample.len() as u64;
    if hosts > shown && shown > 0 {
        out.push(format!("    and {} more", hosts - shown));
    }
    out
}

/// Hosts that feel the same, together; in the order of the first of each.
fn alike(sample: &[Value]) -> Vec<(Vec<String>, Vec<String>)> {
    let mut groups: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    for host in sample {
        let changes = host.get("changes").and_then(Value::as_array).into_iter().flatten();
        let changes: Vec<String> = changes.map(change).collect();
        let name = plain(target::text(host, "/name"), 200);
        match groups.iter_mut().find(|(known, _)| *known == changes) {
            Some((_, names)) => names.push(name),
            None => groups.push((changes, vec![name])),
        }
    }
    groups
}

/// Names on lines that fit a terminal.
fn wrapped(names: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let name = if at + 1 < names.len() { format!("{name},") } else { name.clone() };
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + name.chars().count() <= COLUMNS => {
                *line += &format!(" {name}")
            }
            _ => lines.push(format!("    {name}")),
        }
    }
    lines
}

/// `policies.boot.network: allow -> deny`
fn change(change: &Value) -> String {
    let side = |name: &str| there(change, name).unwrap_or_else(|| "nothing".to_owned());
    format!("{}: {} -> {}", plain(target::text(change, "/path"), 200), side("before"), side("after"))
}

#[cfg(test)]
mod tests {
    use cairn_contract::Timestamp;
    use jiff::tz::TimeZone;
    use serde_json::json;

    use super::*;
    use crate::show::Look;

    #[test]
    fn a_dry_run_says_what_and_whom_it_would_touch() {
        let words = Words { now: Timestamp(0), zone: TimeZone::UTC, look: Look::Plain };
        let value = json!({"action": "configured", "diff": [
                {"path": "spec.site", "before": "north", "after": "south"},
                {"path": "metadata.labels.role", "before": null, "after": "pos"},
                {"path": "spec.image", "before": "old"}],
            "affected": {"hosts": 12, "sample": [
                {"name": "a", "changes": [{"path": "policies.boot.network", "before": "allow", "after": "deny"}]},
                {"name": "b", "changes": [{"path": "labels.x", "after": "1"}]},
                {"name": "c", "changes": [{"path": "policies.boot.network", "before": "allow", "after": "deny"}]}]}});
        assert_eq!(item(&value, "policy/x", " (dry run)", &words), "policy/x configured (dry run)");
        assert_eq!(
            changes(&value, &words),
            ["  ~ spec.site: north -> south", "  + metadata.labels.role: pos", "  - spec.image: old"]
        );
        assert_eq!(
            affected(&value),
            [
                "  touches 12 hosts",
                "    a, c",
                "      policies.boot.network: allow -> deny",
                "    b",
                "      labels.x: nothing -> 1",
                "    and 9 more"
            ]
        );
        let names: Vec<String> = (10..30).map(|n| format!("till-{n}")).collect();
        let lines = wrapped(&names);
        assert!(lines.len() == 2 && lines.iter().all(|line| line.len() <= COLUMNS), "{lines:?}");
        assert_eq!(lines.join("").matches("till-").count(), 20);
        let failed = json!({"action": "failed", "problem": {"detail": "No.", "next": "Ask.", "status": 422}});
        assert_eq!(item(&failed, "x", "", &words), "x failed\n  No.\n  try: Ask.");
    }
}
