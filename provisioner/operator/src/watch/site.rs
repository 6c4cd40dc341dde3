//! What changes on the whole site: hosts come, move and go.

use std::collections::HashMap;

use axum::{
    extract::State,
    response::{Response, sse::Event},
};
use cairn_contract::{HostId, Mac, Timestamp};
use cairn_store::{ReadError, Standing};
use http::HeaderMap;
use tokio::{sync::watch::Receiver, time};

use super::{GATHER, PULSE, Resume, Source, event, permit, respond, resume};
use crate::{app::App, json::Params, problem::Problem, view::HostRow};

/// `GET /watch`. A client that resumes from another place than now reads everything again (`reset`).
pub(crate) async fn site(
    State(app): State<App>,
    Params(query): Params<Resume>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let after = resume(&headers, &query)?;
    let permit = permit(&app)?;
    let (lines, hosts) = (app.store.changes(), app.store.hosts_changed());
    let mut known = Known::read(&app, 0).await.map_err(|e| Problem::internal(&e))?;
    // After that read: what came between the client's own reading and ours is not in the differences to come.
    let here = *lines.borrow();
    known.seq = here;
    let missed = after.is_some_and(|after| after != here);
    let first = if missed { vec![event("reset", Some(here), &serde_json::json!({}))] } else { Vec::new() };
    Ok(respond(&app, permit, Follow { app: app.clone(), known, first: Some(first), lines, hosts }))
}

struct Follow {
    app: App,
    known: Known,
    /// To be sent at once.
    first: Option<Vec<Event>>,
    lines: Receiver<i64>,
    hosts: Receiver<u64>,
}

/// What the client has been told, as far as it decides whether to tell more.
struct Known {
    seq: i64,
    hosts: HashMap<HostId, Seen>,
    machine: Option<(Mac, Timestamp)>,
    machines: usize,
}

/// A host without its deadline, which moves with each report.
#[derive(PartialEq, Eq)]
struct Seen {
    name: String,
    word: &'static str,
    why: Option<cairn_domain::Why>,
    attempt: Option<u32>,
    addresses: usize,
}

impl From<&Standing> for Seen {
    fn from(host: &Standing) -> Self {
        Self {
            name: host.name.clone(),
            word: host.state.word(),
            why: host.state.why(),
            attempt: crate::view::attempt(&host.state),
            addresses: host.macs.len(),
        }
    }
}

impl Known {
    async fn read(app: &App, seq: i64) -> Result<Self, ReadError> {
        let hosts = app.store.all_states().await?;
        let machines = app.store.unknown_machines(crate::lists::MACHINES).await?;
        Ok(Self {
            seq,
            hosts: hosts.iter().map(|h| (h.id, Seen::from(h))).collect(),
            machine: machines.first().map(|m| (m.mac, m.last)),
            machines: machines.len(),
        })
    }
}

impl Source for Follow {
    async fn next(&mut self) -> Option<Vec<Event>> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        tokio::select! {
            woken = self.lines.changed() => woken.ok()?,
            woken = self.hosts.changed() => woken.ok()?,
            () = time::sleep(PULSE) => {}
        }
        time::sleep(GATHER).await;
        match self.read().await {
            Ok(events) => Some(events),
            Err(error) => {
                tracing::warn!(%error, "a watch ends: the store cannot be read");
                None
            }
        }
    }
}

impl Follow {
    async fn read(&mut self) -> Result<Vec<Event>, ReadError> {
        let seq = *self.lines.borrow_and_update();
        self.hosts.mark_unchanged();
        let now = Known::read(&self.app, seq).await?;
        let mut events = Vec::new();
        for (id, seen) in &now.hosts {
            if self.known.hosts.get(id) == Some(seen) {
                continue;
            }
            if let Some(host) = self.app.store.host(*id).await? {
                events.push(event("host", Some(seq), &HostRow::from(&host)));
            }
        }
        for id in self.known.hosts.keys().filter(|id| !now.hosts.contains_key(id)) {
            events.push(event("gone", Some(seq), &serde_json::json!({ "id": id })));
        }
        if (now.machine, now.machines) != (self.known.machine, self.known.machines) {
            events.push(event("machines", Some(seq), &serde_json::json!({})));
        }
        if seq != self.known.seq && !self.app.store.site_timeline(self.known.seq, 1).await?.is_empty() {
            events.push(event("site", Some(seq), &serde_json::json!({})));
        }
        self.known = now;
        Ok(events)
    }
}
