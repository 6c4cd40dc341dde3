//! What the provisioner is told: progress and the end, by a proven installer; trouble, by one that is not.
//!
//! What is needed to report is kept in one place for the whole process, so that a panic can report as well: the hook
//! runs on any thread, and the runtime may be the thing that broke.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use cairn_contract::report::{FailureKind, ReportKind};
use cairn_contract::{InstallId, Mac, Report, ReportReply, SessionKey, SiteTrust, Smbios, Trouble};
use cairn_machine::link::{Link, LinkError, Protocol, Trust};
use zeroize::Zeroizing;

const LIMIT: Duration = Duration::from_secs(10);
/// At most so much of an error is sent (`report::ReportKind::Failed`).
const MAX_TEXT: usize = 2000;

/// What is known so far.
struct Known {
    site: SiteTrust,
    trust: Trust,
    mac: Option<Mac>,
    smbios: Smbios,
    token: Option<Zeroizing<String>>,
    install: Option<InstallId>,
}

static KNOWN: Mutex<Option<Known>> = Mutex::new(None);

fn with<T>(use_it: impl FnOnce(&mut Known) -> T) -> Option<T> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(use_it)
}

/// Whom to tell.
pub(crate) fn prepare(site: &SiteTrust) -> anyhow::Result<()> {
    let trust = Trust::new(&site.ca.0, site.not_before, None).context("the site's CA is unusable")?;
    let known =
        Known { site: site.clone(), trust, mac: None, smbios: Smbios::default(), token: None, install: None };
    *KNOWN.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
    Ok(())
}

/// The network works, through this interface.
pub(crate) fn reachable(mac: Mac) {
    with(|k| k.mac = Some(mac));
}

/// Who the firmware says we are.
pub(crate) fn known_as(smbios: &Smbios) {
    with(|k| k.smbios = smbios.clone());
}

/// The proof gave a session key.
pub(crate) fn proven(key: &SessionKey) {
    with(|k| k.token = Some(key.report_token()));
}

/// The installation that is under way.
pub(crate) fn ordered(install: InstallId) {
    with(|k| k.install = Some(install));
}

/// Sends reports over one connection, made again when it breaks.
pub(crate) struct Reporter {
    site: SiteTrust,
    trust: Trust,
    token: Zeroizing<String>,
    install: InstallId,
    link: Option<Link>,
}

impl Reporter {
    /// For the installation under way; `None` before there is one.
    pub(crate) fn of_installation() -> Option<Self> {
        with(|k| {
            Some(Self {
                site: k.site.clone(),
                trust: k.trust.clone(),
                token: k.token.clone()?,
                install: k.install?,
                link: None,
            })
        })?
    }

    /// Sends one report.
    pub(crate) async fn send(&mut self, kind: ReportKind) -> Result<ReportReply, LinkError> {
        let report = Report { install: self.install, kind };
        let mut link = match self.link.take() {
            Some(link) => link,
            None => Link::connect(self.site.server, &self.trust, Protocol::Http1, LIMIT).await?,
        };
        let reply = link.post_json("/host/v1/report", &report, Some(&self.token), LIMIT).await?;
        self.link = Some(link);
        Ok(reply)
    }
}

/// Tells why this attempt ends, if the provisioner can be reached: twice at most, on a thread and runtime of its own.
pub(crate) fn last_words(kind: FailureKind, text: &str) {
    let text: String = text.chars().filter(|c| !c.is_control()).take(MAX_TEXT / 4).collect();
    let speaker = std::thread::Builder::new().spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        for _ in 0..2 {
            match runtime.block_on(speak(kind, &text)) {
                Ok(()) => return,
                Err(error) => tracing::warn!("not reported: {:#}", anyhow::Error::new(error)),
            }
        }
    });
    if let Ok(speaker) = speaker {
        let _ = speaker.join();
    }
}

async fn speak(kind: FailureKind, text: &str) -> Result<(), LinkError> {
    let text = text.to_owned();
    if let Some(mut reporter) = Reporter::of_installation() {
        return reporter.send(ReportKind::Failed { kind, text }).await.map(drop);
    }
    let known = with(|k| {
        let boot_mac = k.mac?;
        Some((k.site.server, k.trust.clone(), Trouble { boot_mac, smbios: k.smbios.clone(), text }))
    });
    let Some((server, trust, trouble)) = known.flatten() else { return Ok(()) };
    let mut link = Link::connect(server, &trust, Protocol::Http1, LIMIT).await?;
    link.post_json::<_, ()>("/host/v1/trouble", &trouble, None, LIMIT).await
}
