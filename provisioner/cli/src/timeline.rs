//! `cairn timeline`, `cairn events` and their short forms.

use cairn_domain::{model::Kind, timeline::Entry};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{
    CallError, Context,
    args::Events,
    client::{Client, Event},
    exit::Failure,
    show::entry::Printer,
    target::{self, Target, text, with_query},
    verbs::watch::{AGAIN, until_interrupted},
};

/// Lines of one page.
const PAGE: &str = "500";

/// All lines of a page-wise list: `{items, next}`.
pub(crate) async fn all<T: DeserializeOwned>(client: &Client, path: &str) -> Result<Vec<T>, CallError> {
    let (mut items, mut after) = (Vec::new(), None::<String>);
    loop {
        let page: Value =
            client.get(&with_query(path, &[("limit", Some(PAGE)), ("after", after.as_deref())])).await?;
        let Some(Value::Array(new)) = page.get("items") else { return Ok(items) };
        for item in new {
            items.push(serde_json::from_value(item.clone()).map_err(CallError::Content)?);
        }
        let next = match page.get("next").or_else(|| page.pointer("/metadata/continue")) {
            Some(Value::String(next)) if !next.is_empty() => next.clone(),
            Some(Value::Number(next)) => next.to_string(),
            _ => return Ok(items),
        };
        if after.as_ref() == Some(&next) {
            return Ok(items);
        }
        after = Some(next);
    }
}

/// `cairn timeline HOST`
pub(crate) async fn host(cx: &mut Context, target: &Target) -> Result<(), Failure> {
    let session = cx.session()?;
    let key = target.key(&session.client, session.namespace()).await?;
    let path = format!("{}/timeline", target::path(Kind::Host, &key));
    if !cx.output.is_text() {
        let entries: Vec<Value> = all(&session.client, &path).await?;
        return cx.value(&json!({ "items": entries })).map(drop);
    }
    let entries: Vec<Entry> = all(&session.client, &path).await?;
    if entries.is_empty() {
        return cx.line("Nothing happened yet.");
    }
    let (words, mut printer) = (cx.words(), Printer::default());
    entries.iter().try_for_each(|entry| cx.line(&printer.print(entry, &words)))
}

/// `cairn timeline HOST -f`: ends with Ctrl-C or with the host.
pub(crate) async fn follow(cx: &mut Context, target: &Target) -> Result<(), Failure> {
    let session = cx.session()?;
    let key = target.key(&session.client, session.namespace()).await?;
    let mut stream =
        Stream { path: format!("{}/watch", target::path(Kind::Host, &key)), ..Stream::default() };
    until_interrupted(stream.run(cx, &session.client)).await
}

/// `cairn events`
pub(crate) async fn events(cx: &mut Context, args: &Events) -> Result<(), Failure> {
    let session = cx.session()?;
    let path = with_query("/api/v1/events", &[("namespace", session.namespace())]);
    let limit = args.limit.to_string();
    let page: Value = session.client.get(&with_query(&path, &[("limit", Some(&limit))])).await?;
    let items = page.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    if !args.watch && !cx.output.is_text() {
        return cx.value(&json!({ "items": items })).map(drop);
    }
    if items.is_empty() && !args.watch {
        return cx.line("Nothing happened yet.");
    }
    let live = with_query("/api/v1/events/watch", &[("namespace", session.namespace())]);
    let mut stream = Stream { path: live, named: true, ..Stream::default() };
    for item in &items {
        stream.print(cx, &item.to_string())?;
    }
    if args.watch { until_interrupted(stream.run(cx, &session.client)).await } else { Ok(()) }
}

/// A live stream of lines, across broken connections.
#[derive(Default)]
struct Stream {
    path: String,
    after: i64,
    /// Whether each line tells its host.
    named: bool,
    printer: Printer,
}

/// What an event means for the stream.
enum Then {
    GoOn,
    End,
}

impl Stream {
    async fn run(&mut self, cx: &mut Context, client: &Client) -> Result<(), Failure> {
        let mut lost = false;
        loop {
            let after = self.after.to_string();
            match client.events(&with_query(&self.path, &[("after", Some(after.as_str()))])).await {
                Ok(mut events) => {
                    if std::mem::take(&mut lost) {
                        cx.say("The server is back.");
                    }
                    while let Some(event) = events.next().await? {
                        if let Then::End = self.take(cx, &event)? {
                            return Ok(());
                        }
                    }
                }
                // The first try tells what is wrong; later ones wait for the server to come back.
                Err(CallError::Unreachable { .. } | CallError::Broken(_)) if self.after > 0 => {
                    if !std::mem::replace(&mut lost, true) {
                        cx.say("The server does not answer; waiting for it.");
                    }
                    tokio::time::sleep(AGAIN).await;
                }
                Err(e) => return Err(e.into()),
            }
        }
    }

    fn take(&mut self, cx: &mut Context, event: &Event) -> Result<Then, Failure> {
        match event.name.as_str() {
            "entry" => self.print(cx, &event.data)?,
            "gone" if !self.named => {
                cx.say("The host was removed.");
                return Ok(Then::End);
            }
            _ => {}
        }
        Ok(Then::GoOn)
    }

    fn print(&mut self, cx: &mut Context, data: &str) -> Result<(), Failure> {
        let value: Value = serde_json::from_str(data).map_err(CallError::Content)?;
        let entry: Entry = serde_json::from_value(value.clone()).map_err(CallError::Content)?;
        self.after = self.after.max(entry.seq);
        if cx.streamed(&value)? {
            return Ok(());
        }
        let words = cx.words();
        let who = if self.named { who(&value) } else { String::new() };
        cx.line(&self.printer.print_of(&entry, &who, &words))
    }
}

/// Which host or machine a line of all is about.
fn who(value: &Value) -> String {
    let said = ["/hostName", "/mac", "/host"].map(|pointer| text(value, pointer));
    let found = said.into_iter().find(|t| !t.is_empty()).unwrap_or("the appliance");
    cairn_domain::fact::plain(found, 80)
}
