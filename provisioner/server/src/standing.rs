//! Cuts the connections of hosts that lose their standing, whichever provisioner took it from them.

use std::sync::Arc;

use cairn_domain::{State, index::Event, model::Kind};
use cairn_fleet::Leashes;
use cairn_store::{Catalog, Gone};
use tokio_util::sync::CancellationToken;

/// Follows the catalog until stopped.
pub(crate) async fn follow(
    catalog: Catalog,
    leashes: Arc<Leashes>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    loop {
        let revision = catalog.index().revision();
        let Ok(mut feed) = catalog.feed(revision) else { continue };
        // After the feed is made: who falls from here on is in it.
        cut_all_fallen(&catalog, &leashes);
        loop {
            let events = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                events = feed.next() => events,
            };
            match events {
                Ok(events) => events.iter().for_each(|event| cut_if_fallen(event, &leashes)),
                // Too far behind to know which.
                Err(Gone) => break,
            }
        }
    }
}

fn cut_if_fallen(event: &Event, leashes: &Leashes) {
    let Some(host) = event.object().filter(|o| o.kind() == Kind::Host) else { return };
    let stands = |state: &State| {
        matches!(state, State::FirstBoot { .. } | State::Running { .. } | State::Silent { .. })
    };
    let now = event.after.as_ref().and_then(|seen| seen.object.host.as_deref());
    if !now.is_some_and(|host| stands(&host.state)) {
        leashes.cut(host.metadata.uid.into());
    }
}

/// All that may not be connected.
fn cut_all_fallen(catalog: &Catalog, leashes: &Leashes) {
    let index = catalog.index();
    leashes.cut_unless(|id| {
        let host = index.get(id.into()).and_then(|o| o.host.as_deref());
        host.is_some_and(|h| {
            matches!(h.state, State::FirstBoot { .. } | State::Running { .. } | State::Silent { .. })
        })
    });
}
