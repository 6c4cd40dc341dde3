//! The site at a glance, and whether the server lives and is ready.

use std::{collections::BTreeMap, sync::Mutex};

use axum::extract::State;
use cairn_contract::Timestamp;
use cairn_domain::{Level, model::Kind as Resource, timeline::Entry};
use cairn_store::{ReadError, Store};

use crate::{
    app::App,
    appliance,
    auth::Caller,
    lists::MACHINES,
    page::MAX_LIMIT,
    problem::{Kind, Problem},
    route::Route,
    view::{Count, Status, Warning},
};

/// How long a line of the site's timeline stays a warning, in milliseconds.
const FRESH: i64 = 24 * 3600 * 1000;
/// Warnings at once, the newest first.
const SHOWN: usize = 5;
/// Words of the lifecycle, in its order.
const ORDER: [&str; 13] = [
    "pending",
    "registered",
    "booting",
    "attesting",
    "installing",
    "first boot",
    "running",
    "silent",
    "quarantined",
    "failed",
    "retiring",
    "wiping",
    "retired",
];

/// The newest warning of each code on the site's timeline; reads only what is new.
#[derive(Debug, Default)]
pub(crate) struct Warnings(Mutex<(i64, BTreeMap<String, Entry>)>);

impl Warnings {
    async fn read(&self, store: &Store, now: Timestamp) -> Result<Vec<Warning>, ReadError> {
        loop {
            let after = self.lock().0;
            let entries = store.site_timeline(after, MAX_LIMIT).await?;
            let Some(last) = entries.last().map(|e| e.seq) else { break };
            let mut seen = self.lock();
            seen.0 = seen.0.max(last);
            for entry in entries.into_iter().filter(is_warning) {
                seen.1.insert(entry.note.code.to_string(), entry);
            }
        }
        let mut seen = self.lock();
        seen.1.retain(|_, e| now.0.saturating_sub(e.at.0) < FRESH);
        let mut newest: Vec<&Entry> = seen.1.values().collect();
        newest.sort_by_key(|e| std::cmp::Reverse(e.seq));
        Ok(newest.into_iter().take(SHOWN).map(warning).collect())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (i64, BTreeMap<String, Entry>)> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// What one stray peer can cause stays on the timeline; it is no state of the site.
fn is_warning(entry: &Entry) -> bool {
    let stray =
        ["login.failed", "tls.failed", "file.missing", "file.refused", "file.broken", "boot.malformed"];
    entry.note.level >= Level::Warn && !stray.contains(&entry.note.code.as_ref())
}

/// Notes of the boot services end with their advice.
fn warning(entry: &Entry) -> Warning {
    let (text, next) = match (entry.note.text.split_once(". To do: "), entry.note.code.as_ref()) {
        (Some((text, next)), _) => (text, next),
        (None, "login.blocked") => {
            (entry.note.text.as_str(), "If that was not you, find out who reaches this port.")
        }
        (None, _) => (entry.note.text.as_str(), "See the site's timeline: /api/v1/timeline"),
    };
    Warning { text: text.to_owned(), next: next.to_owned() }
}

/// Its routes.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/status", status)
            .tag("status")
            .summary("Read the appliance at a glance")
            .gives::<Status>(200, "Counts and warnings"),
    ]
}

/// `GET /status`
pub(crate) async fn status(State(app): State<App>, caller: Caller) -> Result<axum::Json<Status>, Problem> {
    let internal = |e: ReadError| Problem::internal(&e);
    let now = app.auth.now();
    let seq = *app.store.changes().borrow();
    let counted = app.view(&caller, |view| {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        let hosts = view.index.of_kind(Resource::Host).filter(|o| view.sight.sees(o));
        for host in hosts.filter_map(|o| o.host.as_ref()) {
            let count = counts.entry(host.state.word()).or_default();
            *count = count.saturating_add(1);
        }
        counts
    });
    let counts = ORDER
        .iter()
        .filter_map(|word| counted.get(word).map(|hosts| Count { state: (*word).to_owned(), hosts: *hosts }));
    let (mut machines, mut warnings) = (0, Vec::new());
    if appliance::sees(&app, &caller) {
        machines = app.store.unknown_machines(MACHINES).await.map_err(internal)?.len() as u64;
        warnings = app.warnings.read(&app.store, now).await.map_err(internal)?;
        warnings.extend(missing(&app).await.map_err(internal)?);
    }
    Ok(axum::Json(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime_s: app.started.elapsed().as_secs(),
        now,
        seq,
        hosts: counted.values().sum(),
        counts: counts.collect(),
        machines,
        warnings,
    }))
}

/// What a new appliance still lacks.
async fn missing(app: &App) -> Result<Vec<Warning>, ReadError> {
    let mut warnings = Vec::new();
    let mut warn = |text: &str, next: &str| {
        warnings.push(Warning { text: text.to_owned(), next: next.to_owned() });
    };
    if app.store.installers().await?.is_empty() {
        warn("there is no installer: machines that boot get no file", "Add one: cairn installer add FILE");
    }
    if app.store.images().await?.is_empty() {
        warn("there is no OS image: nothing can be installed", "Add one: cairn image add FILE");
    }
    Ok(warnings)
}

/// `GET /healthz`: the process answers.
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: so does its store.
pub(crate) async fn readyz(State(app): State<App>) -> Result<&'static str, Problem> {
    let read = app.store.hosts(None, 1);
    match tokio::time::timeout(std::time::Duration::from_secs(2), read).await {
        Ok(Ok(_)) => Ok("ready\n"),
        Ok(Err(_)) | Err(_) => {
            Err(Problem::new(Kind::Unavailable, "The store does not answer.", "Check the disk: df, dmesg"))
        }
    }
}

#[cfg(test)]
mod tests {
    use cairn_domain::{State, Why};

    use super::*;

    /// A word that is missing here would not be counted.
    #[test]
    fn every_state_is_counted() {
        let (until, install) = (Timestamp(0), cairn_contract::InstallId(uuid::Uuid::nil()));
        let states = [
            State::Pending,
            State::Registered,
            State::Booting { attempt: 0, until },
            State::Attesting { attempt: 0, until },
            State::Installing { attempt: 1, install, until },
            State::FirstBoot { install, until },
            State::Running { until },
            State::Silent { since: until },
            State::Quarantined { why: Why::BootStalled },
            State::Failed { why: Why::BootStalled },
        ];
        let words = states.each_ref().map(State::word).into_iter();
        // The last one holds a proof, which only a wiped machine makes.
        let late = [State::Retiring { attempt: 0 }, State::Wiping { attempt: 1, install, until }];
        let words: Vec<&str> = words.chain(late.each_ref().map(State::word)).chain(["retired"]).collect();
        assert_eq!(words, ORDER);
    }
}
