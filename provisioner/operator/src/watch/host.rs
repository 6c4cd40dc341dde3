//! The live timeline of one host, with its record.

use axum::{
    extract::State,
    response::{Response, sse::Event},
};
use cairn_contract::HostId;
use cairn_domain::model::{Kind, Object};
use cairn_store::ReadError;
use http::HeaderMap;
use tokio::{sync::watch::Receiver, time};

use super::{GATHER, PULSE, Resume, Source, event, permit, respond, resume};
use crate::{
    app::App, auth::Caller, json::Params, page::MAX_LIMIT, path::Key, problem::Problem, resources::find,
};

/// `GET /hosts/{key}/watch`. Without a place to resume it begins now.
pub(crate) async fn host(
    State(app): State<App>,
    caller: Caller,
    Key(key): Key,
    Params(query): Params<Resume>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let after = resume(&headers, &query)?;
    let object = app.view(&caller, |view| find::find(view, Kind::Host, &key))?;
    let id = object.metadata.uid.into();
    let permit = permit(&app, &caller)?;
    let (lines, hosts) = (app.store.changes(), app.store.hosts_changed());
    let after = after.unwrap_or(*lines.borrow());
    let follow = Follow { app: app.clone(), caller: caller.clone(), id, after, version: None, lines, hosts };
    Ok(respond(&app, caller, permit, follow))
}

struct Follow {
    app: App,
    caller: Caller,
    id: HostId,
    after: i64,
    /// Of the record that the client has; `None` before the first.
    version: Option<i64>,
    lines: Receiver<i64>,
    hosts: Receiver<u64>,
}

impl Source for Follow {
    async fn next(&mut self) -> Option<Vec<Event>> {
        if self.version.is_some() {
            tokio::select! {
                woken = self.lines.changed() => woken.ok()?,
                woken = self.hosts.changed() => woken.ok()?,
                () = time::sleep(PULSE) => {}
            }
            time::sleep(GATHER).await;
        }
        match self.read().await {
            Ok(events) => events,
            Err(error) => {
                tracing::warn!(%error, "a watch ends: the store cannot be read");
                None
            }
        }
    }
}

impl Follow {
    async fn read(&mut self) -> Result<Option<Vec<Event>>, ReadError> {
        if self.version == Some(GONE) {
            return Ok(None);
        }
        self.lines.mark_unchanged();
        self.hosts.mark_unchanged();
        let mut events = Vec::new();
        loop {
            let entries = self.app.store.timeline(self.id, self.after, MAX_LIMIT).await?;
            let Some(last) = entries.last() else { break };
            self.after = last.seq;
            events.extend(entries.iter().map(|e| event("entry", Some(e.seq), e)));
        }
        // Out of sight is gone.
        let seen = self.app.view(&self.caller, |view| {
            view.index.get(self.id.into()).is_none_or(|object| view.sight.sees(object))
        });
        match self.app.store.host(self.id).await?.filter(|_| seen) {
            None => {
                self.version = Some(GONE);
                events.push(event("gone", None, &serde_json::json!({ "id": self.id })));
            }
            Some(host) if self.version != Some(host.version) => {
                self.version = Some(host.version);
                events.push(event("host", None, &Object::from(host)));
            }
            Some(_) => {}
        }
        Ok(Some(events))
    }
}

/// Versions begin at 1.
const GONE: i64 = -1;
