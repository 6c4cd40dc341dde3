//! Live streams (Server-Sent Events).
//!
//! ```text
//! GET /watch                resources: ADDED, MODIFIED, DELETED, BOOKMARK; from the catalog's ring
//! GET /hosts/{key}/watch    entry (id: seq) for each new line, host when the record changed, gone; reads the store
//! ```
//! `Last-Event-ID` resumes. A watch ends after `Limits::watch_lifetime` and when its caller may no longer be heard; clients come
//! back.

mod host;
mod room;
mod site;
mod told;

use host::host;
pub(crate) use room::{Place, Watches};
use site::{WatchQuery, site};
pub(crate) use told::Told;

use std::{convert::Infallible, time::Duration};

use axum::response::{
    IntoResponse, Response,
    sse::{Event, KeepAlive, Sse},
};
use futures_util::{Stream, StreamExt as _, stream};
use http::{HeaderMap, HeaderValue};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    auth::{self, Caller},
    page::sequence,
    problem::{Kind, Problem},
    route::{self, Route},
};

/// Its routes.
pub(crate) fn routes() -> Vec<Route> {
    let stream = || Some(("text/event-stream", route::event()));
    vec![
        Route::get("/watch", site)
            .tag("watch")
            .summary("Watch resources change")
            .slow()
            .query::<WatchQuery>()
            .gives_as(200, "Events, as they happen", stream())
            .problems(&[Kind::Expired]),
        Route::get("/hosts/{key}/watch", host)
            .tag("watch")
            .summary("Watch one host and its timeline")
            .slow()
            .query::<Resume>()
            .gives_as(200, "Events, as they happen", stream()),
    ]
}

/// So that a peer that went away is noticed, and what made no line is seen.
pub(crate) const PULSE: Duration = Duration::from_secs(15);
/// Many lines come at once: they are read together.
pub(crate) const GATHER: Duration = Duration::from_millis(100);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Resume {
    /// The last line that was read.
    #[schemars(regex(pattern = "^[0-9]{1,18}$"))]
    after: Option<String>,
}

/// Where the client wants to go on: the browser's header wins, since it is newer than the address.
fn resume(headers: &HeaderMap, query: &Resume) -> Result<Option<i64>, Problem> {
    let header = headers.get("last-event-id").and_then(|v| v.to_str().ok()).filter(|v| !v.is_empty());
    header.or(query.after.as_deref()).map(|text| sequence(Some(text))).transpose()
}

pub(crate) fn permit(app: &App, caller: &Caller) -> Result<Place, Problem> {
    app.watches.take(&caller.principal, app.limits.watches).ok_or_else(|| {
        Problem::new(Kind::TooMany, "Too many watches are open.", "Close some, or poll instead.").after(10)
    })
}

/// One source of events: `next` waits, reads the store and gives what is new; `None` ends the stream.
pub(crate) trait Source: Send + 'static {
    fn next(&mut self) -> impl Future<Output = Option<Vec<Event>>> + Send;
}

pub(crate) fn respond(app: &App, caller: Caller, permit: Place, source: impl Source) -> Response {
    let batches = stream::unfold((source, permit), |(mut source, permit)| async move {
        source.next().await.map(|events| (stream::iter(events), (source, permit)))
    });
    let (revoked, life) = (auth::revoked(app.clone(), caller), app.limits.watch_lifetime);
    let ends = Box::pin(async move {
        tokio::select! {
            () = revoked => {}
            () = tokio::time::sleep(life) => {}
        }
    });
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

pub(crate) fn event(name: &str, id: Option<i64>, data: &impl Serialize) -> Event {
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
