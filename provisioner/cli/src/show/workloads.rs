//! Clusters and deployments for people: a summary, their nodes and targets, and what a deployment would reach.

use cairn_domain::{fact::plain, model::Kind};
use serde_json::Value;

use super::{
    columns::{Cell, Column, column, pairs, plain as cell, selector_text, wide},
    progress, table,
    words::{Tone, Words, tone},
};
use crate::target::{full_name, text};

/// Bytes of a message.
const MESSAGE: usize = 200;

/// Columns of their lists.
pub(super) fn columns(kind: Kind) -> Vec<Column> {
    match kind {
        Kind::Distribution => vec![
            column("FAMILY", |o, _| cell(text(o, "/spec/family"))),
            column("VERSION", |o, _| cell(text(o, "/spec/version"))),
            column("FILES", |o, _| cell(&count(o, "/spec/run/artifacts"))),
            column("SIZE", |o, w| cell(&w.bytes(size(o)))),
        ],
        Kind::ClusterTemplate => vec![
            column("VERSION", |o, _| cell(text(o, "/spec/version"))),
            column("DISTRIBUTION", |o, _| cell(text(o, "/spec/distribution"))),
            column("DEFAULT", |o, _| cell(if is_true(o, "/spec/default") { "yes" } else { "" })),
            wide("CNI", |o, _| cell(text(o, "/spec/cni"))),
            wide("PODS", |o, _| cell(text(o, "/spec/podCidr"))),
            wide("SERVICES", |o, _| cell(text(o, "/spec/serviceCidr"))),
            column("DESCRIPTION", |o, _| cell(text(o, "/spec/description"))),
        ],
        Kind::Cluster => vec![
            column("TEMPLATE", |o, _| cell(&template(o))),
            column("PHASE", |o, _| phase(progress::phase(o))),
            column("NODES", |o, _| cell(&progress::share(o))),
            column("VERSION", |o, _| cell(text(o, "/status/version"))),
            wide("CONTROL PLANE", |o, _| cell(text(o, "/status/controlPlane"))),
            wide("ENDPOINT", |o, _| cell(text(o, "/status/endpoint"))),
            column("WHY", |o, _| cell(&progress::why(o))),
        ],
        Kind::Package => vec![
            column("PACKAGE", |o, _| cell(text(o, "/spec/package"))),
            column("VERSION", |o, _| cell(text(o, "/spec/version"))),
            column("HOLDS", |o, _| cell(&holds(o))),
            wide("PARAMETERS", |o, _| cell(&parameters(o))),
            column("DESCRIPTION", |o, _| cell(text(o, "/spec/description"))),
        ],
        Kind::Secret => vec![
            column("KEYS", |o, _| cell(&keys(o))),
            column("DESCRIPTION", |o, _| cell(text(o, "/spec/description"))),
        ],
        Kind::Deployment => vec![
            column("PACKAGE", |o, _| cell(text(o, "/spec/package"))),
            column("VERSION", |o, _| cell(&version(o))),
            column("PHASE", |o, _| phase(progress::phase(o))),
            column("READY", |o, _| cell(&progress::share(o))),
            wide("TO", |o, _| cell(&place(o))),
            column("WHY", |o, _| cell(&progress::why(o))),
        ],
        _ => Vec::new(),
    }
}

fn phase(word: &str) -> Cell {
    Cell { text: word.to_owned(), tone: tone(word) }
}

fn is_true(object: &Value, pointer: &str) -> bool {
    object.pointer(pointer).and_then(Value::as_bool) == Some(true)
}

fn items<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn count(object: &Value, pointer: &str) -> String {
    items(object, pointer).len().to_string()
}

fn size(object: &Value) -> u64 {
    let each = items(object, "/spec/run/artifacts").iter().filter_map(|a| a.get("size")?.as_u64());
    each.fold(0, u64::saturating_add)
}

fn template(object: &Value) -> String {
    match (text(object, "/status/madeFrom/template"), text(object, "/spec/template")) {
        ("", "") => "(default)".to_owned(),
        ("", wanted) => wanted.to_owned(),
        (used, _) => used.to_owned(),
    }
}

fn holds(package: &Value) -> String {
    let each = items(package, "/spec/applications").iter().filter_map(|a| {
        let kind = a.get("source")?.as_object()?.keys().next()?;
        Some(format!("{} ({kind})", text(a, "/name")))
    });
    each.collect::<Vec<_>>().join(", ")
}

fn parameters(package: &Value) -> String {
    let each = items(package, "/spec/parameters").iter();
    each.map(|p| text(p, "/name")).collect::<Vec<_>>().join(",")
}

fn keys(secret: &Value) -> String {
    let each = items(secret, "/status/keys").iter().filter_map(Value::as_str);
    each.collect::<Vec<_>>().join(",")
}

fn version(deployment: &Value) -> String {
    match (text(deployment, "/spec/version"), text(deployment, "/status/package/version")) {
        ("", "") => "(newest)".to_owned(),
        ("", chosen) => chosen.to_owned(),
        (wanted, _) => wanted.to_owned(),
    }
}

/// `hosts role=till`, `clusters a,b`.
fn place(deployment: &Value) -> String {
    let kind = match text(deployment, "/spec/targets/kind") {
        "host" => "hosts",
        _ => "clusters",
    };
    let selector = deployment.pointer("/spec/targets/selector").filter(|s| !s.is_null()).map(selector_text);
    let names: Vec<&str> =
        items(deployment, "/spec/targets/names").iter().filter_map(Value::as_str).collect();
    let named = Some(names.join(",")).filter(|n| !n.is_empty());
    let parts: Vec<String> = selector.into_iter().chain(named).collect();
    format!("{kind} {}", parts.join(" and "))
}

/// Head of `status`: what it is, how far, and why not further.
pub(crate) fn summary(object: &Value, words: &Words) -> String {
    let mut out = vec![line(object, words)];
    for condition in progress::troubles(object) {
        let message = plain(text(condition, "/message"), MESSAGE * 3);
        let reason = plain(text(condition, "/reason"), 60);
        out.push(format!("  {} {message}", words.paint(&format!("{reason}:"), Tone::Warn)));
    }
    out.join("\n")
}

/// One line: `shop.retail.acme  shop 1.2.0  Progressing, 3/10 targets ready`.
pub(crate) fn line(object: &Value, words: &Words) -> String {
    let name = plain(&full_name(object), 200);
    let (what, of) = if text(object, "/kind") == Kind::Cluster.name() {
        (template(object), "nodes")
    } else {
        (format!("{} {}", text(object, "/spec/package"), version(object)), "targets")
    };
    let phase = Some(progress::phase(object)).filter(|p| !p.is_empty()).unwrap_or("Waiting");
    let share = match progress::share(object) {
        none if none.is_empty() => "not looked at yet".to_owned(),
        share => format!("{share} {of} ready"),
    };
    let percent = object.pointer("/status/rollout/percent").and_then(Value::as_u64).filter(|p| *p < 100);
    let batch = percent.map(|p| format!(", {p} % may have it")).unwrap_or_default();
    format!("{name}  {}  {}, {share}{batch}", plain(&what, 120), words.paint(phase, tone(phase)))
}

/// Targets of a deployment, with the parts of those that are not ready.
pub(crate) fn targets(rows: &[Value], words: &Words) -> String {
    if rows.is_empty() {
        return "No target yet: nothing matches, or nothing was told yet. Which match: cairn deploy ... --dry-run".to_owned();
    }
    let mut lines: Vec<Vec<Cell>> = Vec::new();
    for row in rows {
        let state = text(row, "/phase");
        lines.push(vec![
            cell(text(row, "/target")),
            phase(state),
            cell(&words.age_of(text(row, "/heard"))),
            cell(&reason(row)),
        ]);
        if state == "Ready" {
            continue;
        }
        for part in items(row, "/applications").iter().filter(|p| text(p, "/phase") != "Ready") {
            lines.push(part_of(part, "  "));
            let unready = items(part, "/workloads").iter().filter(|w| text(w, "/phase") != "Ready");
            lines.extend(unready.take(8).map(workload));
        }
    }
    table::grid(words, &["TARGET", "PHASE", "HEARD", "WHY"], &lines)
}

fn part_of(part: &Value, indent: &str) -> Vec<Cell> {
    vec![
        cell(&format!("{indent}{}", text(part, "/name"))),
        phase(text(part, "/phase")),
        cell(""),
        cell(&reason(part)),
    ]
}

fn workload(row: &Value) -> Vec<Cell> {
    let name = format!("    {}/{}", text(row, "/kind").to_ascii_lowercase(), text(row, "/name"));
    let restarts = row.get("restarts").and_then(Value::as_u64).filter(|n| *n > 0);
    let restarts = restarts.map(|n| format!(" ({n} restarts)")).unwrap_or_default();
    vec![
        cell(&name),
        phase(text(row, "/phase")),
        cell(""),
        cell(&format!("{}{restarts}", text(row, "/message"))),
    ]
}

fn reason(row: &Value) -> String {
    match (text(row, "/reason"), text(row, "/message")) {
        ("" | "Ready", message) => message.to_owned(),
        (reason, "") => reason.to_owned(),
        (reason, message) => format!("{reason}: {message}"),
    }
}

/// Nodes of a cluster.
pub(crate) fn nodes(rows: &[Value], words: &Words) -> String {
    if rows.is_empty() {
        return "No node yet: no host fits, or none was told yet.".to_owned();
    }
    let row = |row: &Value| {
        let ready = match row.get("ready").and_then(Value::as_bool) {
            Some(true) => Cell { text: "yes".to_owned(), tone: Tone::Good },
            Some(false) => Cell { text: "no".to_owned(), tone: Tone::Warn },
            None => Cell { text: "-".to_owned(), tone: Tone::Faint },
        };
        vec![
            cell(text(row, "/node")),
            cell(text(row, "/role")),
            phase(text(row, "/phase")),
            ready,
            cell(text(row, "/version")),
            cell(&words.age_of(text(row, "/heard"))),
            cell(&reason(row)),
        ]
    };
    let rows: Vec<_> = rows.iter().map(row).collect();
    table::grid(words, &["NODE", "ROLE", "PHASE", "IN KUBERNETES", "VERSION", "HEARD", "WHY"], &rows)
}

/// What a host runs.
pub(crate) fn runs(rows: &[Value], words: &Words) -> String {
    let row = |row: &Value| {
        let name = format!("{}/{}", text(row, "/kind").to_ascii_lowercase(), text(row, "/name"));
        vec![
            cell(&name),
            phase(text(row, "/phase")),
            cell(&words.age_of(text(row, "/heard"))),
            cell(&reason(row)),
        ]
    };
    table::grid(words, &["WHAT", "PHASE", "HEARD", "WHY"], &rows.iter().map(row).collect::<Vec<_>>())
}

/// What `cairn deploy --dry-run` says.
pub(crate) fn preview(preview: &Value, words: &Words) -> String {
    let rows = items(preview, "/targets");
    let mut out = Vec::new();
    let n = preview.get("total").and_then(Value::as_u64).unwrap_or(rows.len() as u64);
    let package =
        format!("{} {}", plain(text(preview, "/package"), 80), plain(text(preview, "/version"), 40));
    match n {
        0 => out.push(format!("Nothing matches now: {} waits for what comes.", package.trim())),
        1 => out.push(format!("{} goes to 1 target now:", package.trim())),
        n => out.push(format!("{} goes to {n} targets now:", package.trim())),
    }
    if n > 0 {
        let row = |row: &Value| {
            let why = text(row, "/message");
            let what = if why.is_empty() {
                cell(&pairs(row.get("parameters")))
            } else {
                Cell { text: why.to_owned(), tone: Tone::Warn }
            };
            vec![cell(text(row, "/target")), cell(text(row, "/version")), what]
        };
        out.push(table::grid(
            words,
            &["TARGET", "VERSION", "PARAMETERS"],
            &rows.iter().map(row).collect::<Vec<_>>(),
        ));
    }
    out.push("Nothing was changed. To do it: the same without --dry-run".to_owned());
    out.join("\n")
}
