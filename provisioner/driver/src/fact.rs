//! A fact's way: whose it is, what it does, and one commit.

use cairn_contract::{HostId, Mac};
use cairn_domain::{Event, Fact, Host, Note, State, Subject, host::Installed};
use cairn_store::{CommitError, NewInstall, Outcome, ReportError, Whose};

use crate::{Driver, draft::Draft};

/// Attempts to commit against a record that changes; only another program on the same database can cause a second one.
const TRIES: usize = 4;

impl Driver {
    pub(crate) async fn take_fact(
        &self,
        fact: Fact,
        install: Option<NewInstall>,
    ) -> Result<Outcome, ReportError> {
        if let (Subject::Host(id) | Subject::Enrolled(id, _), None) = (&fact.subject, &install) {
            return self.take_together(*id, fact).await;
        }
        let _turn = self.turn.lock().await;
        // Those that came before this one.
        self.write_waiting().await;
        self.try_fact_again(&fact, install.as_ref()).await
    }

    pub(crate) async fn try_again(&self, fact: &Fact) -> Result<Outcome, ReportError> {
        self.try_fact_again(fact, None).await
    }

    async fn try_fact_again(
        &self,
        fact: &Fact,
        install: Option<&NewInstall>,
    ) -> Result<Outcome, ReportError> {
        let mut tries = 1;
        loop {
            match self.try_fact(fact, install).await {
                Err(ReportError::Commit(CommitError::Stale | CommitError::EkTaken)) if tries < TRIES => {
                    tries += 1;
                }
                other => return other,
            }
        }
    }

    async fn try_fact(&self, fact: &Fact, install: Option<&NewInstall>) -> Result<Outcome, ReportError> {
        let known = |host| Outcome { host: Some(host), recognition: None };
        match &fact.subject {
            Subject::Site => {
                self.note(Whose::Site, fact.note.as_ref()).await?;
                Ok(Outcome { host: None, recognition: None })
            }
            Subject::Host(id) | Subject::Enrolled(id, _) => {
                let host = self.store.host(*id).await?.ok_or(ReportError::NoSuchHost(*id))?;
                let mut draft = Draft::of(host, self.now());
                draft.learn_parts(&fact.subject);
                self.advance(&mut draft, fact.event.as_ref(), fact.note.as_ref(), install).await?;
                Ok(known(self.save(draft).await?))
            }
            Subject::Machine { mac, uuid } => match self.store.find_machine(*mac, uuid.as_deref()).await? {
                Some(host) => {
                    let event = fact.event.as_ref().filter(|e| needs_no_proof(e));
                    Ok(known(self.happen(host, event, fact.note.as_ref(), None).await?))
                }
                None => {
                    self.note(Whose::Machine(*mac), fact.note.as_ref()).await?;
                    Ok(Outcome { host: None, recognition: None })
                }
            },
            Subject::Proven(claim) => self.proven(claim, fact, install).await,
        }
    }

    /// An event of a host that is known already.
    pub(crate) async fn happen(
        &self,
        host: Host,
        event: Option<&Event>,
        note: Option<&Note>,
        install: Option<&NewInstall>,
    ) -> Result<Host, ReportError> {
        let mut draft = Draft::of(host, self.now());
        self.advance(&mut draft, event, note, install).await?;
        self.save(draft).await
    }

    /// Steps, tells, and keeps install rows; commits nothing.
    pub(crate) async fn advance(
        &self,
        draft: &mut Draft,
        event: Option<&Event>,
        note: Option<&Note>,
        install: Option<&NewInstall>,
    ) -> Result<(), ReportError> {
        let Some(event) = event else {
            draft.line(note.cloned(), None);
            return Ok(());
        };
        let moved = draft.step(event, &self.host_policy(draft.host().id).policy);
        if let Some(install) = install {
            draft.begin_install(event, moved, install.clone());
        }
        if let (Event::InstallFinished(id), State::FirstBoot { install, .. }) = (event, &draft.host().state)
            && id == install
            && let Some(row) = self.store.install(*id).await?
        {
            let installed = Installed { install: *id, image: row.image, version: row.version };
            draft.change.host.installed = Some(installed);
        }
        draft.let_go();
        draft.tell(note.cloned(), moved);
        Ok(())
    }

    /// Commits what there is to commit; the host as it is stored then.
    pub(crate) async fn save(&self, draft: Draft) -> Result<Host, ReportError> {
        let mut host = draft.host().clone();
        if draft.touched {
            host.version = self.store.commit(draft.change).await?;
            self.committed.notify_one();
        } else {
            self.store.notes(&draft.change.lines).await?;
        }
        Ok(host)
    }

    async fn note(&self, whose: Whose, note: Option<&Note>) -> Result<(), ReportError> {
        match note {
            Some(note) => Ok(self.store.note(whose, self.now(), note.clone()).await?),
            None => Ok(()),
        }
    }

    /// On whose timeline an observation belongs that changes nothing.
    pub(crate) async fn whose(&self, subject: &Subject) -> Result<Whose, ReportError> {
        Ok(match subject {
            Subject::Site => Whose::Site,
            Subject::Host(id) | Subject::Enrolled(id, _) => Whose::Host(*id),
            Subject::Machine { mac, uuid } => self.whose_machine(*mac, uuid.as_deref()).await?,
            Subject::Proven(claim) => match self.store.host_by_ek(&claim.ek).await? {
                Some(host) => Whose::Host(host.id),
                None => self.whose_machine(claim.boot_mac, None).await?,
            },
        })
    }

    async fn whose_machine(&self, mac: Mac, uuid: Option<&str>) -> Result<Whose, ReportError> {
        let host: Option<HostId> = self.store.find_machine(mac, uuid).await?.map(|h| h.id);
        Ok(host.map_or(Whose::Machine(mac), Whose::Host))
    }
}

/// Addresses and UUIDs can be invented: what a machine says without proof may begin an attestation, and ends nothing.
fn needs_no_proof(event: &Event) -> bool {
    match event {
        Event::Knocked | Event::Claimed => true,
        Event::Refused(_)
        | Event::InstallerProven(_)
        | Event::InstallProgressed(_)
        | Event::InstallFailed(..)
        | Event::InstallFinished(_)
        | Event::AgentProven
        | Event::HeartbeatHeard
        | Event::Tick
        | Event::Accepted
        | Event::Retried
        | Event::Deauthorised
        | Event::DecommissionOrdered
        | Event::WipeProven(..)
        | Event::ReinstallOrdered => false,
    }
}
