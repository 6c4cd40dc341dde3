//! What people say of hosts: expected, changed, let in.

use cairn_contract::{HostId, Timestamp};
use cairn_domain::{Event, Host, Level, Note, State, host::HostMeta};
use cairn_store::{Admission, By, OrderError, Registration};
use uuid::Uuid;

use crate::{Driver, deed, draft::Draft, spec};

impl Driver {
    pub(super) async fn register(&self, to: Registration, by: &By) -> Result<Host, OrderError> {
        let to = Registration { spec: spec::check(to.spec, None)?, ..to };
        let mut waiting = self.check_free(&to.spec, None).await?;
        let Some((_, _, host)) = waiting.pop() else {
            self.check_name_free(&to.project, &to.spec.name, None)?;
            let mut draft = expect(to, self.now());
            draft.change.trail.deeds.push(deed::of("create", None, Some(draft.host()), &by.actor));
            return self.save_order(draft, by.run).await;
        };
        if !waiting.is_empty() {
            let mut hosts: Vec<String> = waiting.iter().map(|(_, _, h)| h.spec.name.clone()).collect();
            hosts.push(host.spec.name);
            hosts.sort();
            return Err(OrderError::Several { hosts: hosts.join(", ") });
        }
        self.check_name_free(&to.project, &to.spec.name, Some(host.id))?;
        let text = format!("an operator registered this machine, which waited as {}", host.spec.name);
        let note = Note::new(Level::Info, "host.registered", text);
        self.let_in(registered(host, to), ("create", note), by).await
    }

    pub(super) async fn update(
        &self,
        id: HostId,
        to: Registration,
        expected: Option<i64>,
        by: &By,
    ) -> Result<Host, OrderError> {
        let host = self.found(id).await?;
        let current = host.meta.resource_version;
        if expected.is_some_and(|expected| expected != current) {
            return Err(OrderError::Stale { current });
        }
        let to = Registration { spec: spec::check(to.spec, Some(&host))?, ..to };
        self.check_name_free(&to.project, &to.spec.name, Some(id))?;
        if let Some((kind, value, other)) = self.check_free(&to.spec, Some(id)).await?.pop() {
            return Err(spec::taken(kind, value, &other));
        }
        let after = registered(host.clone(), to);
        if after == host {
            return Ok(host);
        }
        let mut draft = Draft::of(after, self.now());
        draft.touched = true;
        draft.line(Some(told_of_update(&host, draft.host())), None);
        draft.change.trail.deeds.push(deed::of("update", Some(&host), Some(draft.host()), &by.actor));
        self.save_order(draft, by.run).await
    }

    pub(super) async fn accept(&self, id: HostId, wanted: Admission, by: &By) -> Result<Host, OrderError> {
        let mut host = self.found(id).await?;
        let Admission { name, place, image, labels } = wanted;
        if let Some((project, site)) = place {
            (host.meta.project, host.meta.site) = (project, site);
        }
        host.spec.name = name.unwrap_or(host.spec.name);
        spec::check_name(&host.spec.name)?;
        self.check_name_free(&host.meta.project, &host.spec.name, Some(id))?;
        host.spec.image = image.or(host.spec.image);
        host.meta.labels.extend(labels);
        let text = format!("an operator accepted this machine as {}", host.spec.name);
        self.let_in(host, ("accept", Note::new(Level::Good, "host.accepted", text)), by).await
    }

    async fn let_in(&self, mut host: Host, told: (&'static str, Note), by: &By) -> Result<Host, OrderError> {
        self.register_names(&mut host).await?;
        self.ordered(host, &Event::Accepted, told, by).await
    }
}

/// `host` with everything that people say of it anew.
fn registered(host: Host, to: Registration) -> Host {
    let Registration { spec, project, site, labels, annotations, settings } = to;
    let meta = HostMeta { project, site, labels, annotations, settings, ..host.meta };
    Host { spec, meta, ..host }
}

fn told_of_update(before: &Host, after: &Host) -> Note {
    let place = |h: &Host| match &h.meta.site {
        Some(site) => format!("{site}.{}", h.meta.project),
        None => h.meta.project.to_string(),
    };
    let (from, to) = (place(before), place(after));
    let text = match from == to {
        true => "an operator changed its registration".to_owned(),
        false => format!("an operator moved it from {from} to {to}"),
    };
    Note::new(Level::Info, if from == to { "host.updated" } else { "host.moved" }, text)
}

/// A host that has not been seen.
fn expect(to: Registration, now: Timestamp) -> Draft {
    let note = Note::new(Level::Info, "host.registered", format!("an operator registered {}", to.spec.name));
    let Registration { spec, project, site, labels, annotations, settings } = to;
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
        meta: HostMeta { project, site, labels, annotations, settings, ..HostMeta::default() },
    };
    let word = host.state.word();
    let mut draft = Draft::new_host(host, now);
    draft.line(Some(note), Some(word));
    draft
}
