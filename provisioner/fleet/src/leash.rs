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

    /// Ends every open connection of a host; later ones get a new token.
    pub fn cut(&self, host: HostId) {
        if let Some(token) = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&host) {
            token.cancel();
        }
    }
}
