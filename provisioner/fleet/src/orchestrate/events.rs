//! What may change the plan: resources but for their status, rows of hosts, renderings that ended.

use cairn_domain::{
    index::Event,
    model::{Kind, Object},
};
use cairn_store::{Catalog, Feed, Store};
use tokio::sync::watch;

use super::renders::Renders;

/// What was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// A resource that the planner reads.
    Resources,
    /// Rows may have changed: pull them.
    Rows,
    /// A rendering ended.
    Rendered,
}

/// Ears.
#[derive(Debug)]
pub(super) struct News {
    catalog: Catalog,
    feed: Option<Feed>,
    rows: watch::Receiver<i64>,
}

impl News {
    /// Hears all from now on.
    pub(super) fn new(store: &Store, catalog: &Catalog) -> Self {
        let revision = catalog.index().revision();
        let mut rows = store.assignments_changed();
        rows.mark_unchanged();
        Self { catalog: catalog.clone(), feed: catalog.feed(revision).ok(), rows }
    }

    /// The next. Safe to cancel.
    pub(super) async fn next(&mut self, renders: &mut Renders) -> Heard {
        let Self { catalog, feed, rows } = self;
        let Some(heard) = feed else {
            let revision = catalog.index().revision();
            *feed = catalog.feed(revision).ok();
            return Heard::Resources;
        };
        loop {
            tokio::select! {
                events = heard.next() => match events {
                    Ok(events) if events.iter().any(|event| matters(event)) => return Heard::Resources,
                    Ok(_) => {}
                    Err(_) => {
                        // Too far behind to know what: everything may have changed.
                        *feed = None;
                        return Heard::Resources;
                    }
                },
                // The sender lives as long as the store.
                _ = rows.changed() => return Heard::Rows,
                () = renders.ended() => return Heard::Rendered,
            }
        }
    }
}

/// Whether the planner reads what changed.
fn matters(event: &Event) -> bool {
    let Some(object) = event.object() else { return false };
    match object.kind() {
        Kind::User
        | Kind::Role
        | Kind::RoleBinding
        | Kind::Token
        | Kind::OsImage
        | Kind::FirmwareProfile
        | Kind::ClaimRule => false,
        Kind::Secret => true,
        Kind::Organisation
        | Kind::Project
        | Kind::Region
        | Kind::Site
        | Kind::Policy
        | Kind::Distribution
        | Kind::ClusterTemplate
        | Kind::Cluster
        | Kind::Package
        | Kind::Deployment => said_differs(event, |a, b| a.spec == b.spec),
        Kind::Host => said_differs(event, |a, b| {
            let word = |o: &Object| o.host.as_ref().map(|h| (h.state.word(), h.inventory.clone()));
            a.spec == b.spec && word(a) == word(b)
        }),
    }
}

/// Something else than the status.
fn said_differs(event: &Event, same: impl Fn(&Object, &Object) -> bool) -> bool {
    let (Some(before), Some(after)) = (&event.before, &event.after) else { return true };
    let (a, b) = (&before.object, &after.object);
    event.is_inherited() || a.metadata.labels != b.metadata.labels || !same(a, b)
}
