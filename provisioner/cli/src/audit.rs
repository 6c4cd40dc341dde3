//! `cairn audit ...`.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

use http_body_util::BodyExt as _;
use serde_json::Value;

use crate::{
    CallError, Context,
    args::AuditCommand,
    exit::Failure,
    show::{
        table::{self, cell},
        words::{Tone, Words},
    },
    target::{self, text, with_query},
};

/// `cairn audit ...`
pub(crate) async fn run(cx: &mut Context, command: &AuditCommand) -> Result<(), Failure> {
    match command {
        AuditCommand::Ls { .. } => list(cx, command).await,
        AuditCommand::Verify => verify(cx).await,
        AuditCommand::Export { file } => export(cx, file.as_deref()).await,
    }
}

async fn list(cx: &mut Context, command: &AuditCommand) -> Result<(), Failure> {
    let AuditCommand::Ls { actor, kind, verb, limit, after } = command else { return Ok(()) };
    let kind = kind.as_deref().map(target::kind).transpose()?;
    let (limit, after) = (limit.to_string(), after.map(|n| n.to_string()));
    let path = with_query(
        "/api/v1/audit",
        &[
            ("limit", Some(limit.as_str())),
            ("after", after.as_deref()),
            ("actor", actor.as_deref()),
            ("kind", kind.map(|k| k.name())),
            ("verb", verb.as_deref()),
        ],
    );
    let page: Value = cx.client()?.get(&path).await?;
    if cx.value(&page)? {
        return Ok(());
    }
    let items = page.get("items").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if items.is_empty() {
        return cx.line("Nothing of that kind is in the audit log.");
    }
    let words = cx.words();
    let rows: Vec<_> = items.iter().map(|item| row(item, &words)).collect();
    cx.line(&table::grid(&words, &["NUMBER", "TIME", "WHO", "FROM", "VERB", "WHAT", "OUTCOME"], &rows))
}

fn row(item: &Value, words: &Words) -> Vec<crate::show::columns::Cell> {
    let first = |names: &[&str]| {
        let found = names.iter().filter_map(|n| item.pointer(n)).find(|v| !v.is_null());
        found.map_or_else(String::new, |v| v.as_str().map_or_else(|| v.to_string(), str::to_owned))
    };
    let at = words.when(item.get("at").or(item.get("time"))).map_or_else(String::new, |at| words.stamp(at));
    let what = [text(item, "/kind").to_ascii_lowercase(), first(&["/name", "/object/name", "/target"])];
    let what: Vec<&str> = what.iter().map(String::as_str).filter(|w| !w.is_empty()).collect();
    let outcome = first(&["/outcome", "/result"]);
    let tone = match outcome.as_str() {
        "refused" | "denied" | "failed" => Tone::Bad,
        _ => Tone::Plain,
    };
    vec![
        cell(first(&["/seq", "/number"])),
        cell(at),
        cell(first(&["/actor/name", "/actor", "/who"])),
        cell(first(&["/from", "/actor/from", "/address"])),
        cell(first(&["/verb"])),
        cell(what.join("/")),
        crate::show::columns::Cell { text: outcome, tone },
    ]
}

async fn verify(cx: &mut Context) -> Result<(), Failure> {
    let answer: Value = cx.client()?.get("/api/v1/audit/verify").await?;
    let whole =
        ["whole", "ok", "valid", "intact"].iter().find_map(|n| answer.get(*n)?.as_bool()) == Some(true);
    let first = |names: &[&str]| {
        names.iter().find_map(|n| answer.get(*n)).filter(|v| !v.is_null()).map(Value::to_string)
    };
    if !cx.value(&answer)? && whole {
        let lines = first(&["rows", "lines", "checked", "count"]).unwrap_or_default();
        cx.line(&format!("The audit log is whole: {lines} lines, each chained to the one before."))?;
    }
    if whole {
        return Ok(());
    }
    let place =
        first(&["broken", "brokenAt", "at", "seq"]).map(|n| format!(" at line {n}")).unwrap_or_default();
    let why = cairn_domain::fact::plain(text(&answer, "/detail"), 300);
    Err(Failure::new(
        format!("the audit log was tampered with{place} {why}").trim_end(),
        "Keep the database as it is, and compare it with an export or backup.",
    ))
}

async fn export(cx: &mut Context, path: Option<&Path>) -> Result<(), Failure> {
    let mut open = cx.client()?.open("/api/v1/audit/export").await?;
    let part = path.map(|p| p.with_extension("part"));
    let unwritten = |e: io::Error| {
        Failure::new(format!("cannot write the export: {e}"), "Check the folder and its free space.")
    };
    let mut file = part.as_ref().map(fs::File::create).transpose().map_err(unwritten)?;
    while let Some(frame) = open.response.body_mut().frame().await {
        let frame = frame.map_err(|e| CallError::Broken(e.into()))?;
        let bytes = frame.data_ref().map_or(&[][..], |d| d);
        match &mut file {
            Some(file) => file.write_all(bytes).map_err(unwritten)?,
            None => cx.raw(bytes)?,
        }
    }
    let (Some(file), Some(part), Some(path)) = (file, part, path) else { return Ok(()) };
    file.sync_all().and_then(|()| fs::rename(&part, path)).map_err(unwritten)?;
    cx.say(&format!("Written to {}.", path.display()));
    Ok(())
}
