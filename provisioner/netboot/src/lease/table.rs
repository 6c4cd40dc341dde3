//! What is known of each address. Bounded by the pools and the reservations, because only [`super::decide`] names
//! addresses to it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use cairn_contract::Timestamp;

use super::decide::Decision;
use super::plan::Subnet;
use super::{Key, Lease, Record};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Held,
    Leased,
    Quarantined,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    key: Option<Key>,
    state: State,
    until: Timestamp,
}

/// Address to holder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    entries: BTreeMap<Ipv4Addr, Entry>,
}

impl Table {
    /// The table that a store's records make.
    pub fn load(records: impl IntoIterator<Item = Record>) -> Self {
        let mut table = Self::default();
        for record in records {
            match record {
                Record::Leased(lease) => table.set(&lease, State::Leased),
                Record::Quarantined { address, until } => table.quarantine(address, until),
            }
        }
        table
    }

    /// Remembers what was decided. An ACK is applied only after it is durable.
    pub fn apply(&mut self, decision: &Decision) {
        match decision {
            Decision::Offer(lease) => self.set(lease, State::Held),
            Decision::Ack(lease) => self.set(lease, State::Leased),
            Decision::Free(address) => {
                self.entries.remove(address);
            }
            Decision::Withdraw { held: Some(address), .. } => self.withdraw(*address),
            Decision::Quarantine { address, until } => self.quarantine(*address, *until),
            Decision::Withdraw { held: None, .. }
            | Decision::Inform
            | Decision::Nak(_)
            | Decision::Ignore(_) => {}
        }
    }

    /// Whom an address belongs to at `now`: a held or running lease.
    pub fn holder(&self, address: Ipv4Addr, now: Timestamp) -> Option<Key> {
        self.entries.get(&address).filter(|e| e.until > now && e.state != State::Quarantined)?.key
    }

    /// How many addresses are held or leased at `now`.
    pub fn in_use(&self, now: Timestamp) -> usize {
        self.entries.values().filter(|e| e.until > now && e.state != State::Quarantined).count()
    }

    /// True when `key` may have the address at `now`.
    pub(super) fn is_free_for(&self, address: Ipv4Addr, key: &Key, now: Timestamp) -> bool {
        match self.entries.get(&address) {
            None => true,
            Some(entry) if entry.until <= now => true,
            Some(entry) => entry.state != State::Quarantined && entry.key.as_ref() == Some(key),
        }
    }

    /// True when nothing was ever recorded for the address.
    pub(super) fn is_untouched(&self, address: Ipv4Addr) -> bool {
        !self.entries.contains_key(&address)
    }

    /// The address that this key has or had last in the subnet.
    pub(super) fn last_of(&self, key: &Key, subnet: &Subnet) -> Option<Ipv4Addr> {
        let mine = self.entries.iter().filter(|(address, entry)| {
            entry.key.as_ref() == Some(key) && entry.state != State::Quarantined && subnet.contains(**address)
        });
        mine.max_by_key(|(_, entry)| entry.until).map(|(address, _)| *address)
    }

    /// True when the address is leased (not only held) to the key, running or expired.
    pub(super) fn has_lease(&self, address: Ipv4Addr, key: &Key) -> bool {
        self.entries.get(&address).is_some_and(|e| e.state == State::Leased && e.key.as_ref() == Some(key))
    }

    /// The pool address whose lease ended longest ago and satisfies `may`.
    pub(super) fn oldest_expired(
        &self,
        subnet: &Subnet,
        now: Timestamp,
        may: impl Fn(Ipv4Addr) -> bool,
    ) -> Option<Ipv4Addr> {
        let expired = self.entries.iter().filter(|(a, e)| e.until <= now && subnet.in_pool(**a) && may(**a));
        expired.min_by_key(|(_, entry)| entry.until).map(|(address, _)| *address)
    }

    fn set(&mut self, lease: &Lease, state: State) {
        // An offer repeated to the holder of a running lease must not shorten it.
        if let Some(entry) = self.entries.get_mut(&lease.address)
            && (state, entry.state, entry.key) == (State::Held, State::Leased, Some(lease.key))
        {
            entry.until = entry.until.max(lease.until);
            return;
        }
        self.entries.insert(lease.address, Entry { key: Some(lease.key), state, until: lease.until });
    }

    /// Ends a hold; a lease stays, because a client that took another server's address may come back.
    fn withdraw(&mut self, address: Ipv4Addr) {
        if self.entries.get(&address).is_some_and(|entry| entry.state == State::Held) {
            self.entries.remove(&address);
        }
    }

    fn quarantine(&mut self, address: Ipv4Addr, until: Timestamp) {
        self.entries.insert(address, Entry { key: None, state: State::Quarantined, until });
    }
}
