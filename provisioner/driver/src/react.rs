//! What applies to a host can change without anybody touching it: a policy, a label of a region, a move. Its next step uses
//! the new values by itself; here its timeline is told, by the provisioner that leads.

use std::collections::{BTreeSet, HashMap};

use cairn_contract::HostId;
use cairn_domain::{
    Level, Note,
    index::Event,
    model::{Kind, Network, Object, Uid},
    policies::{self, HostPolicy},
};
use cairn_store::{Gone, Line, Whose};
use tokio_util::sync::CancellationToken;

use crate::{Driver, run::chain};

/// Lines of one transaction.
const BATCH: usize = 256;
/// Hosts that are looked at in one go.
const AT_ONCE: usize = 64;

/// What applied to each host when it was looked at last.
type Known = HashMap<HostId, HostPolicy>;

impl Driver {
    /// Follows the catalog until `stop`.
    pub(crate) async fn react(&self, stop: &CancellationToken) {
        let (mut known, mut revision) = self.know_all();
        loop {
            let Ok(mut feed) = self.catalog.feed(revision) else {
                (known, revision) = self.know_all();
                continue;
            };
            loop {
                let events = tokio::select! {
                    () = stop.cancelled() => return,
                    events = feed.next() => events,
                };
                match events {
                    Ok(events) => self.tell_touched(&mut known, &events).await,
                    Err(Gone) => break,
                }
            }
            (known, revision) = self.know_all();
        }
    }

    fn know_all(&self) -> (Known, i64) {
        let index = self.catalog.index();
        let one = |host: &std::sync::Arc<Object>| {
            let uid = host.metadata.uid;
            (uid.into(), policies::effective(&index, uid, &self.defaults))
        };
        (index.of_kind(Kind::Host).map(one).collect(), index.revision())
    }

    async fn tell_touched(&self, known: &mut Known, events: &[std::sync::Arc<Event>]) {
        let mut lines = Vec::new();
        let touched: BTreeSet<HostId> = events.iter().flat_map(|event| self.touched(event)).collect();
        for (at, id) in touched.into_iter().enumerate() {
            if at % AT_ONCE == 0 {
                // Others have work for this thread too.
                tokio::task::yield_now().await;
            }
            if self.catalog.index().get(id.into()).is_none() {
                known.remove(&id);
                continue;
            }
            let now = self.host_policy(id);
            let before = known.insert(id, now.clone());
            if let Some(text) = before.and_then(|before| difference(&before, &now)) {
                let note =
                    Note::new(Level::Info, "policy.changed", format!("other policy applies now: {text}"));
                lines.push(Line { whose: Whose::Host(id), at: self.now(), note, state: None });
            }
        }
        if !self.leads() {
            return;
        }
        for lines in lines.chunks(BATCH) {
            if let Err(error) = self.store.notes(lines).await {
                tracing::error!(error = chain(&error), "cannot tell hosts of a changed policy");
            }
        }
    }

    /// The hosts to which something else may apply after the event.
    fn touched(&self, event: &Event) -> Vec<HostId> {
        let Some(object) = event.object() else { return Vec::new() };
        let index = self.catalog.index();
        let uids: Vec<Uid> = match object.kind() {
            Kind::Host => vec![object.metadata.uid],
            Kind::Policy | Kind::FirmwareProfile => {
                let within = &object.metadata.namespace;
                let hosts = index.of_kind(Kind::Host).filter(|h| h.metadata.namespace.is_within(within));
                hosts.map(|h| h.metadata.uid).collect()
            }
            Kind::Organisation | Kind::Project | Kind::Region | Kind::Site => {
                index.hosts_below(object.metadata.uid)
            }
            Kind::OsImage
            | Kind::ClaimRule
            | Kind::User
            | Kind::Role
            | Kind::RoleBinding
            | Kind::Token
            | Kind::Distribution
            | Kind::ClusterTemplate
            | Kind::Cluster
            | Kind::Package
            | Kind::Deployment
            | Kind::Secret => Vec::new(),
        };
        uids.into_iter().map(HostId::from).collect()
    }
}

/// What differs, in words; `None` if nothing does.
fn difference(before: &HostPolicy, now: &HostPolicy) -> Option<String> {
    let (a, b) = (&before.policy, &now.policy);
    let image = |p: &HostPolicy| p.image.clone().unwrap_or_else(|| "none".to_owned());
    let network = |p: &HostPolicy| if p.network == Network::Deny { "deny" } else { "allow" };
    let windows = |p: &HostPolicy| {
        let starts: Vec<_> = p.windows.iter().map(|w| format!("{} for {} min", w.start, w.minutes)).collect();
        format!("{} {}", starts.join(", "), p.timezone.as_deref().unwrap_or("UTC"))
    };
    let fields = [
        ("image.name", image(before), image(now)),
        ("boot.network", network(before).to_owned(), network(now).to_owned()),
        ("boot.patienceSeconds", a.boot_s.to_string(), b.boot_s.to_string()),
        ("boot.maxAttempts", a.max_attempts.to_string(), b.max_attempts.to_string()),
        ("image.silenceSeconds", a.install_silence_s.to_string(), b.install_silence_s.to_string()),
        ("image.firstBootSeconds", a.first_boot_s.to_string(), b.first_boot_s.to_string()),
        ("attestation.mode", format!("{:?}", a.mode).to_lowercase(), format!("{:?}", b.mode).to_lowercase()),
        ("attestation.tpmClasses", format!("{:?}", a.tpm_classes), format!("{:?}", b.tpm_classes)),
        ("attestation.evidenceSeconds", a.evidence_s.to_string(), b.evidence_s.to_string()),
        ("update.onlyInWindow", before.only_in_window.to_string(), now.only_in_window.to_string()),
        ("telemetry.silentAfterSeconds", a.heartbeat_loss_s.to_string(), b.heartbeat_loss_s.to_string()),
        ("maintenance.windows", windows(before), windows(now)),
    ];
    let told: Vec<String> = fields
        .into_iter()
        .filter(|(_, before, now)| before != now)
        .map(|(field, before, now)| format!("{field} is {now}, was {before}"))
        .collect();
    (!told.is_empty()).then(|| told.join("; "))
}
