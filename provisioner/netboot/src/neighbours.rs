//! Which machine has which address, as DHCP last gave it: HTTP, TFTP and TLS name their clients by it.
//! It is memory only and bounded; after a restart it is filled from the stored leases and by the next DHCP exchange.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{PoisonError, RwLock};

use cairn_netproto::dhcp::Class;

use crate::directory::BootClient;
use crate::event::Who;

/// Most machines remembered; more than one provisioner's pools hold.
const MOST: usize = 65_536;

/// Address to machine.
#[derive(Debug, Default)]
pub struct Neighbours {
    by_address: RwLock<HashMap<Ipv4Addr, BootClient>>,
}

impl Neighbours {
    /// The client at `address` is this one from now on.
    pub(crate) fn note(&self, address: Ipv4Addr, client: BootClient) {
        let mut map = self.by_address.write().unwrap_or_else(PoisonError::into_inner);
        if map.len() < MOST || map.contains_key(&address) {
            map.insert(address, client);
        }
    }

    /// The machine at this address. An unknown one is described by its address alone.
    pub fn client(&self, peer: IpAddr) -> BootClient {
        let found = match peer.to_canonical() {
            IpAddr::V4(address) => {
                self.by_address.read().unwrap_or_else(PoisonError::into_inner).get(&address).cloned()
            }
            IpAddr::V6(_) => None,
        };
        let mut client = found.unwrap_or(BootClient {
            mac: None,
            uuid: None,
            class: Class::Other,
            arch: None,
            peer: None,
        });
        client.peer = Some(peer);
        client
    }

    /// Whom an event at this address is about.
    pub fn who(&self, peer: IpAddr) -> Who {
        let client = self.client(peer);
        Who { mac: client.mac, uuid: client.uuid, peer: Some(peer) }
    }
}
