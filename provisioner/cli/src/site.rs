//! `cairn status`, `cairn machine ls`, `cairn console`.

use cairn_domain::fact::plain;
use serde_json::{Value, json};

use crate::{
    ClientFile, Context,
    exit::Failure,
    show::{table, words::Tone},
    target::text,
};

/// `cairn status`
pub(crate) async fn status(cx: &mut Context) -> Result<(), Failure> {
    let client = cx.client()?;
    let status: Value = client.get("/api/v1/status").await?;
    if cx.value(&status)? {
        return Ok(());
    }
    let words = cx.words();
    let number = |value: &Value, name: &str| value.get(name).and_then(Value::as_u64).unwrap_or_default();
    let millis = i64::try_from(number(&status, "uptime_s")).unwrap_or(i64::MAX).saturating_mul(1000);
    let version = plain(text(&status, "/version"), 60);
    cx.line(&format!("cairn {version} at {}, up {}", client.url(), words.duration(millis)))?;
    let counts = status.get("counts").and_then(Value::as_array).into_iter().flatten();
    let counts =
        counts.map(|c| format!("{} {}", number(c, "hosts"), words.state(&plain(text(c, "/state"), 40))));
    let counts = counts.collect::<Vec<_>>().join(", ");
    cx.line(&match number(&status, "hosts") {
        0 => "no hosts yet: cairn host register --help".to_owned(),
        1 => format!("1 host: {counts}"),
        n => format!("{n} hosts: {counts}"),
    })?;
    let machines = number(&status, "machines");
    if machines > 0 {
        cx.line(&format!("{machines} unknown machines knocked: cairn machine ls"))?;
    }
    for warning in status.get("warnings").and_then(Value::as_array).into_iter().flatten() {
        let said = plain(text(warning, "/text"), 600);
        cx.line(&format!("{} {said}", words.paint("warning:", Tone::Warn)))?;
        if !text(warning, "/next").is_empty() {
            cx.line(&format!("  {}", plain(text(warning, "/next"), 600)))?;
        }
    }
    Ok(())
}

/// `cairn machine ls`
pub(crate) async fn machines(cx: &mut Context) -> Result<(), Failure> {
    let page: Value = cx.client()?.get("/api/v1/machines?limit=500").await?;
    if cx.value(&page)? {
        return Ok(());
    }
    let items = page.get("items").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if items.is_empty() {
        return cx.line("No unknown machine has knocked.");
    }
    let words = cx.words();
    cx.line(&table::machines(items, &words))
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
    let chosen = cx.chosen()?;
    if wanted == Wanted::Token {
        return match &chosen.connection.token {
            Some(token) => cx.line(token.reveal()),
            None => Err(Failure::new("this context has no token", "Log in: cairn login URL")),
        };
    }
    let url = format!("{}/", chosen.connection.url.trim_end_matches('/'));
    if cx.value(&json!({ "url": url }))? {
        return Ok(());
    }
    cx.line(&format!("Console:  {url}"))?;
    if let Some(context) = &chosen.context {
        cx.line("Log in with your user name and password, or with your organisation's login.")?;
        return cx.line(&format!(
            "The browser warns unless it trusts this site's CA (field ca of context {context})."
        ));
    }
    let data = cx.globals.data.display().to_string();
    cx.line(&format!("Log in with the operator token: cairn --data {data} console --token"))?;
    cx.line(&format!(
        "The browser warns unless it trusts this site's CA (field \"ca\" of {data}/{}).",
        ClientFile::NAME
    ))
}
