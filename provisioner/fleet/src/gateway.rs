//! The running side of a host: reports of its installer, heartbeats of its agent. Each call becomes a fact.

use std::{
    collections::HashMap,
    fmt::Write as _,
    sync::{Arc, Mutex, PoisonError},
};

use cairn_contract::{
    Heartbeat, HeartbeatReply, HostId, Inventory, Report, ReportReply, Timestamp, Trouble,
    report::{PhaseTime, ReportKind},
};
use cairn_domain::{Event, Fact, Host, Level, Note, State, Subject, fact::plain};
use cairn_store::{Clock, ReadError, ReportError, Reporter, Store};

use crate::troubles::Troubles;

/// Seconds between heartbeats.
const HEARTBEAT_S: u32 = 10;
/// A heartbeat is made durable at most so often: the deadline of `running` is longer.
const DURABLE_EVERY_S: u32 = 20;

/// Why a call of a host was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// No valid report token or certificate, or the host may not speak as what it is.
    #[error("this host may not do that: {0}")]
    Forbidden(&'static str),
    /// Reading.
    #[error("cannot look up the host")]
    Read(#[from] ReadError),
    /// Recording.
    #[error("cannot record what the host said")]
    Report(#[from] ReportError),
}

/// Takes what proven hosts say.
#[derive(Debug)]
pub struct Gateway {
    store: Store,
    reporter: Arc<dyn Reporter>,
    clock: Arc<dyn Clock>,
    heard: Mutex<HashMap<HostId, Timestamp>>,
    troubles: Mutex<Troubles>,
}

impl Gateway {
    /// Over a store and the driver.
    pub fn new(store: Store, reporter: Arc<dyn Reporter>, clock: Arc<dyn Clock>) -> Self {
        Self { store, reporter, clock, heard: Mutex::default(), troubles: Mutex::default() }
    }

    /// A report of an installer that shows its bearer token.
    pub async fn report(&self, token: &str, report: Report) -> Result<ReportReply, GatewayError> {
        let hash = cairn_contract::Digest::of(token.as_bytes());
        let install = self.store.install_by_token(&hash).await?.filter(|i| i.id == report.install);
        let Some(install) = install else { return Err(GatewayError::Forbidden("unknown report token")) };
        if install.voided.is_some() {
            return Ok(ReportReply::Stop { why: "this installation was given up".into() });
        }
        if matches!(report.kind, ReportKind::Finished { target: Some(_), .. }) {
            // Which disk it was: a later wipe must find the same.
            let result = serde_json::to_string(&report.kind).unwrap_or_default();
            let kept = self.store.finish_install(install.id, self.clock.now(), &result).await;
            kept.map_err(ReportError::from)?;
        }
        let (event, note) = read_report(&report);
        let outcome = self
            .reporter
            .report(Fact { subject: Subject::Host(install.host), event: Some(event), note })
            .await?;
        Ok(match outcome.host.map(|h| h.state) {
            Some(
                State::Installing { install, .. }
                | State::FirstBoot { install, .. }
                | State::Wiping { install, .. },
            ) if install == report.install => ReportReply::Continue,
            // Its own failure, or the repeated end of an installation whose OS runs already.
            Some(_) if !matches!(report.kind, ReportKind::Progress { .. }) => ReportReply::Continue,
            Some(state) => ReportReply::Stop { why: format!("the host is {} now", state.word()) },
            None => ReportReply::Stop { why: "the host was removed".into() },
        })
    }

    /// A claim of trouble before anything was proven: kept on the timeline, never acted upon, and not too often.
    pub fn trouble(&self, trouble: &Trouble) {
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        if !troubles.hear(trouble.boot_mac, self.clock.now()) {
            return;
        }
        drop(troubles);
        let text = format!("it says, unproven: {}", plain(&trouble.text, 1900));
        let subject =
            Subject::Machine { mac: trouble.boot_mac, uuid: Some(trouble.smbios.uuid.to_ascii_lowercase()) };
        self.reporter.observe(Fact {
            subject,
            event: None,
            note: Some(Note::new(Level::Bad, "installer.trouble", text)),
        });
    }

    /// A heartbeat on a connection with this host's certificate.
    pub async fn heartbeat(&self, host: HostId, beat: &Heartbeat) -> Result<HeartbeatReply, GatewayError> {
        self.admit(host).await?;
        if self.is_due(host) {
            tracing::debug!(host.id = %host, uptime = beat.uptime_s, rss = beat.agent_rss, "heartbeat");
            let fact = Fact { subject: Subject::Host(host), event: Some(Event::HeartbeatHeard), note: None };
            self.reporter.report(fact).await?;
        }
        Ok(HeartbeatReply { next_s: HEARTBEAT_S })
    }

    /// The inventory of a running host: kept, and a line of its timeline.
    pub async fn inventory(&self, host: HostId, inventory: Inventory) -> Result<(), GatewayError> {
        let host = self.admit(host).await?;
        let note = Some(Note::new(Level::Info, "agent.inventory", describe(&inventory)));
        let subject = Subject::Enrolled(host.id, Box::new(inventory));
        self.reporter.report(Fact { subject, event: None, note }).await?;
        Ok(())
    }

    /// Whether a host with a certificate may use what running hosts may.
    ///
    /// # Errors
    /// [`GatewayError::Forbidden`] when it may not.
    pub async fn admits(&self, host: HostId) -> Result<(), GatewayError> {
        self.admit(host).await.map(drop)
    }

    /// A certificate lives for a day; the host's state decides each call.
    async fn admit(&self, host: HostId) -> Result<Host, GatewayError> {
        let host = self.store.host(host).await?.ok_or(GatewayError::Forbidden("the host was removed"))?;
        match host.state {
            State::Running { .. } | State::Silent { .. } => Ok(host),
            _ => Err(GatewayError::Forbidden("the host is not running")),
        }
    }

    fn is_due(&self, host: HostId) -> bool {
        let now = self.clock.now();
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let due = heard.get(&host).is_none_or(|last| now >= last.after_seconds(DURABLE_EVERY_S));
        if due {
            heard.insert(host, now);
        }
        due
    }
}

fn read_report(report: &Report) -> (Event, Option<Note>) {
    let id = report.install;
    match &report.kind {
        ReportKind::Progress { .. } => (Event::InstallProgressed(id), None),
        ReportKind::Failed { kind, text } => {
            let text = format!("its installer gave up: {}", plain(text, 1900));
            (Event::InstallFailed(id, *kind), Some(Note::new(Level::Bad, "install.failed", text)))
        }
        ReportKind::Finished { disk, phases, resumed, target: _ } => {
            let mut text = format!("installed on {}: {}", plain(disk, 200), timings(phases));
            if *resumed > 0 {
                let _ = write!(text, "; the download was resumed {resumed} times");
            }
            (Event::InstallFinished(id), Some(Note::new(Level::Good, "install.finished", text)))
        }
    }
}

fn timings(phases: &[PhaseTime]) -> String {
    let one = |p: &PhaseTime| {
        format!("{:?} {}.{:01} s", p.phase, p.millis / 1000, p.millis % 1000 / 100).to_lowercase()
    };
    phases.iter().take(16).map(one).collect::<Vec<_>>().join(", ")
}

fn describe(inventory: &Inventory) -> String {
    let disks: u64 = inventory.disks.iter().map(|d| d.size).sum();
    format!(
        "the agent reports {} x {}, {} MiB of memory, disks: {} with {} GiB, network interfaces: {}, kernel {}",
        inventory.cpu_count,
        plain(&inventory.cpu_model, 80),
        inventory.memory >> 20,
        inventory.disks.len(),
        disks >> 30,
        inventory.nics.len(),
        plain(&inventory.kernel, 60),
    )
}
