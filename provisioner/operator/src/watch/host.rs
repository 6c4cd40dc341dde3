//! The live timeline of one host.

use axum::{
    extract::{Path, State},
    response::{Response, sse::Event},
};
use cairn_contract::HostId;
use cairn_store::ReadError;
use http::HeaderMap;
use tokio::{sync::watch::Receiver, time};

use super::{GATHER, PULSE, Resume, Source, event, permit, respond, resume};
use crate::{app::App, hosts::find, json::Params, page::MAX_LIMIT, problem::Problem, view::HostDetail};

/// `GET /hosts/{host}/watch`. Without a place to resume it begins now.
pub(crate) async fn host(
    State(app): State<App>,
    Path(host): Path<String>,
    Params(query): Params<Resume>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let after = resume(&headers, &query)?;
    let id = find(&app, &host).await?.id;
    let permit = permit(&app)?;
    let (lines, hosts) = (app.store.changes(), app.store.hosts_changed());
    let after = after.unwrap_or(*lines.borrow());
    Ok(respond(&app, permit, Follow { app: app.clone(), id, after, version: None, lines, hosts }))
}

struct Follow {
    app: App,
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
        match self.app.store.host(self.id).await? {
            None => {
                self.version = Some(GONE);
                events.push(event("gone", None, &serde_json::json!({ "id": self.id })));
            }
            Some(host) if self.version != Some(host.version) => {
                self.version = Some(host.version);
                events.push(event("host", None, &HostDetail::from(host)));
            }
            Some(_) => {}
        }
        Ok(Some(events))
    }
}

/// Versions begin at 1.
const GONE: i64 = -1;
