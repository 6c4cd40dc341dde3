//! Orders of people and programs.

mod decommission;
mod register;

use cairn_contract::HostId;
use cairn_domain::{
    Effect, Event, Host, Level, Note,
    model::{Kind, Namespace, Uid},
    policies::Disturb,
};
use cairn_store::{By, Change, CommitError, Line, Order, OrderError, Run, Whose, Windows};

use crate::{
    Driver, deed,
    draft::{Draft, Moved, install_of},
};

impl Driver {
    pub(crate) async fn take_order(&self, order: Order, by: By) -> Result<Host, OrderError> {
        let _turn = self.turn.lock().await;
        match order {
            Order::Register(to) => self.register(*to, &by).await,
            Order::Update { id, to, expected } => self.update(id, *to, expected, &by).await,
            Order::Accept { id, admission } => self.accept(id, *admission, &by).await,
            Order::Retry(id) => {
                let note = Note::new(Level::Info, "host.retried", "an operator let it try again");
                self.ordered(self.found(id).await?, &Event::Retried, ("retry", note), &by).await
            }
            Order::Reinstall { id, windows } => self.reinstall(id, windows, &by).await,
            Order::Deauthorise(id) => {
                let text =
                    "an operator took its authorisation back: its connections end, its certificate is void";
                let note = Note::new(Level::Warn, "host.deauthorised", text);
                self.ordered(self.found(id).await?, &Event::Deauthorised, ("deauthorise", note), &by).await
            }
            Order::Decommission(id) => self.decommission(id, &by).await,
            Order::Remove(id) => self.remove(id, &by).await,
        }
    }

    async fn reinstall(&self, id: HostId, windows: Windows, by: &By) -> Result<Host, OrderError> {
        let host = self.found(id).await?;
        if windows == Windows::Respect
            && let Disturb::NotBefore(next) = self.host_policy(id).disturb(self.now())
        {
            return Err(OrderError::OutsideWindow { next });
        }
        let text = "an operator ordered a new installation; it begins at its next boot from the network";
        let note = Note::new(Level::Info, "host.reinstall", text);
        self.ordered(host, &Event::ReinstallOrdered, ("reinstall", note), by).await
    }

    /// Moves a host by an event that an operator caused; it must move.
    async fn ordered(
        &self,
        host: Host,
        event: &Event,
        (verb, note): (&'static str, Note),
        by: &By,
    ) -> Result<Host, OrderError> {
        let before = host.clone();
        let mut draft = Draft::of(host, self.now());
        let moved = draft.step(event, &self.host_policy(before.id).policy);
        if moved == Moved::Not {
            return Err(OrderError::State { state: draft.host().state.word() });
        }
        draft.tell(Some(note), moved);
        draft.change.trail.deeds.push(deed::of(verb, Some(&before), Some(draft.host()), &by.actor));
        self.save_order(draft, by.run).await
    }

    async fn remove(&self, id: HostId, by: &By) -> Result<Host, OrderError> {
        let host = self.found(id).await?;
        if by.run == Run::Check {
            return Ok(host);
        }
        let at = self.now();
        let text = format!("an operator removed the host {}", host.spec.name);
        let note = Note::new(Level::Info, "host.removed", text);
        let mut change = Change::remove(host.clone(), at);
        change.lines = [Whose::Host(id), Whose::Site]
            .map(|whose| Line { whose, at, note: note.clone(), state: None })
            .into();
        change.effects.push(Effect::Disconnect { host: id });
        change.effects.extend(install_of(&host.state).map(|install| Effect::VoidInstall { install }));
        change.trail.deeds.push(deed::of("delete", Some(&host), None, &by.actor));
        self.store.commit(change).await?;
        self.committed.notify_one();
        // Whoever asked may look for it in the index at once, and shall not find it.
        self.catalog.reached(self.store.newest_revision().await?).await;
        Ok(host)
    }

    async fn found(&self, id: HostId) -> Result<Host, OrderError> {
        self.store.host(id).await?.ok_or(OrderError::NotFound)
    }

    /// Names are unique in a project.
    fn check_name_free(
        &self,
        project: &Namespace,
        name: &str,
        own: Option<HostId>,
    ) -> Result<(), OrderError> {
        let taken = self.catalog.index().named(Kind::Host, project, name).map(|host| host.metadata.uid);
        match taken {
            Some(other) if Some(other) != own.map(Uid::from) => Err(OrderError::NameTaken(name.to_owned())),
            Some(_) | None => Ok(()),
        }
    }

    async fn save_order(&self, draft: Draft, run: Run) -> Result<Host, OrderError> {
        if run == Run::Check {
            return Ok(draft.change.host);
        }
        let (id, name) = (draft.host().id, draft.host().spec.name.clone());
        self.store.commit(draft.change).await.map_err(|error| match error {
            CommitError::NameTaken => OrderError::NameTaken(name),
            other => other.into(),
        })?;
        self.committed.notify_one();
        // As it is stored, with its new versions; whoever asked may look for it in the index at once.
        let host = self.found(id).await?;
        self.catalog.reached(host.meta.resource_version).await;
        Ok(host)
    }
}
