//! `cairn audit ...`.

use std::{
    collections::VecDeque,
    fs,
    io::{self, Write as _},
    path::Path,
};

use cairn_contract::Timestamp;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use crate::{
    CallError, Context,
    args::AuditCommand,
    client::Client,
    exit::Failure,
    show::{
        columns::Cell,
        table::{self, cell},
        words::{Tone, Words},
    },
    target::{self, text, with_query},
};

/// Lines of one page.
const PAGE: &str = "500";

/// `cairn audit ...`
pub(crate) async fn run(cx: &mut Context, command: &AuditCommand) -> Result<(), Failure> {
    match command {
        AuditCommand::Ls { .. } => list(cx, command).await,
        AuditCommand::Verify => verify(cx).await,
        AuditCommand::Export { file } => export(cx, file.as_deref()).await,
    }
}

async fn list(cx: &mut Context, command: &AuditCommand) -> Result<(), Failure> {
    let AuditCommand::Ls { actor, kind, verb, limit, since } = command else { return Ok(()) };
    let kind = kind.as_deref().map(target::kind).transpose()?;
    let since = Timestamp((cx.now)().0.saturating_sub(since.saturating_mul(1000)));
    let session = cx.session()?;
    let path = with_query(
        "/api/v1/audit",
        &[
            ("limit", Some(PAGE)),
            ("actor", actor.as_deref()),
            ("kind", kind.map(|k| k.name())),
            ("verb", verb.as_deref()),
            ("namespace", cx.globals.namespace.as_deref()),
            ("since", cairn_domain::model::rfc3339(since).as_deref()),
        ],
    );
    let items = last(&session.client, &path, *limit).await?;
    if cx.value(&json!({ "items": items }))? {
        return Ok(());
    }
    if items.is_empty() {
        return cx.line("Nothing of that kind is in the audit log. Further back: --since 90d");
    }
    let words = cx.words();
    let rows: Vec<_> = items.iter().map(|item| row(item, &words)).collect();
    cx.line(&table::grid(&words, &["NUMBER", "TIME", "WHO", "FROM", "VERB", "WHAT", "OUTCOME"], &rows))
}

/// The last lines: the server tells the oldest first.
async fn last(client: &Client, path: &str, limit: usize) -> Result<Vec<Value>, Failure> {
    let mut items = VecDeque::new();
    let mut after: Option<String> = None;
    loop {
        let page: Value = client.get(&with_query(path, &[("after", after.as_deref())])).await?;
        for item in page.get("items").and_then(Value::as_array).into_iter().flatten() {
            items.push_back(item.clone());
            if items.len() > limit {
                items.pop_front();
            }
        }
        match page.get("next").and_then(Value::as_i64).map(|n| n.to_string()) {
            Some(next) if after.as_ref() != Some(&next) => after = Some(next),
            _ => return Ok(items.into()),
        }
    }
}

fn row(item: &Value, words: &Words) -> Vec<Cell> {
    let at = words.when(item.get("at")).map_or_else(String::new, |at| words.stamp(at));
    let kind = text(item, "/kind").to_ascii_lowercase();
    let name = match (text(item, "/name"), text(item, "/namespace")) {
        (name, "") => name.to_owned(),
        (name, namespace) => format!("{name}.{namespace}"),
    };
    let what: Vec<&str> = [kind.as_str(), name.as_str()].into_iter().filter(|w| !w.is_empty()).collect();
    let (outcome, tone) = match (text(item, "/outcome"), text(item, "/reason")) {
        ("refused", "") => ("refused".to_owned(), Tone::Bad),
        ("refused", reason) => (format!("refused: {reason}"), Tone::Bad),
        (outcome, _) => (outcome.to_owned(), Tone::Plain),
    };
    vec![
        cell(item.get("seq").and_then(Value::as_i64).map_or_else(String::new, |n| n.to_string())),
        cell(at),
        cell(text(item, "/actor/name")),
        cell(text(item, "/actor/origin")),
        cell(text(item, "/verb")),
        cell(what.join("/")),
        Cell { text: outcome, tone },
    ]
}

async fn verify(cx: &mut Context) -> Result<(), Failure> {
    let answer: Value = cx.client()?.get("/api/v1/audit/verify").await?;
    let whole = answer.get("ok").and_then(Value::as_bool) == Some(true);
    let number = |pointer: &str| answer.pointer(pointer).and_then(Value::as_i64).unwrap_or_default();
    if !cx.value(&answer)? && whole {
        let entries = number("/entries");
        cx.line(&format!("The audit log is whole: {entries} entries, each vouching for the one before."))?;
        cx.line(&format!("Last hash: {}", cairn_domain::fact::plain(text(&answer, "/hash"), 80)))?;
    }
    if whole {
        return Ok(());
    }
    let why = cairn_domain::fact::plain(text(&answer, "/broken/why"), 300);
    Err(Failure::new(
        format!("the audit log does not hold from entry {} on: {why}", number("/broken/seq")),
        "Keep the database as it is, and compare it with an export or a backup.",
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
