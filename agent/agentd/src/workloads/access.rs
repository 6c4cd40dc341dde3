//! The way to the provisioner as it is now: known after the first proof, renewed with each certificate.

use std::net::SocketAddr;

use cairn_contract::HostId;
use cairn_machine::link::Trust;
use tokio::sync::watch;

/// Where the provisioner is, and who to be there.
#[derive(Debug, Clone)]
pub struct Access {
    /// Its address.
    pub server: SocketAddr,
    /// Trusts the site and shows this host's certificate.
    pub trust: Trust,
    /// Who this host is.
    pub host: HostId,
}

/// The newest; `None` until this host has proven itself.
pub type Accesses = watch::Receiver<Option<Access>>;

/// Waits until there is one.
pub(super) async fn first(accesses: &mut Accesses) -> Option<Access> {
    let found = accesses.wait_for(Option::is_some).await.ok()?;
    found.clone()
}
