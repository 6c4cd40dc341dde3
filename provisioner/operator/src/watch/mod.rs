//! Live streams (Server-Sent Events). A wake-up carries no data: each time, the store is read again.
//!
//! ```text
//! GET /hosts/{host}/watch   entry (id: seq) for each new line, host when the record changed, gone
//! GET /watch                host, gone; machines and site: read that list again; reset: read everything again
//! ```
//! `Last-Event-ID`, or `after` in the query, resumes. A watch ends after `Limits::watch_lifetime`; clients come back.

mod host;
mod site;

pub(crate) use host::host;
pub(crate) use site::site;

use std::{convert::Infallible, time::Duration};

use axum::response::{
    IntoResponse, Response,
    sse::{Event, KeepAlive, Sse},
};
use futures_util::{Stream, StreamExt as _, stream};
use http::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;

use crate::{
    app::App,
    page::sequence,
    problem::{Kind, Problem},
};

/// So that a peer that went away is noticed, and what made no line is seen.
const PULSE: Duration = Duration::from_secs(15);
/// Many lines come at once: they are read together.
const GATHER: Duration = Duration::from_millis(100);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Resume {
    after: Option<String>,
}

/// Where the client wants to go on: the browser's header wins, since it is newer than the address.
fn resume(headers: &HeaderMap, query: &Resume) -> Result<Option<i64>, Problem> {
    let header = headers.get("last-event-id").and_then(|v| v.to_str().ok()).filter(|v| !v.is_empty());
    header.or(query.after.as_deref()).map(|text| sequence(Some(text))).transpose()
}

fn permit(app: &App) -> Result<OwnedSemaphorePermit, Problem> {
    app.watches.clone().try_acquire_owned().map_err(|_| {
        Problem::new(Kind::TooMany, "Too many watches are open.", "Close some, or poll instead.").after(10)
    })
}

/// One source of events: `next` waits, reads the store and gives what is new; `None` ends the stream.
trait Source: Send + 'static {
    fn next(&mut self) -> impl Future<Output = Option<Vec<Event>>> + Send;
}

fn respond(app: &App, permit: OwnedSemaphorePermit, source: impl Source) -> Response {
    let batches = stream::unfold((source, permit), |(mut source, permit)| async move {
        source.next().await.map(|events| (stream::iter(events), (source, permit)))
    });
    let ends = Box::pin(tokio::time::sleep(app.limits.watch_lifetime));
    let hello = Event::default().comment("cairn").retry(Duration::from_secs(2));
    let events = stream::iter([hello]).chain(batches.flatten()).take_until(ends);
    let mut response =
        Sse::new(infallible(events)).keep_alive(KeepAlive::new().interval(PULSE)).into_response();
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

fn infallible(events: impl Stream<Item = Event>) -> impl Stream<Item = Result<Event, Infallible>> {
    events.map(Ok)
}

fn event(name: &str, id: Option<i64>, data: &impl Serialize) -> Event {
    // Our own types always have a JSON form; an event without data would be dropped by the client.
    let event = Event::default()
        .event(name)
        .json_data(data)
        .unwrap_or_else(|_| Event::default().event("reset").data("{}"));
    match id {
        Some(id) => event.id(id.to_string()),
        None => event,
    }
}
