//! Out of service, with the disk wiped.

use cairn_contract::HostId;
use cairn_domain::{Event, Host, Level, Note, State};
use cairn_store::{By, OrderError};

use crate::Driver;

impl Driver {
    pub(super) async fn decommission(&self, id: HostId, by: &By) -> Result<Host, OrderError> {
        let host = self.found(id).await?;
        let leaves =
            matches!(host.state, State::Retiring { .. } | State::Wiping { .. } | State::Retired { .. });
        if host.installed.is_none() && !leaves {
            return Err(OrderError::State {
                state: "not installed: nothing is there to wipe, and it can be removed",
            });
        }
        let text = "an operator takes it out of service: its connections end, its certificate is void, and its next boot from \
                    the network wipes its disk";
        let note = Note::new(Level::Warn, "host.decommission", text);
        self.ordered(host, &Event::DecommissionOrdered, ("decommission", note), by).await
    }
}
