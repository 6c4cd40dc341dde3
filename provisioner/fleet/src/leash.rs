//! The open connections of hosts, so that one that loses its standing is cut off within a second.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use cairn_contract::HostId;
use tokio_util::sync::CancellationToken;

/// One token for all connections of a host.
#[derive(Debug, Default)]
pub struct Leashes(Mutex<HashMap<HostId, CancellationToken>>);

impl Leashes {
    /// A token that dies when this host must leave.
    pub fn of(&self, host: HostId) -> CancellationToken {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(host).or_default().clone()
    }

    /// Ends the connections of every host that may not stay.
    pub fn cut_unless(&self, may_stay: impl Fn(HostId) -> bool) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|host, token| {
            let stays = may_stay(*host);
            if !stays {
                token.cancel();
            }
            stays
        });
    }

    /// Ends every open connection of a host; later ones get a new token.
    pub fn cut(&self, host: HostId) {
        if let Some(token) = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&host) {
            token.cancel();
        }
    }
}
