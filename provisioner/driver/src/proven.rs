//! A machine whose TPM proved an EK: which record it is, or a new one.

use cairn_contract::{HostId, Timestamp};
use cairn_domain::{
    Event, Fact, Host, HostSpec, Level, Note, State, Why,
    audit::Actor,
    claim::{self, Placement},
    fact::Claim,
    host::HostMeta,
    identify::{Identity, identify},
    model::Kind,
    name,
};
use cairn_store::{NewInstall, Outcome, Recognition, ReportError, Whose};
use uuid::Uuid;

use crate::{
    Driver, deed,
    draft::{Draft, Moved, first_note},
};

impl Driver {
    pub(crate) async fn proven(
        &self,
        claim: &Claim,
        fact: &Fact,
        install: Option<&NewInstall>,
    ) -> Result<Outcome, ReportError> {
        let candidates = self.store.candidates(claim).await?;
        let (host, recognition) = match identify(claim, &candidates) {
            Identity::Known(i) => {
                let mut draft = Draft::of(candidates[i].clone(), self.now());
                match fact.event {
                    Some(Event::Refused(_)) => leave_unbound(&mut draft, claim),
                    _ => learn(&mut draft, claim),
                }
                self.advance(&mut draft, fact.event.as_ref(), fact.note.as_ref(), install).await?;
                (self.save(draft).await?, Recognition::Known)
            }
            Identity::Unknown => (self.unknown(claim, fact).await?, Recognition::New),
            Identity::Conflict { why, also } => {
                let also = also.iter().filter_map(|i| candidates.get(*i)).collect::<Vec<_>>();
                let host = self.conflict(claim, fact, why, (&candidates, &also)).await?;
                (host, Recognition::Conflict)
            }
        };
        Ok(Outcome { host: Some(host), recognition: Some(recognition) })
    }

    /// Nobody registered it: a claim rule says where it goes, or it waits for a person.
    async fn unknown(&self, claim: &Claim, fact: &Fact) -> Result<Host, ReportError> {
        let refused = matches!(fact.event, Some(Event::Refused(_)));
        let place = claim::place(&self.catalog.index(), claim).filter(|_| !refused);
        let mut host = self.new_host(claim, State::Pending, self.now());
        if let Some(place) = &place {
            host.meta.project = place.project.clone();
            host.meta.site = Some(place.site.clone());
            host.meta.labels = place.labels.clone();
            host.spec.image = place.image.clone();
        }
        if let Some(place) = place.filter(|place| place.accept) {
            return self.claim(host, claim, (&place, fact.note.as_ref())).await;
        }
        let mut draft = begin(host, claim, self.now());
        self.advance(&mut draft, fact.event.as_ref(), fact.note.as_ref(), None).await?;
        self.save(draft).await
    }

    /// Lets a machine in by a rule. It asks again at once, and is known then.
    async fn claim(
        &self,
        mut host: Host,
        claim: &Claim,
        (place, note): (&Placement, Option<&Note>),
    ) -> Result<Host, ReportError> {
        self.register_names(&mut host).await?;
        host.state = State::Registered;
        let word = host.state.word();
        let mut draft = Draft::new_host(host, self.now());
        draft.change.boot_mac = Some(claim.boot_mac);
        draft.line(note.cloned(), None);
        let text = format!("claim rule {} let it in, at site {}", place.rule, place.site);
        draft.line(Some(Note::new(Level::Good, "host.claimed", text)), Some(word));
        let rule = Actor::system(format!("claim rule {}", place.rule));
        draft.change.trail.deeds.push(deed::of("accept", None, Some(draft.host()), &rule));
        self.save(draft).await
    }

    /// The machine's own record goes to quarantine, or begins there; the hosts whose names it presents are warned once.
    async fn conflict(
        &self,
        claim: &Claim,
        fact: &Fact,
        why: Why,
        (candidates, also): (&[Host], &[&Host]),
    ) -> Result<Host, ReportError> {
        let now = self.now();
        let own = candidates
            .iter()
            .find(|h| h.ek == Some(claim.ek) || (h.ek.is_none() && h.spec.ek == Some(claim.ek)));
        let (mut draft, moved) = match own {
            Some(own) => {
                let mut draft = Draft::of(own.clone(), now);
                learn(&mut draft, claim);
                let moved = draft.step(&Event::Refused(why), &self.host_policy(draft.host().id).policy);
                draft.tell(fact.note.clone(), moved);
                (draft, moved)
            }
            None => {
                let state = State::Quarantined { why };
                let mut draft = begin(self.new_host(claim, state, now), claim, now);
                draft.line(fact.note.clone(), None);
                (draft, Moved::Away)
            }
        };
        if moved == Moved::Away {
            let text = format!(
                "another machine presented this host's names with the TPM {}; it is in quarantine as {}",
                short(claim),
                draft.host().spec.name
            );
            let own = draft.host().id;
            for host in also.iter().filter(|h| h.id != own) {
                let note = Note::new(Level::Warn, "identity.conflict", &text);
                draft.line_of(Whose::Host(host.id), note, None);
            }
        }
        self.save(draft).await
    }

    fn new_host(&self, claim: &Claim, state: State, now: Timestamp) -> Host {
        Host {
            id: HostId(Uuid::new_v4()),
            spec: HostSpec { name: self.free_name(claim), ..HostSpec::default() },
            state,
            ek: Some(claim.ek),
            inventory: Some(claim.inventory.clone()),
            installed: None,
            created: now,
            changed: now,
            version: 0,
            meta: HostMeta { tpm: claim.class, ..HostMeta::default() },
        }
    }

    /// The proposed name, or one that nobody can have yet.
    fn free_name(&self, claim: &Claim) -> String {
        let proposed = name::propose(&claim.inventory.smbios.serial, &claim.ek);
        let taken = self.catalog.index().of_kind(Kind::Host).any(|host| host.metadata.name == proposed);
        if taken { format!("host-{}", Uuid::new_v4().simple()) } else { proposed }
    }
}

/// A record of the machine's own, and the line that says why it waits.
fn begin(host: Host, claim: &Claim, now: Timestamp) -> Draft {
    let (word, note) = (host.state.word(), first_note(&host));
    let mut draft = Draft::new_host(host, now);
    draft.change.boot_mac = Some(claim.boot_mac);
    draft.line(note, Some(word));
    draft
}

/// What a proven claim teaches of a known host.
fn learn(draft: &mut Draft, claim: &Claim) {
    let host = &mut draft.change.host;
    let first = host.ek.is_none();
    host.ek = Some(claim.ek);
    host.inventory = Some(claim.inventory.clone());
    host.meta.tpm = claim.class.or(host.meta.tpm);
    draft.change.boot_mac = Some(claim.boot_mac);
    draft.touched = true;
    if first {
        let text = format!("its TPM is known now: {}; no other will be accepted for this host", short(claim));
        draft.line(Some(Note::new(Level::Info, "identity.bound", text)), None);
    }
}

/// Software that nobody measured says what names it likes: it teaches nothing, and its TPM does not become the host's.
fn leave_unbound(draft: &mut Draft, claim: &Claim) {
    if draft.host().ek.is_none() {
        let text = format!("its TPM {} is not bound to this host: its evidence was refused", short(claim));
        draft.line(Some(Note::new(Level::Warn, "identity.unbound", text)), None);
    }
}

/// Enough of the EK's digest to tell TPMs apart.
fn short(claim: &Claim) -> String {
    claim.ek.to_string().chars().take(16).collect()
}
