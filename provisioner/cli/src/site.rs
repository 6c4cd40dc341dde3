//! `cairn status`, `cairn machine ls`, `cairn console`.

use cairn_domain::fact::plain;
use cairn_operator::view::{Machine, Page, Status};

use crate::{
    ClientFile, Context,
    context::Format,
    exit::Failure,
    show::{table, words::Tone},
};

/// `cairn status`
pub(crate) async fn status(cx: &mut Context) -> Result<(), Failure> {
    let client = cx.client()?;
    let status: Status = client.get("/api/v1/status").await?;
    if cx.format == Format::Json {
        return cx.json(&status);
    }
    let words = cx.words();
    let uptime = words.duration(i64::try_from(status.uptime_s).unwrap_or(i64::MAX).saturating_mul(1000));
    cx.line(&format!("cairn {} at {}, up {uptime}", status.version, client.url()))?;
    let counts = status.counts.iter().map(|c| format!("{} {}", c.hosts, words.state(&c.state)));
    let counts = counts.collect::<Vec<_>>().join(", ");
    cx.line(&match status.hosts {
        0 => "no hosts yet: cairn host register --help".to_owned(),
        1 => format!("1 host: {counts}"),
        n => format!("{n} hosts: {counts}"),
    })?;
    if status.machines > 0 {
        cx.line(&format!("{} unknown machines knocked: cairn machine ls", status.machines))?;
    }
    for warning in &status.warnings {
        cx.line(&format!("{} {}", words.paint("warning:", Tone::Warn), plain(&warning.text, 600)))?;
        if !warning.next.is_empty() {
            cx.line(&format!("  {}", plain(&warning.next, 600)))?;
        }
    }
    Ok(())
}

/// `cairn machine ls`
pub(crate) async fn machines(cx: &mut Context) -> Result<(), Failure> {
    let page: Page<Machine> = cx.client()?.get("/api/v1/machines?limit=500").await?;
    if cx.format == Format::Json {
        return cx.json(&page);
    }
    if page.items.is_empty() {
        return cx.line("No unknown machine has knocked.");
    }
    let words = cx.words();
    cx.line(&table::machines(&page.items, &words))
}

/// What `cairn console` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Where it is and how to log in.
    Way,
    /// The token alone.
    Token,
}

/// `cairn console`: needs no server.
pub(crate) fn console(cx: &mut Context, wanted: Wanted) -> Result<(), Failure> {
    let file = ClientFile::load(&cx.data)?;
    if wanted == Wanted::Token {
        return cx.line(&file.token);
    }
    let url = format!("{}/", file.url.trim_end_matches('/'));
    if cx.format == Format::Json {
        return cx.json(&serde_json::json!({ "url": url }));
    }
    let data = cx.data.display().to_string();
    cx.line(&format!("Console:  {url}"))?;
    cx.line(&format!("Log in with the operator token: cairn --data {data} console --token"))?;
    cx.line(&format!(
        "The browser warns unless it trusts this site's CA (field \"ca\" of {data}/{}).",
        ClientFile::NAME
    ))
}
