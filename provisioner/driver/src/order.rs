//! Orders of people and programs.

use cairn_contract::{HostId, Timestamp};
use cairn_domain::{Effect, Event, Host, HostSpec, Level, Note, State, host::HostMeta};
use cairn_store::{CommitError, Line, Order, OrderError, Whose};
use uuid::Uuid;

use crate::{
    Driver,
    draft::{Draft, Moved, install_of},
    spec,
};

impl Driver {
    pub(crate) async fn take_order(&self, order: Order) -> Result<Host, OrderError> {
        let _turn = self.turn.lock().await;
        match order {
            Order::Register(spec) => self.register(spec).await,
            Order::Update { id, spec } => self.update(id, spec).await,
            Order::Accept { id, name } => self.accept(id, name).await,
            Order::Retry(id) => {
                let note = Note::new(Level::Info, "host.retried", "an operator let it try again");
                self.ordered(id, &Event::Retried, note).await
            }
            Order::Reinstall(id) => {
                let text =
                    "an operator ordered a new installation; it begins at its next boot from the network";
                let note = Note::new(Level::Info, "host.reinstall", text);
                self.ordered(id, &Event::ReinstallOrdered, note).await
            }
            Order::Remove(id) => self.remove(id).await,
        }
    }

    async fn register(&self, spec: HostSpec) -> Result<Host, OrderError> {
        let spec = spec::check(spec, None)?;
        let mut waiting = self.check_free(&spec, None).await?;
        let Some((_, _, host)) = waiting.pop() else {
            self.check_name_free(&spec.name, None).await?;
            return self.save_order(expect(spec, self.now())).await;
        };
        if !waiting.is_empty() {
            let mut hosts: Vec<String> = waiting.iter().map(|(_, _, h)| h.spec.name.clone()).collect();
            hosts.push(host.spec.name);
            hosts.sort();
            return Err(OrderError::Several { hosts: hosts.join(", ") });
        }
        self.check_name_free(&spec.name, Some(host.id)).await?;
        let text = format!("an operator registered this machine, which waited as {}", host.spec.name);
        self.let_in(Host { spec, ..host }, Note::new(Level::Info, "host.registered", text)).await
    }

    async fn update(&self, id: HostId, spec: HostSpec) -> Result<Host, OrderError> {
        let mut host = self.found(id).await?;
        host.spec = spec::check(spec, Some(&host))?;
        self.check_name_free(&host.spec.name, Some(id)).await?;
        if let Some((kind, value, other)) = self.check_free(&host.spec, Some(id)).await?.pop() {
            return Err(spec::taken(kind, value, &other));
        }
        let mut draft = Draft::of(host, self.now());
        draft.touched = true;
        draft
            .line(Some(Note::new(Level::Info, "host.updated", "an operator changed its registration")), None);
        self.save_order(draft).await
    }

    async fn accept(&self, id: HostId, name: Option<String>) -> Result<Host, OrderError> {
        let mut host = self.found(id).await?;
        if let Some(name) = name {
            spec::check_name(&name)?;
            self.check_name_free(&name, Some(id)).await?;
            host.spec.name = name;
        }
        let text = format!("an operator accepted this machine as {}", host.spec.name);
        self.let_in(host, Note::new(Level::Good, "host.accepted", text)).await
    }

    async fn let_in(&self, mut host: Host, note: Note) -> Result<Host, OrderError> {
        self.register_names(&mut host).await?;
        self.ordered_of(host, &Event::Accepted, note).await
    }

    async fn ordered(&self, id: HostId, event: &Event, note: Note) -> Result<Host, OrderError> {
        let host = self.found(id).await?;
        self.ordered_of(host, event, note).await
    }

    async fn ordered_of(&self, host: Host, event: &Event, note: Note) -> Result<Host, OrderError> {
        let mut draft = Draft::of(host, self.now());
        let moved = draft.step(event, &self.policy);
        if moved == Moved::Not {
            return Err(OrderError::State { state: draft.host().state.word() });
        }
        draft.tell(Some(note), moved);
        self.save_order(draft).await
    }

    async fn remove(&self, id: HostId) -> Result<Host, OrderError> {
        let host = self.found(id).await?;
        let at = self.now();
        let text = format!("an operator removed the host {}", host.spec.name);
        let note = Note::new(Level::Info, "host.removed", text);
        let lines =
            [Whose::Host(id), Whose::Site].map(|whose| Line { whose, at, note: note.clone(), state: None });
        let mut effects = vec![Effect::Disconnect { host: id }];
        effects.extend(install_of(&host.state).map(|install| Effect::VoidInstall { install }));
        self.store.remove_host(&host, &lines, &effects, at).await?;
        self.committed.notify_one();
        Ok(host)
    }

    async fn found(&self, id: HostId) -> Result<Host, OrderError> {
        self.store.host(id).await?.ok_or(OrderError::NotFound)
    }

    async fn check_name_free(&self, name: &str, own: Option<HostId>) -> Result<(), OrderError> {
        match self.store.host_by_name(name).await? {
            Some(other) if Some(other.id) != own => Err(OrderError::NameTaken(name.to_owned())),
            Some(_) | None => Ok(()),
        }
    }

    async fn save_order(&self, draft: Draft) -> Result<Host, OrderError> {
        let mut host = draft.host().clone();
        host.version = self.store.commit(draft.change).await.map_err(|error| match error {
            CommitError::NameTaken => OrderError::NameTaken(host.spec.name.clone()),
            other => other.into(),
        })?;
        self.committed.notify_one();
        Ok(host)
    }
}

/// A host that has not been seen.
fn expect(spec: HostSpec, now: Timestamp) -> Draft {
    let note = Note::new(Level::Info, "host.registered", format!("an operator registered {}", spec.name));
    let host = Host {
        id: HostId(Uuid::new_v4()),
        spec,
        state: State::Registered,
        ek: None,
        inventory: None,
        installed: None,
        created: now,
        changed: now,
        version: 0,
        meta: HostMeta::default(),
    };
    let word = host.state.word();
    let mut draft = Draft::new_host(host, now);
    draft.line(Some(note), Some(word));
    draft
}
