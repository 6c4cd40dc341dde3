//! `GET /events` and its live form: lines of the timelines of all hosts that the caller sees, and with rights at the appliance
//! those of machines and of the appliance itself.

use axum::{extract::State, response::Response};
use cairn_contract::Timestamp;
use cairn_domain::{
    Level,
    model::{Kind as Resource, Namespace},
    timeline::Entry,
};
use cairn_store::{ReadError, Whose};
use http::HeaderMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::{sync::watch::Receiver, time};

use crate::{
    app::{App, View},
    appliance,
    auth::Caller,
    json::Params,
    page::{MAX_LIMIT, sequence},
    problem::Problem,
    resources::{self, list as listing},
    respond,
    route::{self, Route},
    watch::{self, GATHER, PULSE, Source},
};

/// Lines of one read.
const AT_ONCE: u32 = MAX_LIMIT;
/// Reads for one request: who sees few of many hosts gets fewer lines rather than an answer that takes long.
const READS: u32 = 20;

/// Which lines.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EventsQuery {
    /// An organisation or project, with all that lies in it.
    namespace: Option<String>,
    /// Lines of one page.
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u32>,
    /// Those after this line, the oldest first; absent: the newest.
    #[schemars(regex(pattern = "^[0-9]{1,18}$"))]
    after: Option<String>,
}

/// Which lines, live.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FollowQuery {
    /// An organisation or project, with all that lies in it.
    namespace: Option<String>,
    /// Those after this line; absent: from now on. `Last-Event-ID` comes first.
    #[schemars(regex(pattern = "^[0-9]{1,18}$"))]
    after: Option<String>,
}

/// One line with whose it is.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Happening {
    /// Grows over the whole appliance.
    seq: i64,
    /// When, in milliseconds since 1970.
    #[schemars(with = "i64")]
    at: Timestamp,
    /// How much it matters.
    #[schemars(with = "String")]
    level: Level,
    /// Stable word for programs.
    code: String,
    /// Plain English.
    text: String,
    /// The phase that it led to, when it changed one.
    state: Option<String>,
    /// Full name of the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    host_name: Option<String>,
    /// Uid of the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    /// Of a machine that is no host.
    #[serde(skip_serializing_if = "Option::is_none")]
    mac: Option<String>,
}

/// Some lines, the oldest first.
#[derive(Debug, Serialize, JsonSchema)]
struct Happenings {
    items: Vec<Happening>,
    /// `after` of the next page, where `after` was given and there may be more.
    next: Option<String>,
}

/// Its routes.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/events", list)
            .tag("events")
            .summary("Read what happened to all hosts")
            .query::<EventsQuery>()
            .gives::<Happenings>(200, "Lines, the oldest first"),
        Route::get("/events/watch", follow)
            .tag("events")
            .summary("Watch what happens to all hosts")
            .slow()
            .query::<FollowQuery>()
            .gives_as(200, "Lines, as they are written", Some(("text/event-stream", route::event()))),
    ]
}

async fn list(
    State(app): State<App>,
    caller: Caller,
    Params(query): Params<EventsQuery>,
) -> Result<Response, Problem> {
    let within = resources::namespace(query.namespace.as_deref())?.unwrap_or_default();
    let limit = listing::limit(query.limit)?;
    let eye = Eye { app: app.clone(), caller, within };
    let page = match query.after.as_deref() {
        Some(after) => {
            let (items, last) =
                eye.after(sequence(Some(after))?, limit).await.map_err(|e| Problem::internal(&e))?;
            Happenings { items, next: last.map(|seq| seq.to_string()) }
        }
        None => {
            let items = eye.newest(limit).await.map_err(|e| Problem::internal(&e))?;
            Happenings { items, next: None }
        }
    };
    respond::json(&page)
}

/// What somebody may read of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Of hosts that are seen.
    Hosts,
    /// Of everything.
    Appliance,
}

/// Who looks, and where.
struct Eye {
    app: App,
    caller: Caller,
    within: Namespace,
}

impl Eye {
    async fn newest(&self, limit: usize) -> Result<Vec<Happening>, ReadError> {
        let (mut found, mut before) = (Vec::new(), i64::MAX);
        for _ in 0..READS {
            let lines = self.app.store.lines_before(before, AT_ONCE).await?;
            let Some(last) = lines.last().map(|(_, entry)| entry.seq) else { break };
            before = last;
            found.extend(self.seen(lines));
            if found.len() >= limit {
                break;
            }
        }
        found.truncate(limit);
        found.reverse();
        Ok(found)
    }

    /// With the line that it read last, if it did not come to the end.
    async fn after(&self, after: i64, limit: usize) -> Result<(Vec<Happening>, Option<i64>), ReadError> {
        let (mut found, mut last) = (Vec::new(), after);
        for _ in 0..READS {
            let lines = self.app.store.lines_after(last, AT_ONCE).await?;
            let Some(newest) = lines.last().map(|(_, entry)| entry.seq) else { return Ok((found, None)) };
            last = newest;
            found.extend(self.seen(lines));
            if found.len() >= limit {
                found.truncate(limit);
                // What was cut off comes with the next page.
                let last = found.last().map(|line| line.seq);
                return Ok((found, last));
            }
        }
        Ok((found, Some(last)))
    }

    fn seen(&self, lines: Vec<(Whose, Entry)>) -> Vec<Happening> {
        let whole = self.within == Namespace::Appliance && appliance::sees(&self.app, &self.caller);
        let reach = if whole { Reach::Appliance } else { Reach::Hosts };
        self.app.view(&self.caller, |view| {
            lines.into_iter().filter_map(|(whose, entry)| self.one(view, reach, whose, entry)).collect()
        })
    }

    fn one(&self, view: &View<'_>, reach: Reach, whose: Whose, entry: Entry) -> Option<Happening> {
        let all = reach == Reach::Appliance;
        let (mut host_name, mut host, mut mac) = (None, None, None);
        match whose {
            Whose::Host(id) => {
                let object = view.index.get(id.into()).filter(|o| o.kind() == Resource::Host);
                match object {
                    Some(object)
                        if view.sight.sees(object) && object.metadata.namespace.is_within(&self.within) =>
                    {
                        host_name = Some(object.full_name());
                    }
                    // It was removed: who sees the whole appliance still reads of it.
                    None if all => {}
                    Some(_) | None => return None,
                }
                host = Some(id.to_string());
            }
            Whose::Machine(address) if all => mac = Some(address.to_string()),
            Whose::Site if all => {}
            Whose::Machine(_) | Whose::Site => return None,
        }
        let Entry { seq, at, note, state } = entry;
        let (level, code, text) = (note.level, note.code.into_owned(), note.text);
        Some(Happening { seq, at, level, code, text, state, host_name, host, mac })
    }
}

async fn follow(
    State(app): State<App>,
    caller: Caller,
    Params(query): Params<FollowQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let within = resources::namespace(query.namespace.as_deref())?.unwrap_or_default();
    let header = headers.get("last-event-id").and_then(|v| v.to_str().ok()).filter(|v| !v.is_empty());
    let after = header.or(query.after.as_deref()).map(|text| sequence(Some(text))).transpose()?;
    let permit = watch::permit(&app, &caller)?;
    let lines = app.store.changes();
    let after = after.unwrap_or(*lines.borrow());
    let eye = Eye { app: app.clone(), caller: caller.clone(), within };
    Ok(watch::respond(&app, caller, permit, Follow { eye, after, lines, begun: Begun::No }))
}

/// Whether a stream has read for the first time.
#[derive(PartialEq, Eq)]
enum Begun {
    Yes,
    No,
}

struct Follow {
    eye: Eye,
    after: i64,
    lines: Receiver<i64>,
    begun: Begun,
}

impl Source for Follow {
    async fn next(&mut self) -> Option<Vec<axum::response::sse::Event>> {
        if self.begun == Begun::Yes {
            tokio::select! {
                woken = self.lines.changed() => woken.ok()?,
                () = time::sleep(PULSE) => {}
            }
            time::sleep(GATHER).await;
        }
        self.begun = Begun::Yes;
        match self.read().await {
            Ok(found) => Some(found.iter().map(|line| watch::event("entry", Some(line.seq), line)).collect()),
            Err(error) => {
                tracing::warn!(%error, "a watch ends: the store cannot be read");
                None
            }
        }
    }
}

impl Follow {
    async fn read(&mut self) -> Result<Vec<Happening>, ReadError> {
        let newest = *self.lines.borrow_and_update();
        let most = usize::try_from(MAX_LIMIT).unwrap_or(usize::MAX);
        let mut all = Vec::new();
        loop {
            let (found, last) = self.eye.after(self.after, most).await?;
            all.extend(found);
            match last {
                Some(last) => self.after = last,
                None => {
                    let told = all.last().map_or(self.after, |line| line.seq);
                    self.after = told.max(newest.max(self.after));
                    return Ok(all);
                }
            }
        }
    }
}
