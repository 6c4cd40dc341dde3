//! `cairn host ...`.

use std::time::Duration;

use cairn_domain::timeline::{Entry, phases};
use cairn_operator::view::{Action, HostDetail, HostRow, Page};
use serde::de::DeserializeOwned;

use crate::{
    CallError, Client, Context,
    args::Register,
    context::Format,
    exit::Failure,
    show::{entry::Printer, facts, table},
};

/// Between two tries to open a stream that broke.
const AGAIN: Duration = Duration::from_secs(2);

/// `cairn host register`
pub(crate) async fn register(cx: &mut Context, register: Register) -> Result<(), Failure> {
    let host: HostDetail = cx.client()?.post("/api/v1/hosts", Some(&register.spec())).await?;
    if cx.format == Format::Json {
        return cx.json(&host);
    }
    let name = &host.row.name;
    cx.line(&format!("Registered {name}. Switch it on and let it boot from the network."))?;
    cx.line(&format!("Watch it: cairn host timeline {name} --follow"))
}

/// `cairn host ls`
pub(crate) async fn list(cx: &mut Context, state: Option<&str>) -> Result<(), Failure> {
    let mut rows: Vec<HostRow> = all(&cx.client()?, "/api/v1/hosts").await?;
    if let Some(state) = state {
        rows.retain(|row| row.state == state);
    }
    if cx.format == Format::Json {
        return cx.json(&Page { items: rows, next: None });
    }
    if rows.is_empty() {
        return cx.line(match state {
            Some(_) => "No host is in that state.",
            None => "No hosts yet. Register one: cairn host register NAME --serial SERIAL",
        });
    }
    let words = cx.words();
    cx.line(&table::hosts(&rows, &words))
}

/// `cairn host show`
pub(crate) async fn show(cx: &mut Context, name: &str) -> Result<(), Failure> {
    let client = cx.client()?;
    let host: HostDetail = client.get(&path(name)).await?;
    if cx.format == Format::Json {
        return cx.json(&host);
    }
    let entries: Vec<Entry> = all(&client, &format!("{}/timeline", path(name))).await?;
    let words = cx.words();
    cx.line(&facts::host(&host, &words))?;
    let phases = phases(&entries);
    if phases.is_empty() { Ok(()) } else { cx.line(&facts::phases(&phases, &words)) }
}

/// `cairn host timeline`
pub(crate) async fn timeline(cx: &mut Context, name: &str) -> Result<(), Failure> {
    let entries: Vec<Entry> = all(&cx.client()?, &format!("{}/timeline", path(name))).await?;
    if cx.format == Format::Json {
        return cx.json(&Page { items: entries, next: None });
    }
    if entries.is_empty() {
        return cx.line("Nothing happened yet.");
    }
    let (words, mut printer) = (cx.words(), Printer::default());
    entries.iter().try_for_each(|entry| cx.line(&printer.print(entry, &words)))
}

/// `cairn host timeline --follow`: ends with Ctrl-C or with the host.
pub(crate) async fn follow(cx: &mut Context, name: &str) -> Result<(), Failure> {
    tokio::select! {
        _ = tokio::signal::ctrl_c() => Ok(()),
        ended = follow_on(cx, name) => ended,
    }
}

async fn follow_on(cx: &mut Context, name: &str) -> Result<(), Failure> {
    let client = cx.client()?;
    let mut printer = Printer::default();
    let (mut after, mut lost) = (0, Lost::No);
    loop {
        match client.events(&format!("{}/watch", path(name)), after).await {
            Ok(mut events) => {
                if std::mem::replace(&mut lost, Lost::No) == Lost::Yes {
                    cx.say("The server is back.");
                }
                while let Some(event) = events.next().await? {
                    match event.name.as_str() {
                        "entry" => after = print(cx, &mut printer, &event.data)?,
                        "gone" => {
                            cx.say("The host was removed.");
                            return Ok(());
                        }
                        _ => {}
                    }
                }
            }
            // The first try tells what is wrong; later ones wait for the server to come back.
            Err(CallError::Unreachable { .. } | CallError::Broken(_)) if after > 0 => {
                if std::mem::replace(&mut lost, Lost::Yes) == Lost::No {
                    cx.say("The server does not answer; waiting for it.");
                }
                tokio::time::sleep(AGAIN).await;
            }
            Err(e) => return Err(e.into()),
        }
    }
}

#[derive(PartialEq, Eq)]
enum Lost {
    Yes,
    No,
}

fn print(cx: &mut Context, printer: &mut Printer, data: &str) -> Result<i64, Failure> {
    let entry: Entry = serde_json::from_str(data).map_err(CallError::Content)?;
    let words = cx.words();
    match cx.format {
        Format::Json => cx.json_line(&entry)?,
        Format::Text => cx.line(&printer.print(&entry, &words))?,
    }
    Ok(entry.seq)
}

/// `cairn host accept`
pub(crate) async fn accept(cx: &mut Context, name: &str, rename: Option<String>) -> Result<(), Failure> {
    let body = rename.map(|name| serde_json::json!({ "name": name }));
    let host: HostDetail = cx.client()?.post(&format!("{}/accept", path(name)), body.as_ref()).await?;
    done(cx, &host, "Accepted")
}

/// `cairn host retry` and `cairn host reinstall`
pub(crate) async fn order(cx: &mut Context, name: &str, order: &str) -> Result<(), Failure> {
    let path = format!("{}/{order}", path(name));
    let host: HostDetail = cx.client()?.post(&path, None::<&()>).await?;
    done(cx, &host, if order == "retry" { "It may try again:" } else { "To be installed again:" })
}

fn done(cx: &mut Context, host: &HostDetail, what: &str) -> Result<(), Failure> {
    if cx.format == Format::Json {
        return cx.json(host);
    }
    let (name, state) = (&host.row.name, cx.words().state(&host.row.state));
    cx.line(&format!("{what} {name}, now {state}."))?;
    cx.line("It goes on at its next boot from the network; an installer that waits goes on by itself.")
}

/// `cairn host rm`
pub(crate) async fn remove(cx: &mut Context, name: &str) -> Result<(), Failure> {
    cx.client()?.delete(&path(name)).await?;
    match cx.format {
        Format::Json => cx.json(&serde_json::json!({ "removed": name, "action": Action::Remove })),
        Format::Text => cx.line(&format!("Removed {name}.")),
    }
}

/// All pages of a list.
async fn all<T: DeserializeOwned>(client: &Client, path: &str) -> Result<Vec<T>, CallError> {
    let (mut items, mut after) = (Vec::new(), String::new());
    loop {
        let page: Page<T> = client.get(&format!("{path}?limit=500{after}")).await?;
        items.extend(page.items);
        match page.next {
            Some(next) => after = format!("&after={}", escape(&next)),
            None => return Ok(items),
        }
    }
}

fn path(name: &str) -> String {
    format!("/api/v1/hosts/{}", escape(name))
}

/// Percent-encodes all but unreserved characters (RFC 3986 §2.3).
pub(crate) fn escape(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    let each = text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_one_part_of_the_path() {
        assert_eq!(path("web-1"), "/api/v1/hosts/web-1");
        assert_eq!(path("../x?y"), "/api/v1/hosts/..%2Fx%3Fy");
    }
}
