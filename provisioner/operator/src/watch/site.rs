//! `GET /watch`: resources as they change, read from the catalog's ring; no database.
//!
//! ```text
//! event  before: seen and selected?   after: seen and selected?
//!              no                            yes             ADDED
//!              yes                           yes             MODIFIED (not when only what it inherits changed)
//!              yes                           no              DELETED
//! ```
//! The events of one revision are told with the id before it, but for the last: who resumes in the midst of them gets them
//! again rather than not at all.

use std::{collections::BTreeSet, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use cairn_domain::{
    access::{self, Grants, changes_grants},
    index::{Event, Seen, field},
    model::{Kind, Object},
};
use cairn_store::{Feed, Gone};
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, HeaderValue, header};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time;

use super::{PULSE, Place, permit};
use crate::{
    app::App,
    auth::{self, Caller},
    json::Params,
    problem::{self, Problem},
    resources::list::{Filter, invalid},
};

/// Events of one hand-over of the catalog; fewer are all that there were.
const AT_ONCE: usize = 256;
/// How long a revision of another provisioner may take to get here.
const CATCH_UP: Duration = Duration::from_secs(3);

/// What is watched, and from where.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct WatchQuery {
    /// Kinds, such as `Host,Site`; absent: all.
    kinds: Option<String>,
    /// Where to go on from: of a list, or of the last event. Absent: now. `Last-Event-ID` comes first.
    #[schemars(regex(pattern = "^[0-9]{1,18}$"))]
    resource_version: Option<String>,
    /// By effective labels.
    label_selector: Option<String>,
    /// By fields.
    field_selector: Option<String>,
    /// An organisation or project, with all that lies in it.
    namespace: Option<String>,
    /// The watch ends after so many seconds.
    #[schemars(range(min = 1, max = 3600))]
    timeout_seconds: Option<u32>,
}

/// `GET /watch`
pub(crate) async fn site(
    State(app): State<App>,
    caller: Caller,
    Params(query): Params<WatchQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let what = What::parse(&query)?;
    let life = lifetime(&app, &query)?;
    let after = resume(&headers, &query)?;
    let permit = permit(&app, &caller)?;
    let feed = feed(&app, after).await?;
    // Made after the feed: what changes rights meanwhile is in the feed.
    let grants = app.read(|index| access::grants(index, &caller.principal));
    let seen = after.unwrap_or_else(|| app.read(cairn_domain::index::Index::revision));
    let follow = Follow { app: app.clone(), caller: caller.clone(), what, feed, grants, seen, ended: false };
    Ok(stream_of(&app, follow, permit, (caller, life)))
}

fn lifetime(app: &App, query: &WatchQuery) -> Result<Duration, Problem> {
    match query.timeout_seconds {
        None => Ok(app.limits.watch_lifetime),
        Some(s @ 1..=3600) => Ok(app.limits.watch_lifetime.min(Duration::from_secs(s.into()))),
        Some(_) => {
            let detail = "timeoutSeconds goes from 1 to 3600.";
            Err(Problem::new(problem::Kind::Invalid, detail, "Correct the query.").at("timeoutSeconds"))
        }
    }
}

/// The header wins: it is newer than the address.
fn resume(headers: &HeaderMap, query: &WatchQuery) -> Result<Option<i64>, Problem> {
    let header = headers.get("last-event-id").and_then(|v| v.to_str().ok()).filter(|v| !v.is_empty());
    let Some(text) = header.or(query.resource_version.as_deref()) else { return Ok(None) };
    text.parse().ok().filter(|n| *n >= 0).map(Some).ok_or_else(|| {
        let next = "Use metadata.resourceVersion of a list, or the id of the last event.";
        Problem::new(problem::Kind::Invalid, "That is no resource version.", next).at("resourceVersion")
    })
}

async fn feed(app: &App, after: Option<i64>) -> Result<Feed, Problem> {
    let now = app.read(cairn_domain::index::Index::revision);
    let after = after.unwrap_or(now);
    if after > now && time::timeout(CATCH_UP, app.catalog.reached(after)).await.is_err() {
        return Err(expired());
    }
    app.catalog.feed(after).map_err(|Gone| expired())
}

fn expired() -> Problem {
    let detail = "Changes since that resource version are not known here.";
    Problem::new(problem::Kind::Expired, detail, "List again, and watch from that list's resourceVersion.")
}

/// Which resources.
#[derive(Debug)]
struct What {
    kinds: BTreeSet<Kind>,
    filter: Filter,
}

impl What {
    fn parse(query: &WatchQuery) -> Result<Self, Problem> {
        let filter = Filter::parse(
            query.namespace.as_deref(),
            query.label_selector.as_deref(),
            query.field_selector.as_deref(),
        )?;
        let Some(kinds) = &query.kinds else { return Ok(Self { kinds: Kind::ALL.into(), filter }) };
        let parse = |word: &str| word.trim().parse::<Kind>().map_err(|e| invalid("kinds", &e));
        Ok(Self { kinds: kinds.split(',').map(parse).collect::<Result<_, _>>()?, filter })
    }

    fn selects(&self, seen: &Seen) -> bool {
        let object = &seen.object;
        self.kinds.contains(&object.kind())
            && object.metadata.namespace.is_within(&self.filter.within)
            && self.filter.labels.matches(|key| seen.label(key))
            && self.filter.fields.matches(|path| field(object, path))
    }
}

struct Follow {
    app: App,
    caller: Caller,
    what: What,
    feed: Feed,
    grants: Grants,
    /// Everything up to here was told.
    seen: i64,
    ended: bool,
}

/// One frame of the stream before it has an id.
struct Tale {
    word: &'static str,
    revision: i64,
    object: Arc<Object>,
}

impl Follow {
    /// The next frames; `None` ends the stream.
    async fn next(&mut self) -> Option<Vec<Bytes>> {
        if self.ended {
            return None;
        }
        match time::timeout(PULSE, self.feed.next()).await {
            Ok(Ok(events)) => Some(self.tell(&events)),
            Ok(Err(Gone)) => {
                self.ended = true;
                let problem = serde_json::to_string(&expired()).unwrap_or_default();
                Some(vec![Bytes::from(format!("event: ERROR\ndata: {problem}\n\n"))])
            }
            Err(_) => Some(vec![self.bookmark()]),
        }
    }

    fn bookmark(&self) -> Bytes {
        let seen = self.seen;
        let data = format!("{{\"metadata\":{{\"resourceVersion\":\"{seen}\"}}}}");
        Bytes::from(format!("event: BOOKMARK\nid: {seen}\ndata: {data}\n\n"))
    }

    fn tell(&mut self, events: &[Arc<Event>]) -> Vec<Bytes> {
        let mut tales = Vec::new();
        for event in events {
            if changes_grants(event) {
                self.ask_again(event.revision, &mut tales);
            }
            tales.extend(self.tale(event));
        }
        let last = events.last().map_or(self.seen, |e| e.revision);
        // A full hand-over may end in the midst of a revision.
        self.seen = if events.len() < AT_ONCE { last } else { last.saturating_sub(1) };
        let mut frames = Vec::with_capacity(tales.len().saturating_mul(3));
        for (at, tale) in tales.iter().enumerate() {
            let is_last = tales.get(at.saturating_add(1)).is_none_or(|next| next.revision > tale.revision);
            let whole = is_last && tale.revision <= self.seen;
            let id = if whole { tale.revision } else { tale.revision.saturating_sub(1) };
            frames.push(Bytes::from(format!("event: {}\nid: {id}\ndata: ", tale.word)));
            frames.push(self.app.told.json(&tale.object));
            frames.push(Bytes::from_static(b"\n\n"));
        }
        frames
    }

    fn tale(&self, event: &Event) -> Option<Tale> {
        let shows = |seen: &Option<Seen>| {
            seen.as_ref().is_some_and(|seen| self.what.selects(seen) && self.grants.sees(seen))
        };
        let (was, is) = (shows(&event.before), shows(&event.after));
        // After a restart nobody remembers what was: who may see it is told that it is not selected, once too often.
        let forgotten = event.before.is_none()
            && event
                .after
                .as_ref()
                .is_some_and(|s| self.what.kinds.contains(&s.object.kind()) && self.grants.sees(s));
        let word = match (was, is) {
            (false, true) => "ADDED",
            (true, true) if event.is_inherited() => return None,
            (true, true) => "MODIFIED",
            (true, false) => "DELETED",
            (false, false) if forgotten && !self.what.is_everything() => "DELETED",
            (false, false) => return None,
        };
        let object = Arc::clone(event.object()?);
        Some(Tale { word, revision: event.revision, object })
    }

    /// Rights may have changed: what came into sight is added, what left it deleted.
    fn ask_again(&mut self, revision: i64, tales: &mut Vec<Tale>) {
        let principal = &self.caller.principal;
        let (app, what, old) = (&self.app, &self.what, &self.grants);
        let fresh = app.read(|index| {
            let fresh = access::grants(index, principal);
            if fresh.granted() == old.granted() {
                return fresh;
            }
            let (before, after) = (old.over(index), fresh.over(index));
            for object in what.kinds.iter().flat_map(|kind| index.of_kind(*kind)) {
                let word = match (before.sees(object), after.sees(object)) {
                    (false, true) => "ADDED",
                    (true, false) => "DELETED",
                    (true, true) | (false, false) => continue,
                };
                let selected = index.seen(object.metadata.uid).is_some_and(|seen| what.selects(&seen));
                if selected {
                    tales.push(Tale { word, revision, object: Arc::clone(object) });
                }
            }
            drop((before, after));
            fresh
        });
        self.grants = fresh;
    }
}

impl What {
    fn is_everything(&self) -> bool {
        self.filter.labels.is_empty() && self.filter.fields.is_empty()
    }
}

fn stream_of(app: &App, follow: Follow, permit: Place, (caller, life): (Caller, Duration)) -> Response {
    let frames = stream::unfold((follow, permit), |(mut follow, permit)| async move {
        follow.next().await.map(|frames| (stream::iter(frames), (follow, permit)))
    });
    let ends = auth::revoked(app.clone(), caller);
    let ends = Box::pin(async move {
        tokio::select! {
            () = ends => {}
            () = time::sleep(life) => {}
        }
    });
    let hello = stream::iter([Bytes::from_static(b": cairn\nretry: 2000\n\n")]);
    let body = hello.chain(frames.flatten()).take_until(ends).map(Ok::<_, Infallible>);
    let mut response = Body::from_stream(body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}
